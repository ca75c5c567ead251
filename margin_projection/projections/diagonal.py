"""Global projection onto several diagonal quadratic constraints <q_i, theta^2> >= b_i (or =), by hidden convexity."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch

from margin_projection.networks.base import Structure
from margin_projection.projections.diagonal_program import (
    DiagonalProgram,
    face_vertices,
    least_violation,
    polish,
    solve_conic,
)
from margin_projection.projections.infeasibility import prove_infeasible
from margin_projection.projections.problem import ProjectionProblem, Solution, stay, without_point
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Counts, Status

_MAX_FLIPS = 256
_METHOD = "convex program in the squared parameters"
_BOUND_METHOD = "weak duality in the squared parameters (convex, no gap), from the multipliers"
_RELATIVE_GAP = 1e-7


def project_diagonal(problem: ProjectionProblem) -> Solution:
    """The global projection for DIAGONAL_QUADRATIC models and any mix of inequalities and equalities.

    With s = theta^2 the problem is convex (see `diagonal_program`). Minimizers come in sign flips of the coordinates
    where the start is 0 and the point is not: all are listed up to 256. Where s itself is not unique, vertices of the
    optimal face are returned and ``evidence["continuum"]`` says so.

    Raises:
        ValueError: the model's structure is not DIAGONAL_QUADRATIC.
    """
    system, start = problem.system, problem.start
    if system.model.structure is not Structure.DIAGONAL_QUADRATIC:
        raise ValueError(f"diagonal quadratic constraints are needed, not those of {system.model!r}")
    X, signs, _, _ = system.tensors(start.device)
    Q = (signs[:, None] * system.model.coefficients(X)).detach().cpu().numpy()
    z = start.detach().cpu().numpy()
    program = DiagonalProgram.scaled(z, Q, system.offsets, system.is_equality)
    if program.violation(program.z**2) == 0.0:
        return stay(problem)
    conic = solve_conic(program)
    if conic is not None:
        vertices = face_vertices(program, *conic, problem.seed)
        polished = [polish(program, vertex, conic[1]) for vertex in vertices]
        if program.violation(polished[0][0] ** 2) <= 1e-7:
            return _solution(problem, program, Q, z, polished)
    return _infeasible(problem, program, Q, z)


def _solution(
    problem: ProjectionProblem,
    program: DiagonalProgram,
    Q: np.ndarray,
    z: np.ndarray,
    polished: list[tuple[np.ndarray, np.ndarray]],
) -> Solution:
    """Points with signs, the bound re-verified from the multipliers, and the status they justify."""
    system = problem.system
    t, weights = polished[0]
    ones = np.ones(len(Q))
    multipliers = 0.5 * weights / program.row_norms
    lower_bound = quadratic_lower_bound(z, Q, ones, system.offsets, system.is_equality, multipliers)
    distance = program.unit * float(np.linalg.norm(t - program.z))
    gap = distance - lower_bound
    feasible = program.violation(t**2) <= 1e-12
    certified = feasible and gap <= _RELATIVE_GAP * distance + 1e-13 * program.unit
    points, listed_all = _signed_points(program, z, polished, distance)
    evidence: dict[str, Any] = {"dual_multipliers": multipliers.tolist()}
    if len(polished) > 1:
        evidence["continuum"] = {
            "shape": "polytope in theta^2",
            "vertices": [(program.unit**2 * each**2).tolist() for each, _ in polished],
        }
    unambiguous = not np.any((program.z == 0.0) & (t > 0.0) & (t < 1e-6))
    return Solution(
        points=tuple(torch.as_tensor(point, device=problem.start.device) for point in points),
        multipliers=torch.as_tensor(multipliers, device=problem.start.device),
        status=Status.GLOBAL if certified else Status.STALLED,
        kind=CertificateKind.GLOBAL if certified else CertificateKind.LOCAL,
        lower_bound=lower_bound,
        bound_method=_BOUND_METHOD,
        method=_METHOD,
        evidence=evidence,
        complete=certified and listed_all and len(polished) == 1 and unambiguous,
        counts=Counts(jacobians=1, forwards=1),
    )


def _signed_points(
    program: DiagonalProgram, z: np.ndarray, polished: list[tuple[np.ndarray, np.ndarray]], distance: float
) -> tuple[list[np.ndarray], bool]:
    """Every sign pattern of every vertex (at most 256 points), and whether all patterns are listed."""
    points: list[np.ndarray] = []
    signs = np.where(z < 0.0, -1.0, 1.0)
    for t, _ in polished:
        length = program.unit * float(np.linalg.norm(t - program.z))
        if program.violation(t**2) > 1e-12 or length > distance * (1.0 + 1e-9):
            continue
        free = np.flatnonzero((z == 0.0) & (t > 0.0))
        for pattern in product((1.0, -1.0), repeat=free.size):
            if len(points) == _MAX_FLIPS:
                return points, False
            point = program.unit * signs * t
            point[free] *= pattern
            points.append(point)
    return points or [program.unit * signs * polished[0][0]], bool(points)


def _infeasible(problem: ProjectionProblem, program: DiagonalProgram, Q: np.ndarray, z: np.ndarray) -> Solution:
    """Emptiness by an exact Farkas vector of {Q s >= b, s >= 0}, or the point of least violation, not found."""
    system = problem.system
    p = z.size
    sides = np.vstack([Q, np.eye(p)])
    limits = np.concatenate([system.offsets, np.zeros(p)])
    proof = prove_infeasible(sides, limits, np.concatenate([system.is_equality, np.zeros(p, dtype=bool)]))
    point = np.where(z < 0.0, -1.0, 1.0) * program.unit * np.sqrt(least_violation(program))
    evidence: dict[str, Any] = {}
    if proof is not None:
        evidence = {"farkas": list(proof.farkas), "system": "{Q s >= b (or = b), s >= 0} with s = theta^2"}
    return without_point(
        problem,
        torch.as_tensor(point, device=problem.start.device),
        _METHOD,
        proof=None if proof is None else "exact Farkas vector in the squared parameters",
        evidence=evidence,
        counts=Counts(jacobians=1),
    )

"""Projection onto several dense quadratic constraints, with a certified lower bound from Shor's relaxation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from margin_projection.networks.base import Structure
from margin_projection.projections.infeasibility import prove_infeasible
from margin_projection.projections.problem import ProjectionProblem, Solution, stay, without_point
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Counts, Status
from margin_projection.projections.shor_relaxation import (
    QuadraticProgram,
    estimate_weights,
    improve,
    relax,
    suggestions,
)

MAX_PARAMETERS = 100
MAX_CONSTRAINTS = 400
_METHOD = "semidefinite relaxation and Newton polish"
_BOUND_METHOD = "Shor relaxation: weak duality from its multipliers"
_RELATIVE_GAP = 1e-7
_SAME = 1e-6  # two points nearer than this, relative to their size, count as one
_FEASIBLE = 1e-9


def fits(problem: ProjectionProblem) -> bool:
    """Whether `project_semidefinite` applies: a QUADRATIC model, p <= 100 and n <= 400."""
    system = problem.system
    small = system.model.num_parameters <= MAX_PARAMETERS and system.num_constraints <= MAX_CONSTRAINTS
    return system.model.structure is Structure.QUADRATIC and small


def project_semidefinite(problem: ProjectionProblem) -> Solution:
    """The projection for small QUADRATIC models and any mix of inequalities and equalities.

    The relaxation gives multipliers, whose dual value is re-verified from raw numbers, and points near which local
    minimizers are sought. GLOBAL where the certified relative gap is at most 1e-7; else LOCAL with its gap.

    Raises:
        ValueError: `fits` is false.
    """
    if not fits(problem):
        raise ValueError(
            f"semidefinite relaxation needs a quadratic model, p <= 100 and n <= 400, not {problem.system!r}"
        )
    program, unit = _program(problem)
    if program.violation(program.start) == 0.0:
        return stay(problem)
    relaxed = relax(program)
    guesses = [program.start]
    if relaxed is not None:
        guesses = suggestions(*relaxed[1:], max(2, problem.starts), problem.seed)
    else:
        scatter = np.random.default_rng(problem.seed).standard_normal((max(4, problem.starts), program.start.size))
        guesses += list(program.start + scatter)
    found = [improve(program, guess, problem.max_steps) for guess in guesses]
    feasible = [pair for pair in found if program.violation(pair[0]) <= _FEASIBLE]
    if not feasible:
        return _without_point(problem, program, [theta for theta, _ in found], unit)
    feasible.sort(key=lambda pair: float(np.linalg.norm(pair[0] - program.start)))
    dual = np.zeros(program.b.size) if relaxed is None else relaxed[0]
    return _solution(problem, program, feasible, dual, unit)


def _program(problem: ProjectionProblem) -> tuple[QuadraticProgram, float]:
    """The problem with rows of norm 1 and parameters of size about 1; theta = unit * scaled theta."""
    system = problem.system
    A, norms = _signed_forms(problem)
    start = problem.start.detach().cpu().numpy()
    unit = max(float(np.abs(start).max()), float(np.sqrt(np.abs(system.offsets / norms).max()))) or 1.0
    scaled = QuadraticProgram(
        start / unit, A / norms[:, None, None], system.offsets / norms / unit**2, system.is_equality
    )
    return scaled, unit


def _signed_forms(problem: ProjectionProblem) -> tuple[np.ndarray, np.ndarray]:
    """s_i A_i (n, p, p), symmetric, and their Frobenius norms (n,), 1 for zero matrices."""
    X, signs, _, _ = problem.system.tensors(problem.start.device)
    A = (signs[:, None, None] * problem.system.model.coefficients(X)).detach().cpu().numpy()
    A = 0.5 * (A + A.transpose(0, 2, 1))
    norms = np.linalg.norm(A, axis=(1, 2))
    return A, np.where(norms > 0.0, norms, 1.0)


def _solution(
    problem: ProjectionProblem,
    program: QuadraticProgram,
    feasible: list[tuple[np.ndarray, np.ndarray]],
    dual: np.ndarray,
    unit: float,
) -> Solution:
    """The best point with the best of two verified bounds: from the relaxation's and from its own multipliers."""
    theta, weights = feasible[0]
    A, norms = _signed_forms(problem)
    arguments = (problem.start.cpu().numpy(), A, np.ones(len(A)), problem.system.offsets, program.is_equality)
    bounds = [(quadratic_lower_bound(*arguments, 0.5 * each / norms), each) for each in (dual, weights)]
    lower_bound, best_dual = max(bounds, key=lambda pair: pair[0])
    distance = unit * float(np.linalg.norm(theta - program.start))
    certified = distance - lower_bound <= _RELATIVE_GAP * distance and program.violation(theta) <= 1e-11
    points, complete = _minimizers(program, feasible, weights, certified)
    device = problem.start.device
    convex, smallest = _second_order(program, theta, weights)
    status = Status.GLOBAL if certified else (Status.LOCAL if convex else Status.STATIONARY)
    evidence: dict[str, Any] = {"dual_multipliers": (0.5 * best_dual / norms).tolist(), "least_curvature": smallest}
    return Solution(
        points=tuple(torch.as_tensor(unit * point, device=device) for point in points),
        multipliers=torch.as_tensor(0.5 * _stationary_weights(program, theta, [weights, dual]) / norms, device=device),
        status=status,
        kind=CertificateKind.GLOBAL if certified else CertificateKind.LOCAL,
        lower_bound=lower_bound,
        bound_method=_BOUND_METHOD,
        method=_METHOD,
        evidence=evidence,
        complete=complete,
        counts=Counts(jacobians=len(feasible), forwards=len(feasible)),
    )


def _stationary_weights(program: QuadraticProgram, theta: np.ndarray, candidates: list[np.ndarray]) -> np.ndarray:
    """The weights that best satisfy (I - sum_i l_i A_i) theta = start, nonnegative for inequalities.

    Where samples depend on one another a solver's weights may have drifted along directions that nearly cancel.
    """
    active = program.is_equality | (program.values(theta) <= 1e-9)
    fitted = estimate_weights(program, theta, active.copy())

    def residual(weights: np.ndarray) -> float:
        negative = np.where(program.is_equality, 0.0, np.maximum(-weights, 0.0)).max()
        return float(np.linalg.norm(program.curvature(weights) @ theta - program.start) + negative)

    return min([*candidates, fitted], key=residual)


def _minimizers(
    program: QuadraticProgram, feasible: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray, certified: bool
) -> tuple[list[np.ndarray], bool]:
    """All points found at the least distance, and whether they are provably all.

    Every global minimizer solves (I - sum_i l_i A_i) theta = start for the optimal dual weights: it is unique where
    that matrix is definite; with a null space spanned by v there are at most the two roots along v of an active
    constraint.
    """
    best = feasible[0][0]
    values, vectors = np.linalg.eigh(program.curvature(weights))
    candidates = [theta for theta, _ in feasible]
    null = int((values < 1e-6).sum())
    decisive = False
    if certified and null == 1 and (values.size == 1 or values[1] > 1e-4):
        bends = np.where(np.abs(weights) > 1e-6, np.einsum("p,npq,q->n", vectors[:, 0], program.A, vectors[:, 0]), 0.0)
        row = int(np.abs(bends).argmax())
        decisive = abs(bends[row]) > 1e-6
        if decisive:
            step = -2.0 * (vectors[:, 0] @ program.A[row] @ best) / bends[row]
            candidates.append(improve(program, best + step * vectors[:, 0], 50)[0])
    points: list[np.ndarray] = []
    size = float(np.linalg.norm(best - program.start))
    for theta in candidates:
        near = float(np.linalg.norm(theta - program.start)) <= size * (1.0 + 1e-10)
        new = all(np.linalg.norm(theta - other) > _SAME * (1.0 + np.linalg.norm(theta)) for other in points)
        if near and new and program.violation(theta) <= 1e-11:
            points.append(theta)
    return points or [best], certified and (null == 0 or (decisive and len(points) == 2))


def _second_order(program: QuadraticProgram, theta: np.ndarray, weights: np.ndarray) -> tuple[bool, float | None]:
    """Whether I - sum_i l_i A_i is positive semidefinite on the tangent space of the active rows; its least eigenvalue.

    The eigenvalue is None where the tangent space is {0}.
    """
    active = program.is_equality | (np.abs(weights) > 1e-9)
    gradients = program.A[active] @ theta
    _, sizes, rows = np.linalg.svd(gradients, full_matrices=True)
    rank = int((sizes > 1e-10 * sizes.max(initial=1.0)).sum())
    tangent = rows[rank:]
    if tangent.shape[0] == 0:
        return True, None
    smallest = float(np.linalg.eigvalsh(tangent @ program.curvature(weights) @ tangent.T)[0])
    stationary = np.abs(program.curvature(weights) @ theta - program.start).max() <= 1e-9
    return bool(stationary and smallest >= -1e-9), smallest


def _without_point(
    problem: ProjectionProblem, program: QuadraticProgram, tried: list[np.ndarray], unit: float
) -> Solution:
    """Emptiness where even {<A_i, Z> >= b_i} over all symmetric Z is empty (exact Farkas vector); else not found."""
    system = problem.system
    A, _ = _signed_forms(problem)
    columns = np.unique(A.reshape(len(A), -1), axis=1)
    proof = prove_infeasible(columns, system.offsets, system.is_equality)
    point = min(tried, key=program.violation)
    evidence = (
        {} if proof is None else {"farkas": list(proof.farkas), "system": "{<A_i, Z> >= b_i (or = b_i)}, Z symmetric"}
    )
    return without_point(
        problem,
        torch.as_tensor(unit * point, device=problem.start.device),
        _METHOD,
        proof=None if proof is None else "exact Farkas vector over all symmetric matrices Z = theta theta^T",
        evidence=evidence,
        counts=Counts(jacobians=len(tried), forwards=len(tried)),
    )

"""Exact projections onto polyhedra: models linear in theta, any mix of inequality and equality constraints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.linalg import qr

from margin_projection.projections.active_set import refine, row_solver
from margin_projection.projections.dual_qp import solve_by_nonnegative_least_squares, solve_unit_rows
from margin_projection.projections.infeasibility import least_violation_point, prove_infeasible, row_norms
from margin_projection.projections.problem import ProjectionProblem, Solution
from margin_projection.projections.result import CertificateKind, Counts, Status

_EPSILON = float(np.finfo(np.float64).eps)
_METHOD = "dual active set"
_BOUND_METHODS = {
    CertificateKind.GLOBAL: "dual value of the multipliers",
    CertificateKind.LOCAL: "dual value of the multipliers",
    CertificateKind.INFEASIBLE: "exact Farkas vector",
    CertificateKind.NONE: "none",
}
_NARROW = (1e-3, 1e-6, 1e-9, 1e-12)  # margins tried for systems that the solver takes for infeasible
_MOST_NEGATIVE = -1e20  # of scaled right-hand sides: such a constraint is never active


@dataclass(frozen=True)
class Polyhedron:
    """{theta : (A theta)_i >= b_i, = b_i where is_equality} and a start, seen from that start.

    Attributes:
        rows: A (n, p); norms: (n,) of its rows.
        offsets: b (n,); is_equality: (n,) bool; start: (p,).
        tolerance: bound on the violation of a projection.
        rhs: (n,) b - A start, so that d = theta - start has (A d)_i >= rhs_i; rounding errors well below the tolerance
            count as 0.
    """

    rows: np.ndarray
    offsets: np.ndarray
    is_equality: np.ndarray
    start: np.ndarray
    tolerance: float
    norms: np.ndarray = field(init=False)
    rhs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        norms = row_norms(self.rows)
        rhs = self.offsets - self.rows @ self.start
        rounding = 4.0 * _EPSILON * (np.abs(self.offsets) + norms * math.sqrt(self.start @ self.start))
        rhs[np.abs(rhs) <= np.where(norms > 0.0, np.minimum(rounding, 0.1 * self.tolerance), 0.0)] = 0.0
        object.__setattr__(self, "norms", norms)
        object.__setattr__(self, "rhs", rhs)

    def contains_start(self) -> bool:
        """Whether the start satisfies every constraint up to rounding."""
        return not ((self.rhs > 0.0) | (self.is_equality & (self.rhs != 0.0))).any()

    def violation(self, step: np.ndarray) -> float:
        """The largest violation at start + step."""
        slack = self.rows @ (self.start + step) - self.offsets
        return max(0.0, float(np.where(self.is_equality, np.abs(slack), -slack).max()))

    def resolution(self, step: np.ndarray) -> float:
        """A violation that rounding errors explain at start + step, at most 1e-5."""
        size = float(np.linalg.norm(self.start + step)) * float(self.norms.max())
        return min(1e-5, 1e3 * _EPSILON * size)

    def lower_bound(self, multipliers: np.ndarray) -> tuple[float, float]:
        """(bound on the distance, dual value): sqrt(2 q), q(l) = l^T rhs - 1/2 ||A^T l||^2, l >= 0 for inequalities.

        Rounding errors of both terms are subtracted, so that ill-conditioned multipliers loosen the bound.
        """
        clipped = np.where(self.is_equality, multipliers, np.maximum(multipliers, 0.0))
        combination = clipped @ self.rows
        squared = float(combination @ combination)
        value = float(clipped @ self.rhs) - 0.5 * squared
        size = np.abs(clipped)
        rounding = float(size @ np.abs(self.rhs)) + math.sqrt(squared) * float(size @ self.norms)
        return math.sqrt(max(0.0, 2.0 * (value - 4.0 * _EPSILON * rounding))), value


def project_linear(problem: ProjectionProblem) -> Solution:
    """The projection onto the polyhedron of a model with structure LINEAR: unique, with its duality gap.

    Args:
        problem: its system's model must have structure LINEAR; inequalities and equalities may be mixed.

    Returns:
        A solution of status GLOBAL, whose lower bound is the dual value's; INFEASIBLE with an exact Farkas vector
        ("farkas", rationals as text, and its "support") in the evidence; NOT_FOUND with the point of least violation
        where neither a feasible point nor a proof was found; STALLED where float64 does not reach the tolerance.
    """
    polyhedron = _read(problem)
    if polyhedron.contains_start():
        zeros = np.zeros_like(polyhedron.offsets)
        stay = np.zeros_like(polyhedron.start)
        if _is_feasible(problem, polyhedron, stay):
            return _with_solution(problem, polyhedron, zeros, stay)
        return _with_solution(problem, polyhedron, zeros, stay, Status.STALLED)
    found = _solve(polyhedron)
    if found is not None and _is_feasible(problem, polyhedron, found[1]):
        return _with_solution(problem, polyhedron, *found)
    return _exactly_infeasible(problem, polyhedron) or _narrowly_feasible(problem, polyhedron, found)


def _read(problem: ProjectionProblem) -> Polyhedron:
    system = problem.system
    coefficients = system.model.coefficients(torch.as_tensor(system.X)).detach().cpu().numpy()
    start = problem.start.detach().cpu().numpy()
    rows = system.signs[:, None] * coefficients
    return Polyhedron(rows, system.offsets, system.is_equality, start, problem.tolerance)


def _is_feasible(problem: ProjectionProblem, polyhedron: Polyhedron, step: np.ndarray) -> bool:
    """Whether start + step is in the set to the tolerance, with the constraints evaluated as the system does it."""
    point = torch.as_tensor(polyhedron.start + step, device=problem.start.device)
    violations = problem.system.violation_values(problem.system.constraint_values(point))
    return float(violations.max()) <= problem.tolerance


def _solve(polyhedron: Polyhedron, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray] | None:
    """(multipliers (n,), step (p,)) that meet the KKT conditions, or None where none were found.

    With ``scale`` < 1 the solver is the one for systems that are feasible by a margin of about that size.
    """
    kept = polyhedron.norms > 0.0
    if (~kept & ((polyhedron.rhs > 0.0) | (polyhedron.is_equality & (polyhedron.rhs != 0.0)))).any():
        return None
    inverse = 1.0 / polyhedron.norms[kept]
    rows, rhs = polyhedron.rows[kept] * inverse[:, None], polyhedron.rhs[kept] * inverse
    is_equality = polyhedron.is_equality[kept]
    size = float(np.where(is_equality, np.abs(rhs), rhs).max())
    rhs = np.maximum(rhs / size, np.where(is_equality, -np.inf, _MOST_NEGATIVE))
    start = _first_multipliers(rows, rhs, is_equality, scale)
    if start is None:
        return None
    best, _, optimal = refine(row_solver(rows, rhs), is_equality, start)
    if not optimal or best.step is None:
        return None
    multipliers = np.zeros_like(polyhedron.rhs)
    multipliers[kept] = best.multipliers * (inverse * size)
    return multipliers, best.step * size


def _first_multipliers(
    rows: np.ndarray, rhs: np.ndarray, is_equality: np.ndarray, scale: float
) -> np.ndarray | None:
    """Approximate multipliers (n,) for rows of norm 1 and a right-hand side of size 1."""
    if rows.shape[1] > rows.shape[0]:
        rows = qr(rows.T, mode="r")[0][: rows.shape[0]].T
    if scale < 1.0:
        return solve_by_nonnegative_least_squares(rows, rhs * scale, is_equality)[0]
    return solve_unit_rows(rows, rhs, is_equality, dependence=1e-12)[0]


def _with_solution(
    problem: ProjectionProblem,
    polyhedron: Polyhedron,
    multipliers: np.ndarray,
    step: np.ndarray,
    status: Status = Status.GLOBAL,
) -> Solution:
    kind = CertificateKind.GLOBAL if status is Status.GLOBAL else CertificateKind.LOCAL
    bound, value = polyhedron.lower_bound(multipliers)
    return _solution(problem, polyhedron.start + step, multipliers, status, kind, bound, {"dual_value": value})


def _exactly_infeasible(problem: ProjectionProblem, polyhedron: Polyhedron) -> Solution | None:
    system = (polyhedron.rows, polyhedron.offsets, polyhedron.is_equality)
    proof = prove_infeasible(*system)
    if proof is None:
        return None
    evidence = {"farkas": list(proof.farkas), "support": list(proof.support)}
    zeros, point = np.zeros_like(polyhedron.offsets), _least_violation(polyhedron)
    return _solution(problem, point, zeros, Status.INFEASIBLE, CertificateKind.INFEASIBLE, math.inf, evidence)


def _narrowly_feasible(
    problem: ProjectionProblem, polyhedron: Polyhedron, found: tuple[np.ndarray, np.ndarray] | None
) -> Solution:
    """No proof of emptiness: narrower margins are tried; else the best point resolved, or the least violation."""
    candidates = [] if found is None else [found]
    for scale in _NARROW:
        found = _solve(polyhedron, scale)
        if found is not None:
            candidates.append(found)
            if _is_feasible(problem, polyhedron, found[1]):
                return _with_solution(problem, polyhedron, *found)
    if candidates:
        multipliers, step = min(candidates, key=lambda each: polyhedron.violation(each[1]))
        if polyhedron.violation(step) <= polyhedron.resolution(step):
            return _with_solution(problem, polyhedron, multipliers, step, Status.STALLED)
    zeros, point = np.zeros_like(polyhedron.offsets), _least_violation(polyhedron)
    return _solution(problem, point, zeros, Status.NOT_FOUND, CertificateKind.NONE, 0.0, {})


def _least_violation(polyhedron: Polyhedron) -> np.ndarray:
    """The point of least violation that linear programming finds, or the start where that is no better."""
    point = least_violation_point(polyhedron.rows, polyhedron.offsets, polyhedron.is_equality)
    better = polyhedron.violation(point - polyhedron.start) < polyhedron.violation(np.zeros_like(point))
    return point if better else polyhedron.start


def _solution(
    problem: ProjectionProblem,
    point: np.ndarray,
    multipliers: np.ndarray,
    status: Status,
    kind: CertificateKind,
    lower_bound: float,
    evidence: dict[str, Any],
) -> Solution:
    device = problem.start.device
    return Solution(
        points=(torch.as_tensor(point, device=device),),
        multipliers=torch.as_tensor(multipliers, device=device),
        status=status,
        kind=kind,
        lower_bound=lower_bound,
        bound_method=_BOUND_METHODS[kind],
        method=_METHOD,
        evidence=evidence,
        complete=status is Status.GLOBAL,
        counts=Counts(jacobians=1),
    )

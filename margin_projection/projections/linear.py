"""Exact projections onto polyhedra: models linear in theta, any mix of inequality and equality constraints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.linalg import qr

from margin_projection._arrays import to_numpy
from margin_projection.projections.active_set import RowProgram, refine
from margin_projection.projections.dual_qp import solve_by_nonnegative_least_squares, solve_unit_rows
from margin_projection.projections.infeasibility import least_violation_point, prove_infeasible
from margin_projection.projections.problem import ProjectionProblem, Solution
from margin_projection.projections.result import CertificateKind, Counts, Status
from margin_projection.projections.rounding import feasibility_tolerances
from margin_projection.sets.margin_set import ConstraintSystem

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
    """{theta : (A theta)_i >= b_i, = b_i where is_equality} of a system with structure LINEAR, seen from a start.

    Attributes:
        system: it holds A (n, p) as ``rows``, b (n,) as ``offsets``, and is_equality (n,).
        start: (p,).
        tolerance: bound on the violation of a projection.
        rhs: (n,) b - A start, so that d = theta - start has (A d)_i >= rhs_i; rounding errors well below the tolerance
            count as 0.
    """

    system: ConstraintSystem
    start: np.ndarray
    tolerance: float
    rhs: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        system = self.system
        rhs = system.offsets - system.rows @ self.start
        small = np.abs(rhs) <= 0.1 * self.tolerance
        if small.any():
            length = float(np.linalg.norm(self.start))
            rounding = 4.0 * _EPSILON * (np.abs(system.offsets) + system.row_norms * length)
            rhs[small & (np.abs(rhs) <= rounding) & (system.row_norms > 0.0)] = 0.0
        object.__setattr__(self, "rhs", rhs)

    def contains_start(self) -> bool:
        """Whether the start satisfies every constraint up to rounding."""
        return float(self.system.violation_array(-self.rhs).max()) == 0.0

    def violations(self, step: np.ndarray) -> np.ndarray:
        """(n,) the violation of each constraint at start + step."""
        return self.system.violation_array(self.system.rows @ (self.start + step) - self.system.offsets)

    def is_feasible(self, step: np.ndarray) -> bool:
        """Whether start + step is in the set to the tolerance, or to rounding where that is more."""
        violations = self.violations(step)
        if violations.max() <= self.tolerance:
            return True
        size, system = float(np.linalg.norm(self.start + step)), self.system
        tolerances = feasibility_tolerances(self.tolerance, system.offsets, system.row_norms, size)
        return bool((violations <= tolerances).all())

    def is_resolved(self, step: np.ndarray) -> bool:
        """Whether rounding errors of the start, or of a step with errors of at most 1e-5, explain the violation."""
        largest = float(self.system.row_norms.max())
        by_start = 8.0 * _EPSILON * largest * float(np.linalg.norm(self.start))
        by_step = min(1e-5, 1e3 * _EPSILON * largest * float(np.linalg.norm(self.start + step)))
        return bool(self.violations(step).max() <= max(by_start, by_step))


def project_linear(problem: ProjectionProblem) -> Solution:
    """The projection onto the polyhedron of a model with structure LINEAR: unique, with its duality gap.

    Args:
        problem: its system's model must have structure LINEAR; inequalities and equalities may be mixed.

    Returns:
        A solution of status GLOBAL, whose lower bound (0 here) is left to `linear_lower_bound`; INFEASIBLE with an
        exact Farkas vector ("farkas", rationals as text, and its "support") in the evidence; NOT_FOUND with the point
        of least violation where neither a feasible point nor a proof was found; STALLED where float64 does not reach
        the tolerance.
    """
    polyhedron = Polyhedron(problem.system, to_numpy(problem.start), problem.tolerance)
    if polyhedron.contains_start():
        zeros = np.zeros_like(polyhedron.rhs)
        stay = np.zeros_like(polyhedron.start)
        status = Status.GLOBAL if polyhedron.is_feasible(stay) else Status.STALLED
        return _with_solution(problem, polyhedron, zeros, stay, status)
    found = _solve(polyhedron)
    if found is not None and polyhedron.is_feasible(found[1]):
        return _with_solution(problem, polyhedron, *found)
    return _exactly_infeasible(problem, polyhedron) or _narrowly_feasible(problem, polyhedron, found)


def _solve(polyhedron: Polyhedron, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray] | None:
    """(multipliers (n,), step (p,)) that meet the KKT conditions, or None where none were found.

    With ``scale`` < 1 the solver is the one for systems that are feasible by a margin of about that size.
    """
    system = polyhedron.system
    vanishing = system.row_norms == 0.0
    kept: Any = slice(None)
    if vanishing.any():
        if system.violation_array(-polyhedron.rhs)[vanishing].max() > 0.0:
            return None
        kept = ~vanishing
    rows, is_equality, inverse = system.unit_rows[kept], system.is_equality[kept], 1.0 / system.row_norms[kept]
    rhs = polyhedron.rhs[kept] * inverse
    size = float(np.where(is_equality, np.abs(rhs), rhs).max())
    rhs = np.maximum(rhs / size, np.where(is_equality, -np.inf, _MOST_NEGATIVE))
    start = _first_multipliers(rows, rhs, is_equality, scale)
    if start is None:
        return None
    best, _, optimal = refine(RowProgram(rows, rhs), is_equality, start)
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
    return _solution(problem, polyhedron.start + step, multipliers, status, kind, 0.0, {})


def _exactly_infeasible(problem: ProjectionProblem, polyhedron: Polyhedron) -> Solution | None:
    system = polyhedron.system
    proof = prove_infeasible(system.rows, system.offsets, system.is_equality)
    if proof is None:
        return None
    evidence = {"farkas": list(proof.farkas), "support": list(proof.support)}
    zeros, point = np.zeros_like(polyhedron.rhs), _least_violation(polyhedron)
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
            if polyhedron.is_feasible(found[1]):
                return _with_solution(problem, polyhedron, *found)
    if candidates:
        multipliers, step = min(candidates, key=lambda each: polyhedron.violations(each[1]).max())
        if polyhedron.is_resolved(step):
            return _with_solution(problem, polyhedron, multipliers, step, Status.STALLED)
    zeros, point = np.zeros_like(polyhedron.rhs), _least_violation(polyhedron)
    status = Status.STALLED if polyhedron.is_feasible(point - polyhedron.start) else Status.NOT_FOUND
    return _solution(problem, point, zeros, status, CertificateKind.NONE, 0.0, {})


def _least_violation(polyhedron: Polyhedron) -> np.ndarray:
    """The point of least violation that linear programming finds, or the start where that is no better."""
    system = polyhedron.system
    point = least_violation_point(system.rows, system.offsets, system.is_equality)
    stay = np.zeros_like(point)
    better = polyhedron.violations(point - polyhedron.start).max() < polyhedron.violations(stay).max()
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
        points=(torch.from_numpy(point).to(device),),
        multipliers=torch.from_numpy(multipliers).to(device),
        status=status,
        kind=kind,
        lower_bound=lower_bound,
        bound_method=_BOUND_METHODS[kind],
        method=_METHOD,
        evidence=evidence,
        complete=status is Status.GLOBAL,
        counts=Counts(jacobians=1),
    )

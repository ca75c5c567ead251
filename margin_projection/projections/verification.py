"""Independent re-verification: residuals and lower bounds recomputed from point, multipliers and data alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.base import Structure
from margin_projection.networks.layered import LayeredNetwork
from margin_projection.projections.infeasibility import verify_farkas
from margin_projection.projections.linear_bound import linear_lower_bound
from margin_projection.projections.problem import ProjectionProblem, Solution
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Residuals, Status
from margin_projection.projections.rounding import feasibility_tolerances

MATCH = 1e-7  # relative gap between distance and lower bound up to which a minimizer is certified as global


def kkt_residuals(problem: ProjectionProblem, solution: Solution) -> tuple[Residuals, bool]:
    """The KKT residuals of the first point, and whether it is feasible to the tolerance or to rounding.

    From the coefficients of a linear model, else by a fresh linearization (with the solver's Clarke gradient at kinks).
    """
    system, point, multipliers = problem.system, to_numpy(solution.points[0]), to_numpy(solution.multipliers)
    if system.model.structure is Structure.LINEAR and solution.generalized_gradient is None:
        constraints, gradient = system.rows @ point - system.offsets, multipliers @ system.rows
    else:
        constraints, gradient = _linearized(problem, solution)
    violations = system.violation_array(constraints)
    residual = point - to_numpy(problem.start) - gradient
    residuals = Residuals(
        feasibility=float(violations.max()),
        stationarity=math.sqrt(residual @ residual),
        complementarity=float(np.abs(multipliers * constraints).max(initial=0.0, where=~system.is_equality)),
        dual=float(np.maximum(-multipliers, 0.0).max(initial=0.0, where=~system.is_equality)),
    )
    return residuals, _is_feasible(problem, violations, solution.points[0])


def _linearized(problem: ProjectionProblem, solution: Solution) -> tuple[np.ndarray, np.ndarray]:
    """(n,) constraint values and (p,) sum_i lambda_i grad c_i at the first point."""
    system, point = problem.system, solution.points[0]
    X, signs, _, _ = system.tensors(point.device)
    line = system.model.linearize(point, X)
    gradient = solution.generalized_gradient
    if gradient is None:
        gradient = line.adjoint(signs * solution.multipliers)
    return system.signs * to_numpy(line.values) - system.offsets, to_numpy(gradient)


def _is_feasible(problem: ProjectionProblem, violations: np.ndarray, point: Tensor) -> bool:
    """Whether every violation is within the tolerance, or within rounding where that is more."""
    tolerance = max(problem.tolerance, 1e-9)
    if violations.max() <= tolerance:
        return True
    system = problem.system
    gram = system.model.linearize(point, system.tensors(point.device)[0]).gram()
    gradient_norms = np.sqrt(np.maximum(to_numpy(gram.diagonal()), 0.0))
    size = float(np.linalg.norm(to_numpy(point)))
    return bool((violations <= feasibility_tolerances(tolerance, system.offsets, gradient_norms, size)).all())


def verified_lower_bound(problem: ProjectionProblem, solution: Solution) -> float:
    """The lower bound on the distance that follows from the raw multipliers, where the structure has a dual.

    For other structures the solver's own bound, which is sound by construction, is returned unchanged.
    """
    system = problem.system
    structure = system.model.structure
    quadratic = structure in (Structure.QUADRATIC, Structure.DIAGONAL_QUADRATIC)
    if structure is not Structure.LINEAR and not quadratic:
        return solution.lower_bound
    start, multipliers = to_numpy(problem.start), to_numpy(solution.multipliers)
    if structure is Structure.LINEAR:
        return linear_lower_bound(start, system.rows, system.offsets, system.is_equality, multipliers)
    coefficients = to_numpy(system.model.coefficients(torch.as_tensor(system.X)))
    data = (coefficients, system.signs, system.offsets, system.is_equality, multipliers)
    duals = (quadratic_lower_bound(start, *data), _dual_of_bound(problem, solution, coefficients))
    return max(*duals, _forced_zeros_bound(problem, start, coefficients))


def _dual_of_bound(problem: ProjectionProblem, solution: Solution, coefficients: np.ndarray) -> float:
    """The bound of separate dual multipliers, where the solver's bound does not come from the point's own ones."""
    dual = solution.evidence.get("dual_multipliers")
    if dual is None:
        return 0.0
    system, start = problem.system, to_numpy(problem.start)
    return quadratic_lower_bound(start, coefficients, system.signs, system.offsets, system.is_equality, dual)


def _forced_zeros_bound(problem: ProjectionProblem, start: np.ndarray, coefficients: np.ndarray) -> float:
    """The distance to {theta_j = 0 for all forced j}: q^T theta^2 = 0 with q >= 0 forces theta_j = 0 where q_j > 0.

    Such a constraint has no multiplier, so duality alone says nothing of it. Only for diagonal forms, whose signs are
    exact; the constraint is q^T theta^2 = 0 with q of one sign, or q^T theta^2 >= 0 with q <= 0.
    """
    system = problem.system
    if coefficients.ndim != 2:
        return 0.0
    q = system.signs[:, None] * coefficients
    one_sign = (q <= 0.0).all(1) | (system.is_equality & (q >= 0.0).all(1))
    forced = (q[one_sign & (system.offsets == 0.0)] != 0.0).any(0)
    return float(np.linalg.norm(start[forced])) * (1.0 - 1e-15 * start.size)


def infeasibility_holds(problem: ProjectionProblem, solution: Solution) -> bool:
    """Whether the proof of emptiness passes when it is checked again from the data.

    A Farkas vector is checked in exact arithmetic against the model's coefficients, contradictory samples are compared
    again. The remaining proofs (signs of one quadratic form, sums of rectifiers) are rational arithmetic of their own.
    """
    evidence = solution.evidence
    if "farkas" in evidence:
        return verify_farkas(*_farkas_system(problem), evidence["farkas"])
    if "samples" in evidence:
        return _excludes_all_outputs(problem, evidence["samples"])
    return problem.system.model.structure is not Structure.LINEAR and solution.kind is CertificateKind.INFEASIBLE


def _farkas_system(problem: ProjectionProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The linear system (rows, offsets, is_equality) in theta, theta^2 >= 0 or theta theta^T, by the structure."""
    system = problem.system
    if system.model.structure is Structure.LINEAR:
        return system.rows, system.offsets, system.is_equality
    coefficients = to_numpy(system.model.coefficients(torch.as_tensor(system.X)))
    rows = (system.signs * coefficients.reshape(len(coefficients), -1).T).T
    if system.model.structure is Structure.QUADRATIC:
        return rows, system.offsets, system.is_equality
    p = rows.shape[1]
    offsets = np.append(system.offsets, np.zeros(p))
    return np.vstack([rows, np.eye(p)]), offsets, np.append(system.is_equality, np.zeros(p, dtype=bool))


def _excludes_all_outputs(problem: ProjectionProblem, samples: list[int]) -> bool:
    """Whether no number can be the common output of these equal samples (0 for a zero sample of a layered network)."""
    system = problem.system
    if any(not np.array_equal(system.X[row], system.X[samples[0]]) for row in samples):
        return False
    low, high = -math.inf, math.inf
    if isinstance(system.model, LayeredNetwork) and not system.X[samples[0]].any():
        low = high = 0.0
    for row in samples:
        bound = float(system.signs[row] * system.offsets[row])
        low = max(low, bound) if system.is_equality[row] or system.signs[row] > 0 else low
        high = min(high, bound) if system.is_equality[row] or system.signs[row] < 0 else high
    return low > high


def certified_status(
    problem: ProjectionProblem,
    solution: Solution,
    residuals: Residuals,
    feasible: bool,
    distance: float,
    lower_bound: float,
) -> tuple[Status, bool]:
    """The status that the recomputed numbers support, never better than the solver's, and whether they support it."""
    scale = 1.0 + distance
    claimed = solution.status
    if claimed is Status.INFEASIBLE:
        holds = infeasibility_holds(problem, solution)
        return (claimed, True) if holds else (Status.NOT_FOUND, False)
    feasible = feasible and math.isfinite(distance)
    consistent = math.isfinite(lower_bound) and lower_bound <= distance + 1e-9 * scale
    if claimed is Status.GLOBAL:
        if feasible and consistent and distance - lower_bound <= MATCH * scale:
            return Status.GLOBAL, True
        claimed = Status.STATIONARY  # what its KKT residuals may still support
    if claimed in (Status.LOCAL, Status.STATIONARY):
        stationary = residuals.stationarity <= max(10.0 * problem.tolerance, 1e-8) * scale
        signs_hold = residuals.dual <= problem.tolerance * scale
        if feasible and consistent and stationary and signs_hold:
            return claimed, True
        return Status.STALLED, False
    return claimed, consistent

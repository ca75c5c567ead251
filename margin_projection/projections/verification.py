"""Independent re-verification: residuals and lower bounds recomputed from point, multipliers and data alone."""

from __future__ import annotations

import math

import numpy as np
import torch

from margin_projection.networks.base import Structure
from margin_projection.projections.infeasibility import verify_farkas
from margin_projection.projections.linear import Polyhedron
from margin_projection.projections.problem import ProjectionProblem, Solution
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Residuals, Status

MATCH = 1e-7  # relative gap between distance and lower bound up to which a minimizer is certified as global


def kkt_residuals(problem: ProjectionProblem, solution: Solution) -> Residuals:
    """The KKT residuals of the first point, by a fresh linearization (with the solver's Clarke gradient at kinks)."""
    system, point = problem.system, solution.points[0]
    X, signs, offsets, is_equality = system.tensors(point.device)
    line = system.model.linearize(point, X)
    constraints = signs * line.values - offsets
    multipliers = solution.multipliers
    gradient = solution.generalized_gradient
    if gradient is None:
        gradient = line.adjoint(signs * multipliers)
    products = torch.where(is_equality, 0.0, multipliers * constraints)
    return Residuals(
        feasibility=float(system.violation_values(constraints).max()),
        stationarity=float((point - problem.start - gradient).norm()),
        complementarity=float(products.abs().max()),
        dual=float(torch.where(is_equality, 0.0, -multipliers).clamp_min(0.0).max()),
    )


def verified_lower_bound(problem: ProjectionProblem, solution: Solution) -> float:
    """The lower bound on the distance that follows from the raw multipliers, where the structure has a dual.

    For other structures the solver's own bound, which is sound by construction, is returned unchanged.
    """
    system = problem.system
    structure = system.model.structure
    quadratic = structure in (Structure.QUADRATIC, Structure.DIAGONAL_QUADRATIC)
    if structure is not Structure.LINEAR and not quadratic:
        return solution.lower_bound
    start = problem.start.detach().cpu().numpy()
    multipliers = solution.multipliers.detach().cpu().numpy()
    coefficients = system.model.coefficients(torch.as_tensor(system.X)).detach().cpu().numpy()
    if quadratic:
        data = (coefficients, system.signs, system.offsets, system.is_equality, multipliers)
        return max(quadratic_lower_bound(start, *data), _dual_of_bound(problem, solution, coefficients))
    rows = system.signs[:, None] * coefficients
    polyhedron = Polyhedron(rows, system.offsets, system.is_equality, start, problem.tolerance)
    return polyhedron.lower_bound(multipliers)[0]


def _dual_of_bound(problem: ProjectionProblem, solution: Solution, coefficients: np.ndarray) -> float:
    """The bound of separate dual multipliers, where the solver's bound does not come from the point's own ones."""
    dual = solution.evidence.get("dual_multipliers")
    if dual is None:
        return 0.0
    system, start = problem.system, problem.start.detach().cpu().numpy()
    return quadratic_lower_bound(start, coefficients, system.signs, system.offsets, system.is_equality, dual)


def infeasibility_holds(problem: ProjectionProblem, solution: Solution) -> bool:
    """Whether the proof of emptiness passes: a Farkas vector of a linear model in exact arithmetic, else the reason."""
    farkas = solution.evidence.get("farkas")
    if problem.system.model.structure is not Structure.LINEAR:
        return solution.kind is CertificateKind.INFEASIBLE
    if farkas is None:
        return False
    system = problem.system
    rows = system.signs[:, None] * system.model.coefficients(torch.as_tensor(system.X)).numpy()
    return verify_farkas(rows, system.offsets, system.is_equality, farkas)


def certified_status(
    problem: ProjectionProblem, solution: Solution, residuals: Residuals, distance: float, lower_bound: float
) -> tuple[Status, bool]:
    """The status that the recomputed numbers support, never better than the solver's, and whether they support it."""
    scale = 1.0 + distance
    claimed = solution.status
    if claimed is Status.INFEASIBLE:
        holds = infeasibility_holds(problem, solution)
        return (claimed, True) if holds else (Status.NOT_FOUND, False)
    feasible = residuals.feasibility <= max(problem.tolerance, 1e-9)
    consistent = math.isfinite(lower_bound) and lower_bound <= distance + 1e-9 * scale
    if claimed is Status.GLOBAL:
        if feasible and consistent and distance - lower_bound <= MATCH * scale:
            return Status.GLOBAL, True
        return (Status.LOCAL if feasible else Status.STALLED), False
    if claimed in (Status.LOCAL, Status.STATIONARY):
        stationary = residuals.stationarity <= max(10.0 * problem.tolerance, 1e-8) * scale
        signs_hold = residuals.dual <= problem.tolerance * scale
        if feasible and consistent and stationary and signs_hold:
            return claimed, True
        return Status.STALLED, False
    return claimed, consistent

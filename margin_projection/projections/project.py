"""The projection onto margin sets: chooses the solver by the model's structure, and certifies what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor, restore, to_numpy
from margin_projection._validation import InputError, check_choice, check_integer, check_real
from margin_projection.networks.base import Structure
from margin_projection.projections import semidefinite
from margin_projection.projections.diagonal import project_diagonal
from margin_projection.projections.linear import project_linear
from margin_projection.projections.local import project_local
from margin_projection.projections.piecewise import project_piecewise
from margin_projection.projections.problem import ProjectionProblem, Solution, stay
from margin_projection.projections.result import Certificate, CertificateKind, Projection, ProjectionError, Status
from margin_projection.projections.secular import project_secular
from margin_projection.projections.verification import certified_status, kkt_residuals, verified_lower_bound
from margin_projection.sets.margin_set import ConstraintSystem, intersection

METHODS = ("auto", "local")
_LARGEST = 1e150  # size of a start and of its outputs, whose squares float64 still holds
_MAX_DENSE = 1500  # parameters up to which a dense quadratic form is decomposed


def project(
    theta: Array,
    sets: ConstraintSystem | Sequence[ConstraintSystem],
    *,
    tolerance: float = 1e-10,
    starts: int = 4,
    seed: int = 0,
    max_steps: int = 200,
    all_minimizers: bool = False,
    method: str = "auto",
    throw: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Projection:
    """The projection Pi(theta): a nearest point of the set, or of the intersection of several sets over one model.

    Solvers, by the model's `Structure`: linear models exactly by a dual active set; models quadratic in theta globally,
    by the secular equation (one constraint), hidden convexity (diagonal forms) or a semidefinite bound (dense forms);
    piecewise-linear ones globally by branch and bound; all others locally, by a second-order method that follows kinks.
    (Schliserman et al. 2026, Algorithm 2.)

    Args:
        theta: (p,) start; its container (numpy or torch) and device carry over to the result.
        sets: a `MarginSet`, or several, whose intersection is meant (C* where all tasks are given).
        tolerance: bound on violation and stationarity of the result, in [1e-14, 1e-2] (default 1e-10). A violation
            that rounding explains, far from the origin, counts as none (see `feasibility_tolerances`); residuals are
            reported as they are.
        starts: initial points of a local solver, at least 1 (default 4); the first one is theta itself.
        seed: of the random initial points and probes (default 0).
        max_steps: step limit of a local solver per initial point (default 200); branch and bound takes 100 times as
            many nodes.
        all_minimizers: whether all minimizers are wanted where they are not unique (default False); ``complete`` tells
            whether they are all there.
        method: "auto" (default), or "local" for the general solver whatever the structure.
        throw: whether to raise where no feasible stationary point is found (default True).
        progress: called with a sentence now and then (default None: silent).

    Returns:
        The projection with its certificate, re-verified from raw values.

    Raises:
        InputError: an argument is out of its range or does not fit.
        ProjectionError: with ``throw``, the set is empty or no feasible stationary point was found; the error's
            ``projection`` holds what was reached.

    >>> from margin_projection.networks import Linear
    >>> from margin_projection.sets import MarginSet
    >>> from margin_projection.tasks import Task
    >>> result = project([0.0, 0.0], MarginSet(Linear(2), Task([[3.0, 4.0]], [1])))
    >>> [round(float(x), 12) for x in result.point], result.status.name
    ([0.12, 0.16], 'GLOBAL')
    """
    system = sets if isinstance(sets, ConstraintSystem) else _intersect(sets)
    start = parameters_to_tensor("theta", theta, system.model.num_parameters, batched=False)
    check_choice("method", method, METHODS)
    problem = ProjectionProblem(
        start=start,
        system=system,
        tolerance=check_real("tolerance", tolerance, 1e-14, 1e-2),
        starts=check_integer("starts", starts, 1),
        seed=check_integer("seed", seed, 0),
        max_steps=check_integer("max_steps", max_steps, 1),
        all_minimizers=bool(all_minimizers),
        progress=progress,
    )
    projection = _certify(problem, _solve(problem, method), theta)
    if throw and not projection.status.is_success:
        raise ProjectionError(projection)
    return projection


def _intersect(sets: Any) -> ConstraintSystem:
    if not isinstance(sets, Sequence) or not all(isinstance(each, ConstraintSystem) for each in sets):
        raise InputError("sets", sets, "a MarginSet or a sequence of them")
    return intersection(sets)


def _solve(problem: ProjectionProblem, method: str) -> Solution:
    system, structure = problem.system, problem.system.model.structure
    constraints = system.constraint_array(problem.start)
    _check_size(problem.start, constraints)
    if system.violation_array(constraints).max() <= 0.0:
        return stay(problem)
    if method == "local" or structure is Structure.GENERAL:
        return project_local(problem)
    if structure is Structure.LINEAR:
        return project_linear(problem)
    if structure is Structure.RIDGE_SUM:
        return project_piecewise(problem)
    if structure is Structure.DIAGONAL_QUADRATIC:
        return project_secular(problem) if system.num_constraints == 1 else project_diagonal(problem)
    if system.num_constraints == 1 and system.model.num_parameters <= _MAX_DENSE:
        return project_secular(problem)
    return _semidefinite_or_local(problem)


def _check_size(start: Tensor, constraints: np.ndarray) -> None:
    """Squares of the start, and of the model's outputs there, must be numbers."""
    if not (np.abs(constraints).max() <= _LARGEST and np.abs(to_numpy(start)).max() <= _LARGEST):
        raise InputError("theta", start, f"so small that it and the model's outputs are at most {_LARGEST:g} in size")


def _semidefinite_or_local(problem: ProjectionProblem) -> Solution:
    """Several dense quadratic constraints: the semidefinite bound where it fits, with the better of both points."""
    if not semidefinite.fits(problem):
        return project_local(problem)
    certified = semidefinite.project_semidefinite(problem)
    if certified.status in (Status.GLOBAL, Status.INFEASIBLE):
        return certified
    local = project_local(problem)
    nearer = certified.status.is_success and _distance(problem, certified) <= _distance(problem, local)
    if nearer or not local.status.is_success:
        return replace(certified, counts=certified.counts + local.counts)
    return replace(
        local,
        counts=certified.counts + local.counts,
        lower_bound=certified.lower_bound,
        bound_method=certified.bound_method,
        evidence={**local.evidence, **certified.evidence},
    )


def _distance(problem: ProjectionProblem, solution: Solution) -> float:
    return float(np.linalg.norm(to_numpy(solution.points[0]) - to_numpy(problem.start)))


def _certify(problem: ProjectionProblem, solution: Solution, like: Array) -> Projection:
    residuals, feasible = kkt_residuals(problem, solution)
    distance = _distance(problem, solution)
    claims_bound = solution.kind in (CertificateKind.GLOBAL, CertificateKind.LOCAL)
    lower_bound = verified_lower_bound(problem, solution) if claims_bound else solution.lower_bound
    status, verified = certified_status(problem, solution, residuals, feasible, distance, lower_bound)
    certificate = Certificate(
        kind=_kind(status),
        lower_bound=lower_bound,
        gap=max(0.0, distance - lower_bound),
        method=solution.bound_method,
        verified=verified,
        evidence=dict(solution.evidence),
    )
    return Projection(
        point=restore(solution.points[0], like),
        distance=distance,
        multipliers=restore(solution.multipliers, like),
        status=status,
        residuals=residuals,
        counts=solution.counts,
        certificate=certificate,
        minimizers=tuple(restore(point, like) for point in solution.points),
        complete=solution.complete and status is Status.GLOBAL,
        method=solution.method,
    )


def _kind(status: Status) -> CertificateKind:
    kinds = {Status.GLOBAL: CertificateKind.GLOBAL, Status.INFEASIBLE: CertificateKind.INFEASIBLE}
    return kinds.get(status, CertificateKind.LOCAL if status.is_success else CertificateKind.NONE)

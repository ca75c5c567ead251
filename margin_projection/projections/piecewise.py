"""Global projection for sums of rectifiers: branch and bound over the units' sign patterns."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch

from margin_projection.projections.piecewise_bounds import DualFunction
from margin_projection.projections.piecewise_cells import sign_cells
from margin_projection.projections.piecewise_clarke import Stationarity, explain
from margin_projection.projections.piecewise_data import RidgeData, ridge_data
from margin_projection.projections.piecewise_empty import emptiness_proof
from margin_projection.projections.piecewise_leaves import Leaf, descend, restore
from margin_projection.projections.piecewise_tree import (
    DISTINCT,
    TIE,
    Incumbents,
    Outcome,
    Search,
    symmetric_groups,
)
from margin_projection.projections.problem import ProjectionProblem, Solution, stay, without_point
from margin_projection.projections.result import CertificateKind, Counts, Status

METHOD = "piecewise branch and bound"
BOUND_METHOD = (
    "Lagrangian dual value from clipped multipliers, minimized per unit over its sign cells; the least over all nodes"
)
MOST_CELLS = 20_000
MOST_MINIMIZERS = 5_000
GLOBAL_GAP = 1e-9


def project_piecewise(problem: ProjectionProblem) -> Solution:
    """Project onto a set of a RIDGE_SUM model (Figure 1b): globally, or with the best certified lower bound.

    The feasible set is a union of convex polyhedra. Nodes of the tree restrict the sign patterns of the units; a node's
    lower bound is a Lagrangian dual value (see `piecewise_bounds`); incumbents are projections onto single polyhedra.

    Args:
        problem: ``max_steps * 100`` nodes are explored at most; ``starts`` seeded starts look for first points.

    Returns:
        GLOBAL where the gap is below 1e-9 relative to the distance; LOCAL with a certified bound where a limit was hit;
        INFEASIBLE with an exact reason; NOT_FOUND with the least violation reached.
    """
    data = ridge_data(problem)
    reason = emptiness_proof(problem.system, problem.tolerance)
    if reason is not None:
        return _without_point(problem, data, {"reason": reason}, proved=True)
    if data.violation(data.weights) == 0.0:
        return stay(problem)
    incumbents = Incumbents(data)
    least = _first_points(problem, data, incumbents)
    cells = sign_cells(data.X, MOST_CELLS)
    if cells is None or cells.size * data.units > 4_000_000:
        return _without_tree(problem, data, incumbents, least)
    outcome, radius = _search(problem, data, incumbents, cells)
    if not incumbents.leaves:
        evidence = {**_counts(outcome), "searched_radius": radius}
        return _without_point(problem, data, evidence, least)
    return _finish(problem, data, outcome)


def _search(
    problem: ProjectionProblem, data: RidgeData, incumbents: Incumbents, cells: np.ndarray
) -> tuple[Outcome, float]:
    """Run the tree; without a first point, in balls of growing radius around the start."""
    budget = problem.max_steps * 100
    radius = 4.0 * _natural_radius(data)
    while True:
        dual = DualFunction(data, cells)
        search = Search(data, dual, incumbents, problem.all_minimizers, 0.5 * radius**2, problem.progress)
        outcome = search.run(budget)
        budget -= outcome.explored
        if incumbents.leaves or budget <= 0 or radius > 1e5 * _natural_radius(data):
            return outcome, radius
        radius *= 16.0


def _natural_radius(data: RidgeData) -> float:
    """A length at which one sample's constraint can be met: ||start|| plus demand per unit length of the sample."""
    lengths = np.linalg.norm(data.X, axis=1)
    lengths = lengths[lengths > 0.0]
    demand = (np.abs(data.row_offsets).max() + 1.0) / lengths.min() if lengths.size else 1.0
    return float(np.linalg.norm(data.weights) + math.sqrt(data.units) * demand)


def _first_points(problem: ProjectionProblem, data: RidgeData, incumbents: Incumbents) -> np.ndarray:
    """Descend from the start and from seeded points around it; return the weights of least violation."""
    generator = np.random.default_rng(problem.seed)
    radius = _natural_radius(data) / math.sqrt(data.weights.size)
    least = data.weights
    for trial in range(1 + 2 * max(problem.starts, 1)):
        shift = 0.0 if trial == 0 else radius * 10.0 ** generator.uniform(-1.5, 0.5)
        candidate = restore(data, data.weights + shift * generator.standard_normal(data.weights.shape))
        if data.violation(candidate) < data.violation(least):
            least = candidate
        if data.violation(candidate) < 1e-3:
            incumbents.offer(descend(data, data.slopes(candidate) == 1.0))
    return least


def _finish(problem: ProjectionProblem, data: RidgeData, outcome: Outcome) -> Solution:
    leaves, complete = _all_leaves(data, outcome, problem.all_minimizers)
    best = leaves[0]
    distance = math.sqrt(2.0 * data.displacement(best.weights))
    lower = math.sqrt(2.0 * max(min(outcome.bound, data.displacement(best.weights)), 0.0))
    proved = distance - lower <= GLOBAL_GAP * distance
    stationarity = explain(data, best, problem.system.is_equality, problem.tolerance)
    evidence = {**_counts(outcome), **_explanation(stationarity), "gap": distance - lower}
    evidence["minimizers_distinguished_beyond"] = 2.0 * math.sqrt(4.0 * TIE) * distance + 10.0 * DISTINCT * (
        1.0 + float(np.linalg.norm(best.weights))
    )
    complete = complete and proved and outcome.exhausted and outcome.undecided == 0
    return Solution(
        points=tuple(_lift(problem, data, leaf.weights) for leaf in leaves),
        multipliers=_tensor(problem, stationarity.multipliers),
        status=Status.GLOBAL if proved else Status.LOCAL,
        kind=CertificateKind.GLOBAL if proved else CertificateKind.LOCAL,
        lower_bound=lower,
        bound_method=BOUND_METHOD,
        method=METHOD,
        evidence=evidence,
        complete=complete,
        counts=Counts(steps=outcome.explored),
        generalized_gradient=_lift_direction(problem, data, stationarity.gradient),
    )


def _counts(outcome: Outcome) -> dict[str, Any]:
    return {
        "nodes": outcome.explored,
        "pruned": outcome.pruned,
        "leaves": outcome.leaves,
        "undecided_leaves": outcome.undecided,
        "exhausted": outcome.exhausted,
        "certified_distance": math.sqrt(2.0 * max(outcome.bound, 0.0)) if math.isfinite(outcome.bound) else None,
    }


def _explanation(stationarity: Stationarity) -> dict[str, Any]:
    return {"stationarity": stationarity.residual, "stationarity_method": stationarity.method}


def _all_leaves(data: RidgeData, outcome: Outcome, wanted: bool) -> tuple[list[Leaf], bool]:
    """The tied leaves, with every permutation of interchangeable units; whether none was left out."""
    leaves = outcome.incumbents.leaves
    if not wanted:
        return leaves[:1], False
    groups = symmetric_groups(data)
    if len(leaves) * math.prod(math.factorial(len(group)) for group in groups) > 50 * MOST_MINIMIZERS:
        return leaves, False
    found: dict[tuple[float, ...], Leaf] = {}
    for leaf in leaves:
        for orders in itertools.product(*(itertools.permutations(group) for group in groups)):
            permuted = _permute(leaf, groups, orders, data.units)
            key = tuple(np.round(permuted.weights / DISTINCT / (1.0 + np.linalg.norm(leaf.weights))).reshape(-1) + 0.0)
            found.setdefault(key, permuted)
    distinct = _distinct(list(found.values()))
    return distinct[:MOST_MINIMIZERS], len(distinct) <= MOST_MINIMIZERS


def _permute(leaf: Leaf, groups: list[list[int]], orders: tuple[tuple[int, ...], ...], units: int) -> Leaf:
    order = np.arange(units)
    for group, permuted in zip(groups, orders, strict=True):
        order[group] = permuted
    return Leaf(leaf.weights[order], leaf.rows, leaf.slopes[:, order], leaf.multipliers)


def _distinct(leaves: list[Leaf]) -> list[Leaf]:
    kept: list[Leaf] = []
    for leaf in leaves:
        radius = 2.0 * DISTINCT * (1.0 + np.linalg.norm(leaf.weights))
        if not any(np.abs(leaf.weights - other.weights).max() <= radius for other in kept):
            kept.append(leaf)
    return kept


def _without_tree(
    problem: ProjectionProblem, data: RidgeData, incumbents: Incumbents, least: np.ndarray
) -> Solution:
    """Too many sign patterns to list: the best point found, with a bound from the Lipschitz constant of each sample."""
    evidence = {"reason": f"more than {MOST_CELLS} sign patterns a unit"}
    if not incumbents.leaves:
        return _without_point(problem, data, evidence, least)
    best = incumbents.leaves[0]
    stationarity = explain(data, best, problem.system.is_equality, problem.tolerance)
    return Solution(
        points=(_lift(problem, data, best.weights),),
        multipliers=_tensor(problem, stationarity.multipliers),
        status=Status.LOCAL,
        kind=CertificateKind.LOCAL,
        lower_bound=_lipschitz_bound(data),
        bound_method="the largest violation at the start over the Lipschitz constant sqrt(units) ||x_i||",
        method=METHOD,
        evidence={**evidence, **_explanation(stationarity)},
        generalized_gradient=_lift_direction(problem, data, stationarity.gradient),
    )


def _lipschitz_bound(data: RidgeData) -> float:
    lengths = np.linalg.norm(data.X, axis=1)[data.row_samples] * math.sqrt(data.units)
    violations = np.maximum(-data.slack(data.weights), 0.0)
    return float((violations / np.where(lengths > 0.0, lengths, np.inf)).max())


def _without_point(
    problem: ProjectionProblem,
    data: RidgeData,
    evidence: dict[str, Any],
    weights: np.ndarray | None = None,
    proved: bool = False,
) -> Solution:
    point = problem.start.clone() if weights is None else _lift(problem, data, weights)
    return without_point(
        problem,
        point,
        METHOD,
        proof="an exact argument that the set is empty" if proved else None,
        evidence={**evidence, "least_violation": problem.system.violation(point)},
        lower_bound=max(_lipschitz_bound(data), evidence.get("certified_distance") or 0.0),
        bound_method="dual values and Lipschitz constants",
    )


def _tensor(problem: ProjectionProblem, values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(values, dtype=problem.start.dtype, device=problem.start.device)


def _lift_direction(problem: ProjectionProblem, data: RidgeData, direction: np.ndarray) -> torch.Tensor:
    """(units, d') in the span's coordinates to flat parameters (p,)."""
    return _tensor(problem, (direction @ data.basis.T).reshape(-1))


def _lift(problem: ProjectionProblem, data: RidgeData, weights: np.ndarray) -> torch.Tensor:
    return problem.start + _lift_direction(problem, data, weights - data.weights)

"""Best-first search over the sign patterns of the units, with bounds from `piecewise_bounds`."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from margin_projection.projections.piecewise_bounds import Bound, DualFunction, Master, maximize_dual
from margin_projection.projections.piecewise_data import RidgeData
from margin_projection.projections.piecewise_leaves import Leaf, descend, emptiness_ray, solve_leaf

TIE = 2e-9
"""Relative difference of squared distances up to which two minimizers count as tied."""
CLOSED = 1e-11
"""Relative gap of squared distances at which a node holds nothing better."""
DISTINCT = 1e-6
"""Minimizers closer than this, relative to 1 + their norm, are one."""
INCUMBENT_VIOLATION = 1e-10
"""The largest violation of a point that may be an incumbent."""


@dataclass
class Incumbents:
    """The best points so far: leaves whose values are tied with the best one."""

    data: RidgeData
    value: float = np.inf
    leaves: list[Leaf] = field(default_factory=list)

    def offer(self, leaf: Leaf | None) -> None:
        """Keep a leaf that is better than, or tied with and distinct from, the known ones."""
        if leaf is None or self.data.violation(leaf.weights) > INCUMBENT_VIOLATION:
            return
        value = self.data.displacement(leaf.weights)
        if value > self.value * (1.0 + TIE) or any(_same(leaf, known) for known in self.leaves):
            return
        self.leaves.append(leaf)
        self.leaves.sort(key=lambda each: self.data.displacement(each.weights))
        self.value = self.data.displacement(self.leaves[0].weights)
        limit = self.value * (1.0 + TIE)
        self.leaves = [each for each in self.leaves if self.data.displacement(each.weights) <= limit]


def _same(first: Leaf, second: Leaf) -> bool:
    return bool(np.linalg.norm(first.weights - second.weights) <= DISTINCT * (1.0 + np.linalg.norm(first.weights)))


@dataclass
class Outcome:
    """What the search found: incumbents, a certified bound on half the squared distance, and counts."""

    incumbents: Incumbents
    bound: float
    exhausted: bool
    undecided: int
    explored: int
    pruned: int
    leaves: int


class Search:
    """Branch and bound over the cells each unit may lie in.

    Args:
        data, dual: the problem and its dual function.
        incumbents: points known so far.
        all_minimizers: whether nodes that may hold further minimizers stay open.
        limit: half the squared distance beyond which nothing is looked for while no point is known.
        progress: called with a sentence now and then, or None.
    """

    def __init__(
        self,
        data: RidgeData,
        dual: DualFunction,
        incumbents: Incumbents,
        all_minimizers: bool,
        limit: float,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.data, self.dual, self.incumbents = data, dual, incumbents
        self.all_minimizers, self.limit, self.progress = all_minimizers, limit, progress
        self.floor, self.undecided, self.explored, self.pruned, self.leaves = np.inf, 0, 0, 0, 0
        self._tried: set[bytes] = set()
        self._groups = symmetric_groups(data)
        self._counter = itertools.count()
        self._heap: list[tuple[float, int, np.ndarray, Master]] = []

    def run(self, max_nodes: int) -> Outcome:
        """Explore until no node is open or ``max_nodes`` were explored."""
        allowed = np.ones((self.data.units, self.dual.cells.shape[0]), dtype=bool)
        start = Master(np.zeros(self.dual.cuts.rows.size), [{} for _ in range(self.data.units)])
        self._push(0.0, allowed, start)
        while self._heap and self.explored < max_nodes:
            bound, _, allowed, master = heapq.heappop(self._heap)
            if self._is_closed(bound):
                self._close(bound)
                continue
            self.explored += 1
            self._explore(bound, allowed, master)
            if self.progress and self.explored % 100 == 0:
                self.progress(f"{self.explored} nodes, bound {np.sqrt(2 * bound):.6g}, {len(self._heap)} open")
        open_bounds = [node[0] for node in self._heap]
        bound = min([self.floor, self.incumbents.value, *open_bounds])
        counts = (self.undecided, self.explored, self.pruned, self.leaves)
        return Outcome(self.incumbents, bound, not open_bounds, *counts)

    def _cutoff(self) -> float:
        """A node whose bound reaches this holds nothing wanted."""
        value = self.incumbents.value
        if not np.isfinite(value):
            return self.limit
        return value * (1.0 + TIE) if self.all_minimizers else value * (1.0 - CLOSED)

    def _is_closed(self, bound: float) -> bool:
        return bound > self._cutoff() if self.all_minimizers else bound >= self._cutoff()

    def _push(self, bound: float, allowed: np.ndarray, master: Master) -> None:
        if self._propagate(allowed):
            heapq.heappush(self._heap, (bound, next(self._counter), allowed, master))

    def _close(self, bound: float) -> None:
        self.pruned += 1
        self.floor = min(self.floor, bound)

    def _propagate(self, allowed: np.ndarray) -> bool:
        """Interchangeable units take their cells in ascending order, in place; False where a unit has none left."""
        order = np.arange(allowed.shape[1])
        for group in self._groups:
            for first, second in itertools.pairwise(group):
                if allowed[first].any():
                    allowed[second] &= order >= np.flatnonzero(allowed[first])[0]
            for first, second in reversed(list(itertools.pairwise(group))):
                if allowed[second].any():
                    allowed[first] &= order <= np.flatnonzero(allowed[second])[-1]
        return bool(allowed.any(axis=1).all())

    def _explore(self, inherited: float, allowed: np.ndarray, master: Master) -> None:
        steps = 40 if self.explored == 1 else 12
        found, master = maximize_dual(self.dual, allowed, master, self._cutoff(), steps)
        if self._is_closed(found.value):
            self._close(max(found.value, inherited))
            return
        for leaf in self._heuristic_leaves(master):
            found, master = self._improve(found, master, leaf, allowed)
        if self._is_closed(found.value):
            self._close(max(found.value, inherited))
            return
        bound = max(found.value, inherited)
        allowed = self._fix(found, allowed)
        if not self._propagate(allowed):
            self._close(max(bound, min(self._cutoff(), self.incumbents.value)))
        elif not self._settle(found, bound, allowed):
            self._branch(found, bound, allowed, master)

    def _heuristic_leaves(self, master: Master) -> list[Leaf]:
        """Leaves around the relaxation's most weighted cells, where that pattern is new."""
        if any(not unit for unit in master.columns):
            return []
        chosen = [max(unit, key=unit.__getitem__) for unit in master.columns]
        pattern = self.dual.cells[chosen].T
        if pattern.tobytes() in self._tried:
            return []
        self._tried.add(pattern.tobytes())
        leaf = solve_leaf(self.data, pattern)
        if leaf is None:
            return []
        better = descend(self.data, self.data.slopes(leaf.weights) == 1.0)
        self.incumbents.offer(leaf)
        self.incumbents.offer(better)
        return [each for each in (leaf, better) if each is not None]

    def _improve(self, found: Bound, master: Master, leaf: Leaf, allowed: np.ndarray) -> tuple[Bound, Master]:
        """The better of the bound found and the one at a leaf's multipliers."""
        trial = self.dual.evaluate(self.leaf_multipliers(leaf), allowed)
        return (trial, Master(trial.multipliers, master.columns)) if trial.value > found.value else (found, master)

    def leaf_multipliers(self, leaf: Leaf) -> np.ndarray:
        """A leaf's multipliers in the order of the shared cuts."""
        places = self.dual.add_cuts(leaf.rows, leaf.slopes)
        return np.bincount(places, leaf.multipliers, self.dual.cuts.rows.size)

    def _fix(self, found: Bound, allowed: np.ndarray) -> np.ndarray:
        """Drop the cells in which the bound alone exceeds the cutoff."""
        reference = self.incumbents.value if np.isfinite(self.incumbents.value) else self.limit
        excess = found.values - found.values.min(axis=1, keepdims=True)
        return allowed & (found.value + excess <= reference * (1.0 + TIE))

    def _settle(self, found: Bound, bound: float, allowed: np.ndarray) -> bool:
        """Close a node with at most one candidate: every unit's remaining cells give one and the same point.

        Points of the node no farther than the incumbent lie within sqrt(2 gap) of start + v, by strong convexity.
        """
        gap = self.incumbents.value * (1.0 + TIE) - found.value
        single = all(self._spread(found, allowed, unit) <= DISTINCT for unit in range(self.data.units))
        decided = not self._undecided_pairs(allowed).any()
        close = np.isfinite(gap) and gap <= 4.0 * TIE * self.incumbents.value
        if not decided and not (single and close):
            return False
        self.leaves += 1
        cells = np.where(allowed, found.values, np.inf).argmin(axis=1)
        candidate = self.data.weights + found.vectors[np.arange(self.data.units), cells]
        bound = max(bound, self._settle_leaf(cells, allowed) if decided else self._settle_point(candidate, gap))
        if not self._is_closed(bound) and not self._is_explained(candidate, gap, bound):
            self.undecided += 1
        self.floor = min(self.floor, bound)
        return True

    def _settle_leaf(self, cells: np.ndarray, allowed: np.ndarray) -> float:
        """Solve the one piece that is left of a node; its bound."""
        pattern = self.dual.cells[cells].T
        leaf = solve_leaf(self.data, pattern)
        if leaf is None:
            return self._empty_bound(pattern, allowed)
        self.incumbents.offer(leaf)
        return self.dual.evaluate(self.leaf_multipliers(leaf), allowed).value

    def _settle_point(self, candidate: np.ndarray, gap: float) -> float:
        """Look for a minimizer near the one point a node's minimizers can be close to; adds nothing to the bound."""
        if not self._is_known(candidate, gap):
            self.incumbents.offer(solve_leaf(self.data, self.data.slopes(candidate) == 1.0))
        return -np.inf

    def _is_known(self, candidate: np.ndarray, gap: float) -> bool:
        radius = 2.0 * np.sqrt(2.0 * max(gap, 0.0)) + 10.0 * DISTINCT * (1.0 + np.linalg.norm(candidate))
        return any(np.linalg.norm(leaf.weights - candidate) <= radius for leaf in self.incumbents.leaves)

    def _is_explained(self, candidate: np.ndarray, gap: float, bound: float) -> bool:
        """Whether an open leaf is certain: its minimizer is known, or the candidate violates too much to hide one."""
        if not np.isfinite(gap) or bound < self.incumbents.value * (1.0 - 4.0 * TIE):
            return False
        reach = np.sqrt(2.0 * max(gap, 0.0)) * np.sqrt(self.data.units) * np.linalg.norm(self.data.X, axis=1).max()
        return self._is_known(candidate, gap) or self.data.violation(candidate) > reach

    def _empty_bound(self, pattern: np.ndarray, allowed: np.ndarray) -> float:
        """The best dual bound along the ray that shows a piece to be empty: along an exact one it has no limit."""
        ray = self.leaf_multipliers(emptiness_ray(self.data, pattern))
        promise = float(ray @ self.data.row_offsets[self.dual.cuts.rows])
        if promise <= 0.0:
            return -np.inf
        target = self.incumbents.value if np.isfinite(self.incumbents.value) else self.limit
        multiples = target / promise * 4.0 ** np.arange(0, 10)
        return max(self.dual.evaluate(multiple * ray, allowed).value for multiple in multiples)

    def _spread(self, found: Bound, allowed: np.ndarray, unit: int) -> float:
        vectors = found.vectors[unit, allowed[unit]]
        return float(np.abs(vectors - vectors[0]).max() / (1.0 + np.abs(vectors[0]).max())) if vectors.size else 0.0

    def _undecided_pairs(self, allowed: np.ndarray) -> np.ndarray:
        """(units, n) whether both signs are allowed where the sign matters (the unit is convex in a row)."""
        signs = np.zeros((self.data.units, self.data.X.shape[0]), dtype=bool)
        for row_sign, sample in zip(self.data.row_signs, self.data.row_samples, strict=True):
            signs[self.data.output_signs == row_sign, sample] = True
        positive = allowed.astype(float) @ self.dual.cells > 0
        negative = allowed.astype(float) @ ~self.dual.cells > 0
        return signs & positive & negative

    def _branch(self, found: Bound, bound: float, allowed: np.ndarray, master: Master) -> None:
        """Split on the undecided (unit, sample) with the largest disagreement among the relaxation's cells."""
        pairs = self._undecided_pairs(allowed)
        data, cuts = self.data, self.dual.cuts
        weight = np.zeros((2, data.X.shape[0]))
        side_of_row = (data.row_signs[cuts.rows] > 0).astype(int)
        np.add.at(weight, (side_of_row, data.row_samples[cuts.rows]), self.dual.pad(found.multipliers))
        weight = weight[(data.output_signs > 0).astype(int)] * np.linalg.norm(data.X, axis=1)
        share = np.zeros(pairs.shape)
        for unit, known in enumerate(master.columns):
            total = sum(known.values())
            for cell, mass in known.items():
                share[unit] += self.dual.cells[cell] * (mass / total if total > 0 else 0.0)
        score = np.where(pairs, weight * (share * (1.0 - share) + 1e-3) + 1e-12, -1.0)
        chosen, sample = np.unravel_index(score.argmax(), score.shape)
        for side in (True, False):
            child = allowed.copy()
            child[chosen] &= self.dual.cells[:, sample] == side
            self._push(bound, child, Master(found.multipliers, [dict(each) for each in master.columns]))


def symmetric_groups(data: RidgeData) -> list[list[int]]:
    """Units with equal starts and output signs, two or more at a time: permuting them changes nothing."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for unit in range(data.units):
        groups.setdefault((data.output_signs[unit], *(data.weights[unit] + 0.0)), []).append(unit)
    return [group for group in groups.values() if len(group) > 1]

"""Projects all runs of a trajectory onto a set: at once where the set is one simple constraint, else one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Structure
from margin_projection.projections.project import project
from margin_projection.projections.result import Projection, Status
from margin_projection.sets.margin_set import ConstraintSystem
from margin_projection.trajectories.moves import Moves, measured_distance, moves_of
from margin_projection.trajectories.one_constraint import Draft, OneConstraint
from margin_projection.trajectories.several_constraints import SeveralConstraints

_SHARED = (Structure.LINEAR, Structure.DIAGONAL_QUADRATIC, Structure.QUADRATIC)


class Projector:
    """Projections onto several sets, remembered for the points asked about last.

    Args:
        sets: the sets.
        device: of the points.
        seed: of every projection.
        options: further arguments of `project`: tolerance, starts, max_steps, method.
    """

    def __init__(
        self, sets: Sequence[ConstraintSystem], device: torch.device, seed: int, options: Mapping[str, Any]
    ) -> None:
        self.sets, self.options = tuple(sets), {"seed": seed, "throw": False, **options}
        self.tolerance = float(options.get("tolerance", 1e-10))
        self.is_local = options.get("method") == "local" or self.sets[0].model.structure is Structure.GENERAL
        local = options.get("method") == "local"
        self._several = [None if local else SeveralConstraints.of(each, device) for each in self.sets]
        self._constraints = [None if local else OneConstraint.of(each, device) for each in self.sets]
        self._points: Tensor | None = None
        self._projections: dict[tuple[int, int, bool], Projection] = {}
        self._drafts: dict[int, Draft] = {}

    def moves(self, points: Tensor, index: int, all_minimizers: bool = False) -> Moves:
        """Projections of points (R, p), of any outcome, onto set ``index``."""
        system, constraint = self.sets[index], self._constraints[index]
        if constraint is None:
            projections = [self.projection(points, row, index, all_minimizers) for row in range(len(points))]
            return moves_of(system, points, projections, system.model.structure in _SHARED)
        self._remember(points)
        if index not in self._drafts:
            self._drafts[index] = constraint.project(points, self.tolerance)
        return self._complete_draft(points, index, self._drafts[index])

    def distances(self, points: Tensor, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(R,) distances of points (R, p) to set ``index`` and lower bounds; nan where none was found."""
        several = self._several[index]
        if several is None:
            moves = self.moves(points, index)
            return moves.distances, np.where(np.isnan(moves.distances), np.nan, moves.lower_bounds)
        distances, bounds, accepted = several.distances(points, self.tolerance)
        for row in np.flatnonzero(~accepted).tolist():
            projection = self.projection(points, row, index)
            distances[row] = measured_distance(projection)
            bounds[row] = np.nan if np.isnan(distances[row]) else projection.certificate.lower_bound
        return distances, bounds

    def projection(self, points: Tensor, row: int, index: int, all_minimizers: bool = False) -> Projection:
        """The projection of one row of points (R, p) onto set ``index``."""
        self._remember(points)
        key = (index, row, all_minimizers)
        if key not in self._projections:
            options = {"all_minimizers": all_minimizers, **self.options}
            self._projections[key] = project(points[row], self.sets[index], **options)
        return self._projections[key]

    def _remember(self, points: Tensor) -> None:
        """Forget what is known of other points than these."""
        if points is not self._points:
            self._points, self._projections, self._drafts = points, {}, {}

    def _complete_draft(self, points: Tensor, index: int, draft: Draft) -> Moves:
        """The draft, with rows that it could not certify projected one by one."""
        moves = Moves(
            points=draft.points,
            distances=draft.distances,
            lower_bounds=draft.lower_bounds,
            multipliers=draft.multipliers[:, None],
            statuses=np.full(len(points), Status.GLOBAL.name, dtype="U10"),
            complete=draft.complete,
            alternatives=draft.alternatives,
            shared=np.full(len(points), True),
        )
        rows = np.flatnonzero(~draft.accepted).tolist()
        if not rows:
            return moves
        projections = [self.projection(points, row, index, True) for row in rows]
        return _with_rows(moves, rows, moves_of(self.sets[index], points[rows], projections, True))


def _with_rows(moves: Moves, rows: list[int], others: Moves) -> Moves:
    """``moves`` with the given rows taken from ``others``."""
    replaced: dict[str, Any] = {"points": moves.points.clone()}
    for name in ("distances", "lower_bounds", "multipliers", "statuses", "complete", "shared"):
        replaced[name] = getattr(moves, name).copy()
    for name, values in replaced.items():
        values[rows] = getattr(others, name)
    alternatives = {row: points for row, points in moves.alternatives.items() if row not in set(rows)}
    alternatives |= {rows[row]: points for row, points in others.alternatives.items()}
    failures = {rows[row]: projection for row, projection in others.failures.items()}
    return replace(moves, **replaced, alternatives=alternatives, failures=failures)

"""The choice among several minimizers of a projection: the first, a random one, or all of them as branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.trajectories.moves import Moves

CHOICES = ("first", "random", "all")
_SAME = 1e-9  # relative distance up to which two points of one depth count as one
_STREAM = 0x63686F696365  # keeps these draws apart from others of the same seed


@dataclass(frozen=True)
class Branches:
    """The runs after a step.

    Attributes:
        points: (R', p).
        origins: (R',) the run before the step that each run continues.
        picked: (R',) which of the projection's minimizers it took.
        parents: (R',) see `Trajectory.parents`.
        complete: whether no minimizer was left out and all were known.
    """

    points: Tensor
    origins: np.ndarray
    picked: np.ndarray
    parents: np.ndarray
    complete: bool


def choose(moves: Moves, choice: str, parents: np.ndarray, seed: int, step: int, max_branches: int) -> Branches:
    """The runs that continue R runs after ``moves``, by the policy ``choice``.

    Args:
        choice: "first"; "random", uniform among the minimizers found and drawn from (seed, step) alone, one draw a run;
            or "all", every minimizer, runs that meet in one point counting as one, at most ``max_branches``.
        parents: (R,) of the runs before the step.
        seed: nonnegative.
        step: the number of the step, from 1.
        max_branches: for "all".
    """
    if choice == "all":
        return _branch(moves, parents, max_branches)
    rows = np.arange(len(moves.points))
    picked = np.zeros(len(rows), dtype=np.int64)
    if choice == "random":
        draws = np.random.default_rng((seed, _STREAM, step)).random(len(rows))
        picked = (draws * moves.counts).astype(np.int64)
    points = moves.points.clone()
    for row in np.flatnonzero(picked).tolist():
        points[row] = moves.alternatives[row][picked[row]]
    return Branches(points, rows, picked, parents, bool(moves.complete.all()) and not moves.alternatives)


def _branch(moves: Moves, parents: np.ndarray, max_branches: int) -> Branches:
    """Every run's first minimizer, in order, then the further ones as new runs; those that meet are merged."""
    runs = len(moves.points)
    first = [(row, 0) for row in range(runs)]
    further = [(row, pick) for row in sorted(moves.alternatives) for pick in range(1, len(moves.alternatives[row]))]
    kept: list[tuple[int, int]] = []
    places: list[int] = []  # where each run went
    points = moves.points.new_empty((min(max_branches, len(first) + len(further)), moves.points.shape[1]))
    cut = False
    for row, pick in first + further:
        point = moves.points[row] if pick == 0 else moves.alternatives[row][pick]
        place = _find(points[: len(kept)], point)
        if place is None and len(kept) == max_branches:
            cut = True
            break
        if place is None:
            place = len(kept)
            points[place] = point
            kept.append((row, pick))
        if pick == 0:
            places.append(place)
    ancestors = [_ancestor(row, pick, parents, places) for row, pick in kept]
    rows, picks = (np.array(column, dtype=np.int64) for column in zip(*kept, strict=True))
    complete = bool(moves.complete.all()) and not cut
    return Branches(points[: len(kept)].clone(), rows, picks, np.array(ancestors, dtype=np.int64), complete)


def _ancestor(row: int, pick: int, parents: np.ndarray, places: list[int]) -> int:
    """The parent of a run that takes minimizer ``pick`` of run ``row``, in the numbering after the step."""
    if pick > 0:
        return places[row]
    return places[parents[row]] if parents[row] >= 0 else -1


def _find(points: Tensor, point: Tensor) -> int | None:
    """The first row of ``points`` that equals ``point`` up to rounding."""
    sizes = torch.linalg.vector_norm(points, dim=1).clamp_min(torch.linalg.vector_norm(point))
    same = torch.nonzero(torch.linalg.vector_norm(points - point, dim=1) <= _SAME * sizes)
    return int(same[0]) if len(same) else None

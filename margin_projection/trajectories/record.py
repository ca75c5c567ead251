"""The steps of a trajectory as they are made, and the trajectory they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from margin_projection.trajectories.measures import Measured
from margin_projection.trajectories.trajectory import Trajectory


@dataclass(frozen=True)
class Iterate:
    """R points of one depth and, beyond depth 0, the step that led there.

    Attributes:
        points: (R, p).
        measured: of the points.
        origins: (R,) the run of the depth before that each run continues.
        parents: (R,) see `Trajectory.parents`.
        multipliers: (R, n); statuses, gaps, lower_bounds, minimizer_counts: (R,). Of the step; unused at depth 0.
    """

    points: np.ndarray
    measured: Measured
    origins: np.ndarray
    parents: np.ndarray
    multipliers: np.ndarray
    statuses: np.ndarray
    gaps: np.ndarray
    lower_bounds: np.ndarray
    minimizer_counts: np.ndarray


_STEP_FIELDS = ("multipliers", "statuses", "gaps", "lower_bounds", "minimizer_counts")
_MEASURED_FIELDS = ("distances", "distance_lower_bounds", "forgetting", "joint_distances", "joint_lower_bounds")


@dataclass
class Record:
    """All iterates so far, first the start; ``complete`` as in `Trajectory`, one entry an iterate."""

    model_name: str
    task_names: tuple[str, ...]
    indices: np.ndarray
    iterates: list[tuple[Iterate, bool]]

    @property
    def num_steps(self) -> int:
        """Steps recorded."""
        return len(self.iterates) - 1

    def append(self, iterate: Iterate, complete: bool) -> None:
        """Add one iterate; a single operation, so that an interrupt leaves the record whole."""
        self.iterates.append((iterate, complete))

    def to_trajectory(self) -> Trajectory:
        """The trajectory of the runs that are there at the last depth."""
        entries = list(self.iterates)
        paths = _paths([iterate.origins for iterate, _ in entries])
        chosen = [(iterate, rows) for (iterate, _), rows in zip(entries, paths, strict=True)]
        columns = {"points": np.stack([iterate.points[rows] for iterate, rows in chosen], 1)}
        for name in _MEASURED_FIELDS:
            columns[name] = np.stack([getattr(iterate.measured, name)[rows] for iterate, rows in chosen], 1)
        for name in _STEP_FIELDS:
            columns[name] = _stack_steps([getattr(iterate, name)[rows] for iterate, rows in chosen])
        return Trajectory(
            model_name=self.model_name,
            task_names=self.task_names,
            indices=self.indices[: len(entries) - 1].copy(),
            parents=entries[-1][0].parents.copy(),
            complete=all(complete for _, complete in entries),
            **columns,
        )


def _paths(origins: list[np.ndarray]) -> Sequence[np.ndarray | slice]:
    """For each depth, which of its runs each run of the last depth comes from."""
    rows = np.arange(len(origins[-1]))
    if all(np.array_equal(each, rows) for each in origins):
        return [slice(None)] * len(origins)
    paths = [rows]
    for back in origins[:0:-1]:
        rows = back[rows]
        paths.append(rows)
    return paths[::-1]


def _stack_steps(columns: list[np.ndarray]) -> np.ndarray:
    """(R, K, ...) of the steps; the entry of depth 0 only tells type and shape."""
    return np.stack(columns[1:], 1) if len(columns) > 1 else columns[0][:, None][:, :0]


def record_of(trajectory: Trajectory, indices: np.ndarray) -> Record:
    """The record that ``trajectory`` came from, to be continued along ``indices``."""
    iterates = [(_iterate(trajectory, depth), trajectory.complete) for depth in range(trajectory.num_steps + 1)]
    return Record(trajectory.model_name, trajectory.task_names, indices, iterates)


def _iterate(trajectory: Trajectory, depth: int) -> Iterate:
    rows = np.arange(trajectory.num_runs)
    measured = Measured(**{name: getattr(trajectory, name)[:, depth].copy() for name in _MEASURED_FIELDS})
    if depth > 0:
        step = {name: getattr(trajectory, name)[:, depth - 1].copy() for name in _STEP_FIELDS}
    else:
        step = empty_step(trajectory.num_runs, trajectory.multipliers.shape[2])
    return Iterate(trajectory.points[:, depth].copy(), measured, rows, trajectory.parents.copy(), **step)


def empty_step(runs: int, samples: int) -> dict[str, np.ndarray]:
    """The step fields of depth 0."""
    return {
        "multipliers": np.full((runs, samples), np.nan),
        "statuses": np.full(runs, "", dtype="U10"),
        "gaps": np.full(runs, np.nan),
        "lower_bounds": np.full(runs, np.nan),
        "minimizer_counts": np.zeros(runs, dtype=np.int64),
    }

"""The sequences of distances to C* that a rate is fitted to, taken from trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_projection._validation import InputError, check_integer
from margin_projection.trajectories.trajectory import Trajectory

NOISE = 1e-12  # relative to max(1, ||Theta||)
UNCERTIFIED_NOISE = 1e-7  # the same, for distances that come from local projections: these stop at their tolerance
_CERTIFIED = 1e-6
_SWALLOWED = 0.1  # of a distance, as its certified gap: it then counts as noise
_REPEATS = 3  # of a period, at least, for it to be seen in the indices


@dataclass(frozen=True, eq=False)
class DistanceSeries:
    """Distances of S samples (one a trajectory: the mean over its runs) at the ends of blocks of steps.

    Attributes:
        num_tasks: M.
        period: steps a block; 1 where every step counts.
        steps_per_cycle: the period of the ordering, or M where it has none.
        periodic: whether the ordering is.
        order: the tasks of one period, the same in every trajectory; None where there is none.
        steps: (n,) 0, period, 2 period, ...
        distances, squares: (S, n) d(Theta_k, C*) and its square; infinite where C* is empty.
        errors: (S, n) certified gaps of the distances, where all are certified, else rounding alone.
        noise: (n,) below, a distance counts as 0.
        certified: whether lower bounds match the distances (those above the noise) to a relative 1e-6.
        reached: the step from which on every distance is within the noise, or None.
        missing: how many distances were not measured or not found; their steps are left out.
        points: (K + 1, p) the iterates of the one run, or None for several.
        step_distances: (K + 1,) d at every step of the one run (nan where unknown), or None.
        set_distances: (M,) from its last iterate to each C_m, or None.
    """

    num_tasks: int
    period: int
    steps_per_cycle: int
    periodic: bool
    order: tuple[int, ...] | None
    steps: np.ndarray
    distances: np.ndarray
    squares: np.ndarray
    errors: np.ndarray
    noise: np.ndarray
    certified: bool
    reached: int | None
    missing: int
    points: np.ndarray | None
    step_distances: np.ndarray | None
    set_distances: np.ndarray | None

    @property
    def means(self) -> np.ndarray:
        """(n,) the mean of the distances over the samples."""
        return self.distances.mean(0)


def distance_series(trajectories: Any, period: Any, run: Any) -> DistanceSeries:
    """Check the arguments of `observed_rate`, and take the distances out.

    Raises:
        InputError: no trajectories, trajectories that do not fit together, distances to C* that were not measured, a
            run that is not there, a period below 1 or beyond the steps.
    """
    chosen = _check_trajectories(trajectories)
    steps = min(each.num_steps for each in chosen)
    if run is not None:
        check_integer("run", run, 0, min(each.num_runs for each in chosen) - 1)
    rows = slice(None) if run is None else slice(run, run + 1)
    found = [_common_period(each.indices[:steps]) for each in chosen]
    cycle = found[0] if period is None else check_integer("period", period, 1, max(1, steps))
    periodic = period is not None or (cycle is not None and all(each == cycle for each in found))
    block = _block(chosen, steps, cycle, periodic)
    ends = np.arange(0, steps + 1, block)
    distances = np.stack([each.joint_distances[rows, ends] for each in chosen])
    bounds = np.stack([each.joint_lower_bounds[rows, ends] for each in chosen])
    norms = np.stack([np.linalg.norm(each.points[rows, ends], axis=2) for each in chosen])
    known = ~np.isnan(distances).any((0, 1))
    if not known.any():
        raise InputError("trajectories", trajectories, "trajectories with distances to C* (measure='all'), some found")
    missing = int(np.isnan(distances).sum())
    ends, distances, bounds, norms = ends[known], distances[..., known], bounds[..., known], norms[..., known]
    scale = np.maximum(1.0, norms.max((0, 1)))
    gaps, certified = _gaps(distances, bounds, scale)
    noise = (NOISE if certified else UNCERTIFIED_NOISE) * scale
    if certified:
        swallowed = np.where(np.isfinite(distances) & (gaps > _SWALLOWED * distances), distances, 0.0).max((0, 1))
        noise = np.maximum(noise, swallowed)
    single = len(chosen) == 1 and distances.shape[1] == 1
    return DistanceSeries(
        num_tasks=len(chosen[0].task_names),
        period=block,
        steps_per_cycle=cycle if periodic and cycle is not None else len(chosen[0].task_names),
        periodic=periodic,
        order=_common_order(chosen, cycle) if periodic and cycle is not None else None,
        steps=ends,
        distances=distances.mean(1),
        squares=(distances**2).mean(1),
        errors=gaps.mean(1) if certified else np.broadcast_to(1e-15 * scale, distances.mean(1).shape),
        noise=noise,
        certified=certified,
        reached=_reached(chosen, rows, steps, certified),
        missing=missing,
        points=chosen[0].points[rows][0, : steps + 1] if single else None,
        step_distances=chosen[0].joint_distances[rows][0, : steps + 1] if single else None,
        set_distances=chosen[0].distances[rows][0, steps] if single else None,
    )


def _check_trajectories(trajectories: Any) -> list[Trajectory]:
    chosen = [trajectories] if isinstance(trajectories, Trajectory) else trajectories
    if not isinstance(chosen, Sequence) or not chosen or not all(isinstance(each, Trajectory) for each in chosen):
        raise InputError("trajectories", trajectories, "a Trajectory, or a nonempty sequence of them")
    first = chosen[0]
    same = all(each.task_names == first.task_names and each.points.shape[2] == first.points.shape[2] for each in chosen)
    if not same:
        raise InputError("trajectories", trajectories, "trajectories of the same tasks and parameters")
    return list(chosen)


def _common_period(indices: np.ndarray) -> int | None:
    """The least period of the indices that is seen several times, or None."""
    for period in range(1, indices.size // _REPEATS + 1):
        if np.array_equal(indices[period:], indices[:-period]):
            return period
    return None


def _common_order(chosen: list[Trajectory], cycle: int) -> tuple[int, ...] | None:
    """The tasks of the first period, where all trajectories repeat them; else None."""
    first = chosen[0].indices[:cycle]
    repeated = all(np.array_equal(each.indices, np.resize(first, each.indices.size)) for each in chosen)
    return tuple(int(task) for task in first) if repeated else None


def _block(chosen: list[Trajectory], steps: int, cycle: int | None, periodic: bool) -> int:
    """The period; M for permutations of the tasks, epoch by epoch; else 1."""
    if periodic and cycle is not None:
        return cycle
    tasks = len(chosen[0].task_names)
    epochs = steps // tasks
    whole = [np.sort(each.indices[: epochs * tasks].reshape(epochs, tasks), 1) for each in chosen]
    return tasks if epochs > 1 and all((each == np.arange(tasks)).all() for each in whole) else 1


def _reached(chosen: list[Trajectory], rows: slice, steps: int, certified: bool) -> int | None:
    """The step from which on every distance of every run is known and within the noise."""
    relative = NOISE if certified else UNCERTIFIED_NOISE
    above = np.zeros(steps + 1, dtype=bool)
    for each in chosen:
        norms = np.linalg.norm(each.points[rows, : steps + 1], axis=2)
        within = each.joint_distances[rows, : steps + 1] <= relative * np.maximum(1.0, norms)
        above |= ~within.all(0)
    step = int(np.flatnonzero(above)[-1]) + 1 if above.any() else 0
    return step if step <= steps else None


def _gaps(distances: np.ndarray, bounds: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, bool]:
    """Distance less certified lower bound, at least rounding, and whether these are small throughout."""
    finite = np.isfinite(distances)
    gaps = np.where(finite, distances - np.where(finite, bounds, 0.0), 0.0)
    small = ~finite | (gaps <= np.maximum(_CERTIFIED * np.where(finite, distances, 0.0), NOISE * scale))
    return np.maximum(gaps, 1e-15 * scale), bool(small.all())

"""A trajectory of sequential margin projections (Algorithm 2), with what was measured along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_projection._validation import InputError
from margin_projection.projections.result import Projection, Status
from margin_projection.trajectories.storage import read_archive, write_archive

FORMAT = "margin_projection trajectory 1"
_TEXTS = ("model_name", "task_names", "complete")
# Array -> (kind of dtype, axes): runs R, steps K, iterates I = K + 1, tasks M, samples n of the largest task,
# parameters p.
_LAYOUT = {
    "indices": ("i", "K"),
    "points": ("f", "RIp"),
    "distances": ("f", "RIM"),
    "joint_distances": ("f", "RI"),
    "forgetting": ("f", "RIM"),
    "multipliers": ("f", "RKn"),
    "statuses": ("U", "RK"),
    "gaps": ("f", "RK"),
    "lower_bounds": ("f", "RK"),
    "minimizer_counts": ("i", "RK"),
    "parents": ("i", "R"),
    "distance_lower_bounds": ("f", "RIM"),
    "joint_lower_bounds": ("f", "RI"),
}


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Iterates Thetabar_0, ..., Thetabar_K of Algorithm 2 for R runs: one a start, or one a branch for choice="all".

    Attributes:
        model_name: the model's repr.
        task_names: the M tasks' names.
        indices: (K,) the task projected onto at each step, counted from 0.
        points: (R, K + 1, p) the iterates; iterate 0 is the start.
        distances: (R, K + 1, M) from each iterate to each C_m, as found: exact where the projection is GLOBAL, an upper
            bound where it is only LOCAL; infinite where C_m is proved empty; nan where not measured or not found.
        joint_distances: (R, K + 1) the same to C* = C_1 ∩ ... ∩ C_M.
        forgetting: (R, K + 1, M) F_m of each iterate, for every task, seen or not.
        multipliers: (R, K, n) of each step's projection, n the samples of the largest task; nan beyond the task's own
            samples, and where another minimizer than the projection's first was taken and does not share them.
        statuses: (R, K) names of `Status` members, one a step.
        gaps: (R, K) length of the step minus its certified lower bound.
        lower_bounds: (R, K) certified lower bound on the distance from the previous iterate to the step's set.
        minimizer_counts: (R, K) minimizers found (representatives where they form a continuum).
        parents: (R,) for choice="all", the run from which this one split off, at the first step at which they differ;
            -1 for a start. Where that run has merged into another, that other one.
        complete: whether the runs are *proved* to be all trajectories of Algorithm 2 from their starts: at every step
            all minimizers are known and none was left out. False for choice="first" and "random" as soon as a
            projection is not unique, or not proved to be. (For choice="all", branches meeting in one point, to a
            relative 1e-9, count as one from there on.)
        distance_lower_bounds: (R, K + 1, M) certified lower bounds on ``distances``; nan where those are nan.
        joint_lower_bounds: (R, K + 1) certified lower bounds on ``joint_distances``.
    """

    model_name: str
    task_names: tuple[str, ...]
    indices: np.ndarray
    points: np.ndarray
    distances: np.ndarray
    joint_distances: np.ndarray
    forgetting: np.ndarray
    multipliers: np.ndarray
    statuses: np.ndarray
    gaps: np.ndarray
    lower_bounds: np.ndarray
    minimizer_counts: np.ndarray
    parents: np.ndarray
    complete: bool
    distance_lower_bounds: np.ndarray
    joint_lower_bounds: np.ndarray

    @property
    def num_runs(self) -> int:
        """R."""
        return int(self.points.shape[0])

    @property
    def num_steps(self) -> int:
        """K, the number of projections."""
        return int(self.indices.size)

    def save(self, path: Any) -> None:
        """Write to ``path`` (.npz: arrays and a JSON description, no pickle), atomically.

        Raises:
            InputError: ``path`` is a directory, or lies in none that exists.
        """
        write_archive(path, *to_archive(self))

    @classmethod
    def load(cls, path: Any) -> Trajectory:
        """Read what `save`, or a run with ``store``, wrote.

        Raises:
            InputError: the file is missing, damaged, or holds no trajectory.
        """
        return from_archive(path, *read_archive(path))

    def __repr__(self) -> str:
        runs, steps, tasks = self.num_runs, self.num_steps, len(self.task_names)
        return f"Trajectory({self.model_name}, {runs} runs of {steps} steps, {tasks} tasks)"


def to_archive(trajectory: Trajectory) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata) of a trajectory."""
    arrays = {name: getattr(trajectory, name) for name in _LAYOUT}
    return arrays, {"format": FORMAT, **{name: getattr(trajectory, name) for name in _TEXTS}}


def from_archive(path: Any, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Trajectory:
    """The trajectory in an archive, every shape and type checked.

    Raises:
        InputError: something is missing, unknown or does not fit.
    """
    if metadata.get("format") != FORMAT:
        raise InputError("path", str(path), f"an archive of the format {FORMAT!r}")
    _require(path, "the arrays of a trajectory", set(arrays) == set(_LAYOUT))
    texts: dict[str, Any] = {name: metadata.get(name) for name in _TEXTS}
    names = texts["task_names"]
    _require(path, "a trajectory with a model's name", isinstance(texts["model_name"], str))
    _require(path, "a trajectory with tasks", isinstance(names, list) and all(isinstance(name, str) for name in names))
    _require(path, "a trajectory with the field 'complete'", isinstance(texts["complete"], bool))
    sizes: dict[str, int] = {"M": len(names)}
    for name, (kind, axes) in _LAYOUT.items():
        array, requirement = arrays[name], f"a trajectory whose {name} fit"
        _require(path, requirement, array.dtype.kind == kind and array.ndim == len(axes))
        found = zip(axes, array.shape, strict=True)
        _require(path, requirement, all(sizes.setdefault(axis, size) == size for axis, size in found))
    _require(path, "a trajectory with one iterate more than steps", sizes["I"] == sizes["K"] + 1)
    _require_entries(path, arrays, sizes)
    values: dict[str, Any] = {**texts, "task_names": tuple(names), **arrays}
    return Trajectory(**values)


def _require_entries(path: Any, arrays: dict[str, np.ndarray], sizes: dict[str, int]) -> None:
    indices, parents = arrays["indices"], arrays["parents"]
    _require(path, "a trajectory of its tasks", ((indices >= 0) & (indices < sizes["M"])).all())
    _require(path, "a trajectory with earlier parents", ((parents >= -1) & (parents < np.arange(parents.size))).all())
    _require(path, "a trajectory with known statuses", np.isin(arrays["statuses"], list(Status.__members__)).all())
    _require(path, "a trajectory of finite points", np.isfinite(arrays["points"]).all())


def _require(path: Any, requirement: str, holds: Any) -> None:
    if not holds:
        raise InputError("path", str(path), f"an archive of {requirement}")


class TrajectoryError(RuntimeError):
    """A projection failed on the way; ``trajectory`` holds the steps before it, ``projection`` what it reached."""

    def __init__(self, trajectory: Trajectory, projection: Projection, run: int, task: str) -> None:
        self.trajectory, self.projection, self.run = trajectory, projection, run
        super().__init__(
            f"Step {trajectory.num_steps + 1}, onto {task!r}, failed in run {run}: {projection.status.value} "
            f"(violation {projection.residuals.feasibility:.2e}; .trajectory holds the steps before it)"
        )

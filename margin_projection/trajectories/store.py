"""The file in which a run keeps what it has done, and what tells whether another run may continue it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from margin_projection._files import check_target
from margin_projection._validation import InputError
from margin_projection.networks.base import Model
from margin_projection.tasks.orderings import Given, Ordering
from margin_projection.tasks.task import Task
from margin_projection.trajectories.storage import read_archive, write_archive
from margin_projection.trajectories.trajectory import Trajectory, from_archive, to_archive

_SECONDS = 5.0  # between two saves
_SHARE = 20.0  # and at least this many times what the last save took
_DIGITS = 16


def fingerprint(
    model: Model, tasks: Sequence[Task], ordering: Ordering, start: np.ndarray, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """What decides a run, except for its length: JSON values, equal for runs of which one continues the other."""
    return {
        "model": f"{type(model).__module__}.{type(model).__qualname__} {model!r}",
        "tasks": [_digest(task.kind.encode(), task.X, task.y) for task in tasks],
        "ordering": {"name": ordering.name} if isinstance(ordering, Given) else ordering.to_dict(),
        "start": _digest(b"start", start),
        **arguments,
    }


def _digest(salt: bytes, *arrays: np.ndarray) -> str:
    digest = hashlib.sha256(salt)
    for array in arrays:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:_DIGITS]


class Store:
    """A run's file: written atomically every few seconds, at the end and on failure.

    Args:
        path: of the .npz file, in a directory that exists.
        mark: the run's `fingerprint`.
    """

    def __init__(self, path: Any, mark: Mapping[str, Any]) -> None:
        self.path, self.mark = check_target(path), dict(mark)
        self._due = time.monotonic() + _SECONDS

    @property
    def is_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._due

    def save(self, trajectory: Trajectory) -> None:
        """Write the trajectory so far."""
        began = time.monotonic()
        arrays, metadata = to_archive(trajectory)
        write_archive(self.path, arrays, {**metadata, "fingerprint": self.mark})
        ended = time.monotonic()
        self._due = ended + max(_SECONDS, _SHARE * (ended - began))

    def load(self, indices: np.ndarray) -> Trajectory | None:
        """The trajectory stored, to be continued along ``indices``; None where there is no file yet.

        Raises:
            InputError: the file is damaged, is that of another run (the message names what differs), or holds more
                steps.
        """
        if not self.path.exists():
            return None
        arrays, metadata = read_archive(self.path)
        trajectory = from_archive(self.path, arrays, metadata)
        self._check(metadata.get("fingerprint"))
        done = trajectory.num_steps
        if done > indices.size:
            raise InputError("num_steps", int(indices.size), f"at least {done}, the steps that {self.path} holds")
        if not np.array_equal(trajectory.indices, indices[:done]):
            raise InputError("ordering", indices[:done].tolist(), f"the one that the run in {self.path} began with")
        return trajectory

    def _check(self, stored: Any) -> None:
        """Raise where the stored fingerprint is not this run's."""
        if not isinstance(stored, dict):
            raise InputError("store", str(self.path), "a file that sequential_projections wrote with store=...")
        for key in sorted({*stored, *self.mark}):
            if stored.get(key) != self.mark.get(key):
                requirement = f"{stored.get(key)!r}, as in the run that {Path(self.path).name} holds (or resume=False)"
                raise InputError(key, self.mark.get(key), requirement)

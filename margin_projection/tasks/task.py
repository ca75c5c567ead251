"""One task of a continual-learning problem: labelled samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_projection._validation import InputError, check_array, check_choice

KINDS = ("classification", "regression")


@dataclass(frozen=True, init=False)
class Task:
    """A task (X, y) of Schliserman et al. 2026, Section 1.

    Args:
        X: (n, ...) finite samples, n >= 1, stored as read-only float64.
        y: (n,) labels, in {-1, +1} for classification, finite reals for regression.
        kind: "classification" (default) or "regression".
        name: what tables and messages call the task (default "task").

    Raises:
        InputError: empty task, shapes that do not fit, NaN or infinity, or labels outside {-1, +1}.

    >>> Task([[5.0, -1.0], [2.0, 2.0]], [1, 1]).num_samples
    2
    """

    X: np.ndarray
    y: np.ndarray
    kind: str
    name: str

    def __init__(self, X: Any, y: Any, kind: str = "classification", name: str = "task") -> None:
        check_choice("kind", kind, KINDS)
        samples, labels = check_array("X", X), check_array("y", y, ndim=1)
        if samples.ndim < 2:
            raise InputError("X", samples, "an array of shape (n, d) or (n, ...)")
        if samples.shape[0] == 0 or 0 in samples.shape:
            raise InputError("X", samples, "a nonempty array (at least one sample)")
        if labels.shape[0] != samples.shape[0]:
            raise InputError("y", labels, f"of shape ({samples.shape[0]},), one label a sample of X")
        if kind == "classification" and not np.isin(labels, (-1.0, 1.0)).all():
            bad = labels[~np.isin(labels, (-1.0, 1.0))][0]
            raise InputError("y", float(bad), "-1 or +1 for classification")
        samples.setflags(write=False)
        labels.setflags(write=False)
        for field, value in (("X", samples), ("y", labels), ("kind", kind), ("name", str(name))):
            object.__setattr__(self, field, value)

    @property
    def num_samples(self) -> int:
        """n, the number of samples."""
        return int(self.X.shape[0])

    def __repr__(self) -> str:
        return f"Task({self.name!r}, {self.kind}, X{self.X.shape})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        same = (self.kind, self.name) == (other.kind, other.name)
        return same and np.array_equal(self.X, other.X) and np.array_equal(self.y, other.y)

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.X.tobytes(), self.y.tobytes()))

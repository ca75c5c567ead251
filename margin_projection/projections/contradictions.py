"""Constraints that repeat or contradict one another whatever the model: found by comparing samples exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_projection.networks.layered import LayeredNetwork
from margin_projection.sets.margin_set import ConstraintSystem
from margin_projection.tasks.task import Task


@dataclass(frozen=True)
class Contradiction:
    """A proof that a set is empty for every theta: ``samples`` (row numbers) and the reason in words."""

    samples: tuple[int, ...]
    reason: str


def find_contradiction(system: ConstraintSystem) -> Contradiction | None:
    """One sample with two labels that exclude each other, or a zero sample of a bias-free network; None if neither.

    Equal samples have equal outputs, so y f >= 1 and -y f >= 1, or f = y and f = y' != y, or f = y with y' y < 1
    exclude each other; a bias-free layered network has f(0; theta) = 0.
    """
    intervals = _intervals(system)
    for rows in _equal_samples(system):
        lows, highs = intervals[rows, 0], intervals[rows, 1]
        low, high = int(rows[np.argmax(lows)]), int(rows[np.argmin(highs)])
        if lows.max() > highs.min():
            return Contradiction((low, high), "equal samples whose labels exclude each other")
        if isinstance(system.model, LayeredNetwork) and not system.X[low].any() and (lows.max() > 0 or highs.min() < 0):
            bad = low if lows.max() > 0 else high
            return Contradiction((bad,), "a zero sample, at which a network without biases vanishes")
    return None


def _intervals(system: ConstraintSystem) -> np.ndarray:
    """(n, 2) the interval in which each output must lie."""
    low = np.where(system.is_equality | (system.signs > 0), system.signs * system.offsets, -np.inf)
    high = np.where(system.is_equality | (system.signs < 0), system.signs * system.offsets, np.inf)
    return np.stack([low, high], 1)


def _equal_samples(system: ConstraintSystem) -> list[np.ndarray]:
    """The row numbers of each distinct sample."""
    _, inverse = np.unique(system.X.reshape(len(system.X), -1), axis=0, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    return np.split(order, np.flatnonzero(np.diff(inverse.ravel()[order])) + 1)


def distinct_constraints(system: ConstraintSystem) -> tuple[ConstraintSystem, np.ndarray]:
    """The same set without repeated constraints, and the rows (k,) that were kept."""
    table = np.column_stack([system.X.reshape(len(system.X), -1), system.signs, system.offsets, system.is_equality])
    kept = np.sort(np.unique(table, axis=0, return_index=True)[1])
    if kept.size == len(table):
        return system, kept
    labels = np.where(system.is_equality, system.offsets, system.signs)
    tasks = []
    for index, task in enumerate(system.tasks):
        rows = kept[system.task_index[kept] == index]
        if rows.size:
            tasks.append(Task(system.X[rows], labels[rows], task.kind, task.name))
    return ConstraintSystem(system.model, tasks), kept

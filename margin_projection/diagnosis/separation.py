"""Whether given parameters solve the tasks once they are scaled, and the point of C* that this gives."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection._validation import InputError
from margin_projection.tasks.task import Task

FIT = 1e-9  # |f - y| accepted for regression, relative to max(1, |y|)
_STEPS = 60


class SeparationStatus(enum.Enum):
    """What the given parameters do on the tasks. Each member's value is a sentence: what was found, what to do."""

    SCALED = "Every sample is on the right side: scaled by the reported factor, theta lies on the boundary of C*."
    INSIDE = "Every margin is at least 1 as it is; no scaling by groups is known, so theta itself is looked at."
    FITS = "Every regression target is met within rounding: theta lies in C* as it is."
    PROJECTED = (
        "theta* is the projection onto C* that was found of theta, scaled to a least margin of 1/2 where it solves the "
        "tasks."
    )
    BELOW_MARGIN = (
        "Every sample is on the right side, with a margin below 1 that no known scaling raises; train further, until "
        "every y f(x) is at least 1."
    )
    NOT_SEPARATING = (
        "Samples are on the wrong side, which no scaling changes; train further, or (a homogeneous network) project "
        "theta onto C*."
    )
    NOT_FITTING = "Regression targets are missed; train further, or (a homogeneous network) project theta onto C*."
    NOT_FOUND = "The projection onto C* found no feasible point near theta; train further, or do without projecting."
    EMPTY = "The tasks contradict one another for this model: C* is proved to be empty."

    @property
    def is_success(self) -> bool:
        """Whether there is a point of C* to look at."""
        return self in (
            SeparationStatus.SCALED,
            SeparationStatus.INSIDE,
            SeparationStatus.FITS,
            SeparationStatus.PROJECTED,
        )


@dataclass(frozen=True)
class Separation:
    """What was found.

    Attributes:
        status: see `SeparationStatus`.
        margins: per task, min_i y_i f(x_i; theta) (classification) or -max_i |f(x_i; theta) - y_i| (regression), as
            theta was given.
        factor: c, with theta* = (c^{w_g} theta_g)_g for the weights w of the degree groups; 1 where theta* is theta.
        theta_star: (p,) the point of C*, None where there is none.
        moved: ||theta* - theta||; of the projection alone where there was one; 0 without a point.
    """

    status: SeparationStatus
    margins: tuple[float, ...]
    factor: float
    theta_star: np.ndarray | None
    moved: float


Outputs = Callable[[Tensor, Tensor], Tensor]


def separate(
    outputs: Outputs, tasks: Sequence[Task], theta: Tensor, powers: Tensor | None, degree: float
) -> Separation:
    """Scale theta to the boundary of C*, if it solves the tasks.

    Args:
        outputs: (theta, X) to f(X; theta), (n,).
        tasks: all of them, of one kind.
        theta: (p,).
        powers: (p,) the weight of each parameter's group, None where no scaling is known.
        degree: of f under that scaling.
    """
    margins = _margins(outputs, tasks, theta)
    unmoved = to_numpy(theta).copy()
    if tasks[0].kind == "regression":
        fits = all(
            -margin <= FIT * max(1.0, float(np.abs(t.y).max())) for t, margin in zip(tasks, margins, strict=True)
        )
        status = SeparationStatus.FITS if fits else SeparationStatus.NOT_FITTING
        return Separation(status, margins, 1.0, unmoved if fits else None, 0.0)
    least = min(margins)
    if not least > 0.0:
        return Separation(SeparationStatus.NOT_SEPARATING, margins, 1.0, None, 0.0)
    if powers is None:
        status = SeparationStatus.INSIDE if least >= 1.0 else SeparationStatus.BELOW_MARGIN
        return Separation(status, margins, 1.0, unmoved if least >= 1.0 else None, 0.0)
    factor = _factor(outputs, tasks, theta, powers, degree, least)
    scaled = theta * factor**powers
    moved = float((scaled - theta).norm())
    return Separation(SeparationStatus.SCALED, margins, factor, to_numpy(scaled).copy(), moved)


def _margins(outputs: Outputs, tasks: Sequence[Task], theta: Tensor) -> tuple[float, ...]:
    """Per task, as in `Separation`.

    Raises:
        InputError: an output is not finite.
    """
    with torch.no_grad():
        values = [to_numpy(outputs(theta, torch.tensor(task.X, device=theta.device))) for task in tasks]
    if not all(np.isfinite(each).all() for each in values):
        raise InputError("theta", theta, "parameters at which every output is finite")
    return tuple(_margin(task, each) for task, each in zip(tasks, values, strict=True))


def _margin(task: Task, values: np.ndarray) -> float:
    if task.kind == "classification":
        return float((task.y * values).min())
    return 0.0 - float(np.abs(values - task.y).max())  # no -0 where all are met


def _factor(
    outputs: Outputs, tasks: Sequence[Task], theta: Tensor, powers: Tensor, degree: float, least: float
) -> float:
    """c = least^{-1/degree}, then moved up a little until the least margin is 1 or above."""
    factor = float(least ** (-1.0 / degree))
    for _ in range(_STEPS):
        reached = min(_margins(outputs, tasks, theta * factor**powers))
        if reached >= 1.0:
            break
        factor *= 1.0 + max((1.0 - reached) / degree, float(np.finfo(float).eps))
    return factor


def projected(separation: Separation, projection: Any) -> Separation:
    """The same with the point that a projection found, or with how it failed."""
    if not projection.status.is_success:
        empty = projection.status.name == "INFEASIBLE"
        status = SeparationStatus.EMPTY if empty else SeparationStatus.NOT_FOUND
        return Separation(status, separation.margins, 1.0, None, 0.0)
    point = np.array(projection.point)
    return Separation(SeparationStatus.PROJECTED, separation.margins, 1.0, point, float(projection.distance))

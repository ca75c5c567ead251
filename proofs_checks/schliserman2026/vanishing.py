"""Algorithm 1 at a finite lambda, exactly, for linear models: one sample a task, logistic or squared loss.

Logistic: the iterate is Theta_{t-1} + mu x with 2 lambda mu (1 + e^m) = 1, m = <x, Theta_{t-1}> + mu ||x||^2, where the
left side increases in mu. Squared loss, any number of samples: a linear system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.secular import root_of


def logistic_step(start: Vector, sample: Vector, lam: Any, A: Arithmetic) -> Vector:
    """The minimizer of log(1 + exp(-<sample, .>)) + lam ||. - start||^2."""
    inner, square = dot(sample, start), square_length(sample)

    def stationarity(mu: Any) -> Any:
        return 2 * lam * mu * (1 + A.exp(inner + mu * square)) - 1

    return add(start, scale(root_of(stationarity, A.number(0), 1 / (2 * lam), A), sample))


def logistic_path(start: Vector, samples: Sequence[Vector], lam: Any, A: Arithmetic) -> list[Vector]:
    """The iterates of Algorithm 1, one sample a step, the start first."""
    points: list[Vector] = [tuple(start)]
    for sample in samples:
        points.append(tuple(logistic_step(points[-1], sample, lam, A)))
    return points


def projected_path(start: Vector, samples: Sequence[Vector], A: Arithmetic) -> list[Vector]:
    """The iterates of Algorithm 2 on {<sample, .> >= 1}, for a rational start."""
    points: list[Vector] = [tuple(start)]
    for sample in samples:
        missing = A.maximum([A.number(0), 1 - dot(sample, points[-1])])
        points.append(add(points[-1], scale(missing / square_length(sample), sample)))
    return points


def least_squares_step(start: Vector, samples: Sequence[Vector], labels: Vector, lam: Any) -> Vector:
    """The minimizer of the mean squared error of one or two samples plus lam ||. - start||^2."""
    count = len(samples)
    missing = [label - dot(sample, start) for sample, label in zip(samples, labels, strict=True)]
    ridge = count * lam
    if count == 1:
        return add(start, scale(missing[0] / (square_length(samples[0]) + ridge), samples[0]))
    a, b, c = square_length(samples[0]) + ridge, dot(*samples), square_length(samples[1]) + ridge
    determinant = a * c - b * b
    first = (c * missing[0] - b * missing[1]) / determinant
    second = (a * missing[1] - b * missing[0]) / determinant
    return add(start, add(scale(first, samples[0]), scale(second, samples[1])))

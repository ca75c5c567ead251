"""Projections of the squared linear model onto one constraint, re-verified in rational arithmetic.

Every float64 number is a rational one. So feasibility, the length of a step and the lower bound that its multiplier
proves are computed without any rounding: nothing of the solver enters but the numbers it returned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_SHRINK = Fraction(1) - Fraction(1, 2**48)  # a multiplier at its pole, rounded up, is moved below it


@dataclass(frozen=True)
class ExactStep:
    """A step from start to point, towards {theta : sum_j q_j theta_j^2 >= b (or = b)}.

    Attributes:
        violation: of the constraint at the point.
        squared_length: ||point - start||^2.
        squared_bound: a number no larger than the squared distance from the start to the set, at least 0.
    """

    violation: Fraction
    squared_length: Fraction
    squared_bound: Fraction

    @property
    def relative_gap(self) -> float:
        """(length - bound) / length; 0 for a step of length 0, negative where the bound is above the length."""
        if self.squared_length == 0:
            return 0.0
        ratio = self.squared_bound / self.squared_length
        return float((1 - ratio) / (1 + Fraction(math.sqrt(ratio))))  # 1 - sqrt(r) = (1 - r) / (1 + sqrt(r))


def exact_step(
    start: np.ndarray, point: np.ndarray, form: np.ndarray, offset: float, is_equality: bool, multiplier: float
) -> ExactStep:
    """The step's exact numbers.

    Weak duality: with w = 2 * multiplier (at least 0 for an inequality) and 1 - w q_j >= 0, every theta of the set has
    ||theta - start||^2 >= w (b - sum q_j s_j^2) - sum_j (w q_j s_j)^2 / (1 - w q_j), s the start.

    Args:
        start, point, form: (p,) s, the point, and q.
        offset: b.
        is_equality: whether the constraint is an equality.
        multiplier: as in `Projection.multipliers`.

    >>> step = exact_step(np.zeros(1), np.array([0.5]), np.array([4.0]), 1.0, False, 0.125)
    >>> step.violation, step.squared_length, step.relative_gap < 1e-14
    (Fraction(0, 1), Fraction(1, 4), True)
    """
    s, x, q = (_fractions(each) for each in (start, point, form))
    b, weight = Fraction(float(offset)), 2 * Fraction(float(multiplier))
    slack = sum((a * t * t for a, t in zip(q, x, strict=True)), -b)
    violation = abs(slack) if is_equality else max(Fraction(0), -slack)
    length = sum(((t - r) ** 2 for t, r in zip(x, s, strict=True)), Fraction(0))
    if not is_equality:
        weight = max(Fraction(0), weight)
    steepest = max(weight * a for a in q)
    if steepest >= 1:
        weight *= _SHRINK / steepest
    return ExactStep(violation, length, max(Fraction(0), _dual_value(s, q, b, weight)))


def _dual_value(s: Sequence[Fraction], q: Sequence[Fraction], b: Fraction, weight: Fraction) -> Fraction:
    value = weight * (b - sum((a * r * r for a, r in zip(q, s, strict=True)), Fraction(0)))
    for a, r in zip(q, s, strict=True):
        if r != 0:
            value -= (weight * a * r) ** 2 / (1 - weight * a)
    return value


def _fractions(values: np.ndarray) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]

"""Exact proofs that no sum of rectifiers satisfies the constraints, in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from margin_projection.sets.margin_set import ConstraintSystem

Interval = tuple[Fraction | None, Fraction | None]


def emptiness_proof(system: ConstraintSystem, tolerance: float = 0.0) -> str | None:
    """A reason, checked in rational arithmetic, why the set of a RIDGE_SUM model is empty; None where none is found.

    f is positively homogeneous of degree 1 in x, so that samples on one ray share one unknown value per unit length;
    with slope 0 and equal output signs f has one sign; f(0) = 0. The proof is a ray whose demands exclude each other,
    even when every label is moved by ``tolerance`` * (1 + its magnitude): labels that are inconsistent only by rounding
    prove nothing.
    """
    rays: dict[tuple[Fraction, ...], tuple[Interval, list[int]]] = {}
    for index in range(system.num_constraints):
        ray, length = _ray(system.X[index])
        demand = _demand(system, index, length, tolerance)
        interval, samples = rays.get(ray, (_range(system, ray), []))
        interval = _meet(interval, demand)
        samples = [*samples, index]
        if _is_empty(interval):
            return _reason(system, ray, samples)
        rays[ray] = (interval, samples)
    return None


def _ray(sample: np.ndarray) -> tuple[tuple[Fraction, ...], Fraction]:
    """The sample divided by its largest magnitude, exactly, and that magnitude (1 for the zero sample)."""
    exact = [Fraction(float(value)) for value in sample]
    length = max(abs(value) for value in exact)
    if length == 0:
        return tuple(exact), Fraction(1)
    return tuple(value / length for value in exact), length


def _range(system: ConstraintSystem, ray: tuple[Fraction, ...]) -> Interval:
    """The values f can take on a ray by the signs alone."""
    model = system.model
    zero = Fraction(0)
    if not any(ray):
        return zero, zero
    signs, slope = model.output_signs, model.slope  # type: ignore[attr-defined]
    if slope == 0 and (signs > 0).all():
        return zero, None
    return (None, zero) if slope == 0 and (signs < 0).all() else (None, None)


def _demand(system: ConstraintSystem, index: int, length: Fraction, tolerance: float) -> Interval:
    offset = Fraction(float(system.offsets[index]))
    play = Fraction(tolerance) * (1 + abs(offset))
    lowest, highest = (offset - play) / length, (offset + play) / length
    if system.is_equality[index]:
        return lowest, highest
    return (lowest, None) if system.signs[index] > 0 else (None, -lowest)


def _meet(first: Interval, second: Interval) -> Interval:
    lower = [bound for bound in (first[0], second[0]) if bound is not None]
    upper = [bound for bound in (first[1], second[1]) if bound is not None]
    return max(lower, default=None), min(upper, default=None)


def _is_empty(interval: Interval) -> bool:
    lower, upper = interval
    return lower is not None and upper is not None and lower > upper


def _reason(system: ConstraintSystem, ray: tuple[Fraction, ...], samples: list[int]) -> str:
    if not any(ray):
        return f"sample {samples[-1]} is zero, where f = 0 for every theta, against its label"
    if _is_empty(_meet(_range(system, ray), _demand(system, samples[-1], Fraction(1), 0.0))):
        sign = "nonnegative" if system.model.output_signs[0] > 0 else "nonpositive"  # type: ignore[attr-defined]
        return f"every unit is {sign}, so f is {sign} for every theta, against the label of sample {samples[-1]}"
    return f"samples {samples} lie on one ray, where f is proportional to the length, and their labels contradict"

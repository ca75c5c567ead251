"""Nearest points of one quadratic constraint, by the secular equation: rigorous enclosures, or float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flint import arb, ctx

from proofs_checks.arithmetic import Arithmetic, Scalar
from proofs_checks.errors import Discard, Inexact

_GUARD_BITS = 24
_FLOAT_HALVINGS = 100


def root_of(increasing: Callable[[Scalar], Scalar], low: Scalar, high: Scalar, A: Arithmetic) -> Scalar:
    """The root in (low, high) of a function that increases from below 0 to above 0, by bisection.

    A ball that holds it in exact arithmetic; a sign that cannot be told ends the bisection there.
    """
    for _ in range(ctx.prec + _GUARD_BITS if A.exact else _FLOAT_HALVINGS):
        middle = (low + high) / 2
        value = increasing(middle)
        if value > 0:
            high = middle
        elif value < 0:
            low = middle
        else:
            break
    return arb(low).union(arb(high)) if A.exact else (low + high) / 2


def onto_form(point: Sequence[Scalar], form: Sequence[Scalar], A: Arithmetic) -> tuple[Scalar, ...]:
    """The point of {w : sum_i form_i w_i^2 >= 1} nearest to ``point``: w_i = point_i / (1 - m form_i), m in [0, 1/max).

    Args:
        point: with a component other than 0 where the form is largest, unless it is in the set.
        form: weights, the largest one positive.
        A: the arithmetic.

    Raises:
        Inexact: in exact arithmetic, it cannot be told whether the point is in the set, or that component from 0.
        Discard: in float64, that component is 0: the nearest point is not unique.
    """

    def moved(multiplier: Scalar) -> tuple[Scalar, ...]:
        return tuple(entry / (1 - multiplier * weight) for entry, weight in zip(point, form, strict=True))

    def excess(multiplier: Scalar) -> Scalar:
        pairs = zip(moved(multiplier), form, strict=True)
        return sum((weight * entry * entry for entry, weight in pairs), A.number(-1))

    start, largest = excess(A.number(0)), A.maximum(form)
    if start >= 0:
        return tuple(point)
    leading = [entry for entry, weight in zip(point, form, strict=True) if weight == largest]
    if not start < 0 or not any(entry > 0 or entry < 0 for entry in leading):
        raise Inexact("a point on the boundary or on the axis") if A.exact else Discard("a point on the axis")
    return moved(root_of(excess, A.number(0), 1 / largest, A))

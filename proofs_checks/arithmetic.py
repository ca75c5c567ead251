"""Two arithmetics behind one interface: a formula written once is evaluated in float64 and rigorously.

In exact arithmetic rational numbers are `flint.fmpq` and stay exact through + - * / and integer powers; roots,
exponentials and logarithms are balls (`flint.arb`) that are certain to hold the true value. Both kinds mix freely. A
comparison of balls is true only where it is certain.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq

Scalar = Any  # float, or fmpq or arb
Vector = Sequence[Any]


class FloatArithmetic:
    """float64: fast, for searches. ``exact`` is False."""

    exact = False
    infinity = math.inf

    def number(self, value: int | str | Fraction) -> float:
        """A rational number, also written as text: "1/9"."""
        return float(Fraction(value))

    def sqrt(self, x: float) -> float:
        """The square root; of a number that rounding has made negative, 0."""
        return math.sqrt(x) if x > 0.0 else _zero_or_raise(x)

    def exp(self, x: float) -> float:
        """e^x; infinite where it overflows."""
        return math.exp(x) if x < 709.0 else math.inf

    def log(self, x: float) -> float:
        """The natural logarithm."""
        return math.log(x)

    def power(self, x: float, exponent: Any) -> float:
        """x^exponent for x >= 0 and a real exponent (x > 0 where the exponent is negative)."""
        return float(x) ** float(exponent)

    def maximum(self, values: Iterable[float]) -> float:
        """The largest of some numbers."""
        return max(values)

    def minimum(self, values: Iterable[float]) -> float:
        """The smallest of some numbers."""
        return min(values)

    def norm(self, vector: Vector) -> float:
        """The Euclidean norm."""
        return math.hypot(*vector)


class ExactArithmetic:
    """Rationals and balls: slow, rigorous. ``exact`` is True; `working_precision` sets the bits of the balls."""

    exact = True

    @property
    def infinity(self) -> Any:
        """+infinity as a ball."""
        return arb("inf")

    def number(self, value: int | str | Fraction) -> fmpq:
        """A rational number, also written as text: "1/9"."""
        fraction = Fraction(value)
        return fmpq(fraction.numerator, fraction.denominator)

    def sqrt(self, x: Scalar) -> Scalar:
        """The square root: rational where it is, else a ball; a ball around 0 is cut at 0 first."""
        if not isinstance(x, arb):
            return self._rational_root(fmpq(x))
        if x < 0:
            raise ValueError(f"the square root of {x}, which is negative")
        if x >= 0:
            return x.sqrt()
        half = arb(x.upper()).sqrt() / 2
        return arb(half.mid(), half.upper())

    def _rational_root(self, x: fmpq) -> Scalar:
        if x < 0:
            raise ValueError(f"the square root of {x}, which is negative")
        top, bottom = math.isqrt(int(x.p)), math.isqrt(int(x.q))
        exact = top * top == int(x.p) and bottom * bottom == int(x.q)
        return fmpq(top, bottom) if exact else arb(x).sqrt()

    def exp(self, x: Scalar) -> Scalar:
        """e^x, exact at 0."""
        return fmpq(1) if not isinstance(x, arb) and x == 0 else arb(x).exp()

    def log(self, x: Scalar) -> Scalar:
        """The natural logarithm, exact at 1."""
        return fmpq(0) if not isinstance(x, arb) and x == 1 else arb(x).log()

    def power(self, x: Scalar, exponent: Any) -> Scalar:
        """x^exponent for x >= 0 and a rational or ball exponent; rational for whole exponents of rationals."""
        if not isinstance(exponent, arb):
            exponent = fmpq(exponent)
            if exponent.q == 1:
                return x ** int(exponent.p)
            if exponent.q == 2:
                return self.sqrt(x) ** int(exponent.p)
        if not isinstance(x, arb) and x == 0:
            return fmpq(0)
        return (arb(x).log() * exponent).exp()

    def maximum(self, values: Iterable[Scalar]) -> Scalar:
        """The largest of some numbers, a ball where one of them is."""
        return _extreme(list(values), largest=True)

    def minimum(self, values: Iterable[Scalar]) -> Scalar:
        """The smallest of some numbers, a ball where one of them is."""
        return _extreme(list(values), largest=False)

    def norm(self, vector: Vector) -> Scalar:
        """The Euclidean norm."""
        return self.sqrt(dot(vector, vector))


Arithmetic = FloatArithmetic | ExactArithmetic
FLOAT = FloatArithmetic()
EXACT = ExactArithmetic()


def _zero_or_raise(x: float) -> float:
    if x < -1e-9 or math.isnan(x):
        raise ValueError(f"the square root of {x}, which is negative")
    return 0.0


def _extreme(values: list[Scalar], largest: bool) -> Scalar:
    if not any(isinstance(value, arb) for value in values):
        return max(values) if largest else min(values)
    result = arb(values[0])
    for value in values[1:]:
        result = result.max(arb(value)) if largest else result.min(arb(value))
    return result


@contextlib.contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Balls are computed with so many bits inside."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def dot(u: Vector, v: Vector) -> Scalar:
    """<u, v>."""
    total = u[0] * v[0]
    for a, b in zip(u[1:], v[1:], strict=True):
        total = total + a * b
    return total


def add(u: Vector, v: Vector) -> tuple[Scalar, ...]:
    """u + v."""
    return tuple(a + b for a, b in zip(u, v, strict=True))


def subtract(u: Vector, v: Vector) -> tuple[Scalar, ...]:
    """u - v."""
    return tuple(a - b for a, b in zip(u, v, strict=True))


def scale(factor: Scalar, vector: Vector) -> tuple[Scalar, ...]:
    """factor times vector."""
    return tuple(factor * entry for entry in vector)


def is_nan(value: Scalar) -> bool:
    """Whether a number of either arithmetic is undefined (for balls: not a number, or a ball around no finite one)."""
    if isinstance(value, arb):
        return bool(value.is_nan())
    return isinstance(value, float) and math.isnan(value)


def to_float(value: Scalar) -> float:
    """A number of either arithmetic, rounded."""
    if isinstance(value, fmpq):
        return int(value.p) / int(value.q)
    return float(value)


def to_text(value: Scalar) -> str:
    """A number as reports show it: rationals exactly, balls as midpoint and radius."""
    if isinstance(value, arb):
        return str(value.str(12))
    return str(value) if not isinstance(value, float) else repr(value)

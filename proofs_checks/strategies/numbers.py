"""Rational numbers: small numerators and denominators, corner values often, simple ones after shrinking."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_SCALES = tuple(Fraction(10) ** power for power in (-6, -3, -2, -1, 0, 0, 0, 1, 2, 3, 6))


def rationals(low: int | str | Fraction, high: int | str | Fraction, denominator: int = 60) -> SearchStrategy[Fraction]:
    """Rationals in [low, high]: low + (high - low) k / denominator, the ends included.

    Args:
        low, high: the ends, exact, low <= high.
        denominator: how fine the grid is, at least 1 (default 60).
    """
    begin, length = Fraction(low), Fraction(high) - Fraction(low)
    return st.integers(0, denominator).map(lambda k: begin + length * Fraction(k, denominator))


def unit_interval(denominator: int = 60) -> SearchStrategy[Fraction]:
    """Rationals in [0, 1]."""
    return rationals(0, 1, denominator)


def positive_rationals(extreme: bool = True) -> SearchStrategy[Fraction]:
    """Rationals above 0: p / q with p, q in 1..30, and scaled by a power of ten from 1e-6 to 1e6 where ``extreme``."""
    plain = st.builds(Fraction, st.integers(1, 30), st.integers(1, 30))
    return st.builds(lambda x, s: x * s, plain, st.sampled_from(_SCALES)) if extreme else plain


def dyadics(bound: int = 4, bits: int = 4) -> SearchStrategy[Fraction]:
    """Multiples of 2^-bits in [-bound, bound]: float64 computes with them without rounding."""
    limit = bound << bits
    return st.integers(-limit, limit).map(lambda k: Fraction(k, 1 << bits))


def labels() -> SearchStrategy[Fraction]:
    """-1 or 1."""
    return st.sampled_from([Fraction(1), Fraction(-1)])

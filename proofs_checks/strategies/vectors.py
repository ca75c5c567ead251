"""Rational vectors, and rational unit vectors whose norm is exactly 1."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.strategies.numbers import dyadics

Vector = tuple[Fraction, ...]


def vectors(dimension: int, entries: SearchStrategy[Fraction] | None = None) -> SearchStrategy[Vector]:
    """Vectors of that dimension; entries are `dyadics` unless given."""
    return st.tuples(*[dyadics() if entries is None else entries] * dimension)


def nonzero_vectors(dimension: int) -> SearchStrategy[Vector]:
    """Vectors other than 0: one entry is a positive or negative number for certain."""
    nonzero = st.builds(lambda k, sign: Fraction(sign * k, 16), st.integers(1, 64), st.sampled_from([1, -1]))
    return st.builds(_placed, vectors(dimension), nonzero, st.integers(0, dimension - 1))


def unit_vectors(dimension: int) -> SearchStrategy[Vector]:
    """Rational vectors of norm exactly 1, by stereographic projection; the whole sphere is met, poles included."""
    if dimension == 1:
        return st.sampled_from([(Fraction(1),), (Fraction(-1),)])
    return st.builds(_on_sphere, vectors(dimension - 1), st.sampled_from([1, -1]))


def _placed(vector: Vector, value: Fraction, index: int) -> Vector:
    return (*vector[:index], value, *vector[index + 1 :])


def _on_sphere(point: Vector, sign: int) -> Vector:
    square = sum((x * x for x in point), Fraction(0))
    return (*(2 * x / (1 + square) for x in point), sign * (1 - square) / (1 + square))

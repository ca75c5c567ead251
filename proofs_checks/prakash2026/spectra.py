"""Exact spectra of small rational symmetric matrices, without eigenvalues: characteristic polynomials and inertia."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import fmpq, fmpq_mat

Rows = Sequence[Sequence[Any]]


def rational(value: Any) -> fmpq:
    """A number of either arithmetic as a rational; floats are taken at their exact value."""
    if isinstance(value, fmpq):
        return value
    fraction = Fraction(value)
    return fmpq(fraction.numerator, fraction.denominator)


def matrix(rows: Rows) -> fmpq_mat:
    """Rows as a rational matrix."""
    return fmpq_mat(len(rows), len(rows[0]), [rational(entry) for row in rows for entry in row])


def count_above(symmetric: fmpq_mat, level: fmpq) -> int:
    """How many eigenvalues of a symmetric matrix exceed ``level``, with multiplicity.

    All roots of its characteristic polynomial p are real, so by Descartes' rule p(x + level) has exactly as many
    positive roots as its coefficients have changes of sign.
    """
    size = symmetric.nrows()
    identity = fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    coefficients = [entry for entry in (symmetric - level * identity).charpoly().coeffs() if entry != 0]
    return sum((a > 0) != (b > 0) for a, b in itertools.pairwise(coefficients))


def nonzero_part(symmetric: fmpq_mat) -> tuple[fmpq, ...]:
    """The characteristic polynomial divided by its power of x: it holds exactly the nonzero eigenvalues."""
    coefficients = list(symmetric.charpoly().coeffs())
    while coefficients and coefficients[0] == 0:
        coefficients.pop(0)
    return tuple(coefficients)

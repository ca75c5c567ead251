"""Rational matrices as tuples of rows; orthogonal ones are exactly orthogonal."""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq, fmpq_mat
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.strategies.numbers import dyadics
from proofs_checks.strategies.vectors import vectors

Matrix = tuple[tuple[Fraction, ...], ...]


def rational_matrices(
    rows: int, columns: int, entries: SearchStrategy[Fraction] | None = None
) -> SearchStrategy[Matrix]:
    """Matrices of that shape; entries are `dyadics` unless given."""
    return st.tuples(*[vectors(columns, entries)] * rows)


def orthogonal_matrices(size: int) -> SearchStrategy[Matrix]:
    """Exactly orthogonal rational matrices, by Cayley's transform (I - A)(I + A)^{-1} of a skew matrix, times signs."""
    pairs = size * (size - 1) // 2
    return st.builds(
        lambda upper, signs: _cayley(size, upper, signs),
        st.tuples(*[dyadics(2, 2)] * pairs),
        st.tuples(*[st.sampled_from([1, -1])] * size),
    )


def positive_semidefinite_matrices(size: int, rank: int | None = None) -> SearchStrategy[Matrix]:
    """B^T B for a matrix B of ``rank`` rows (default ``size``)."""
    return rational_matrices(size if rank is None else rank, size, dyadics(2, 2)).map(_gram)


def _gram(matrix: Matrix) -> Matrix:
    columns = list(zip(*matrix, strict=True))
    return tuple(tuple(sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0)) for v in columns) for u in columns)


def _cayley(size: int, upper: tuple[Fraction, ...], signs: tuple[int, ...]) -> Matrix:
    skew = fmpq_mat(size, size)
    entries = iter(upper)
    for i in range(size):
        for j in range(i + 1, size):
            entry = next(entries)
            skew[i, j] = fmpq(entry.numerator, entry.denominator)
            skew[j, i] = -skew[i, j]
    identity = fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    result = (identity - skew) * (identity + skew).inv()
    return tuple(
        tuple(Fraction(int(result[i, j].p), int(result[i, j].q)) * signs[i] for j in range(size)) for i in range(size)
    )

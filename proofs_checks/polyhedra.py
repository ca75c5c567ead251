"""Exact projections onto polyhedra {x : <a_i, x> >= b_i (i in I), <a_i, x> = b_i (i in E)} by enumeration of faces."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from proofs_checks.arithmetic import add, dot, scale

MOST_INEQUALITIES = 12


def project_onto_polyhedron(
    start: Sequence[Any], rows: Sequence[Sequence[Any]], offsets: Sequence[Any], num_equalities: int = 0
) -> tuple[Any, ...] | None:
    """The projection in rational arithmetic; None where the polyhedron is empty.

    Args:
        start: (d,) rationals (`flint.fmpq`, as exact arithmetic gives them).
        rows, offsets: (n, d) and (n,); the first ``num_equalities`` are equalities, the others <a, x> >= b.
        num_equalities: default 0.

    Raises:
        ValueError: more than `MOST_INEQUALITIES` inequalities.
    """
    inequalities = range(num_equalities, len(rows))
    if len(inequalities) > MOST_INEQUALITIES:
        raise ValueError(f"{len(inequalities)} inequalities, at most {MOST_INEQUALITIES} can be enumerated")
    fixed = list(range(num_equalities))
    for size in range(min(len(inequalities), len(start)) + 1):
        for chosen in itertools.combinations(inequalities, size):
            found = _stationary(start, rows, offsets, [*fixed, *chosen], num_equalities)
            if found is not None and all(dot(rows[i], found) >= offsets[i] for i in inequalities):
                return found
    return None


def _stationary(
    start: Sequence[Any], rows: Sequence[Sequence[Any]], offsets: Sequence[Any], active: list[int], num_equalities: int
) -> tuple[Any, ...] | None:
    """start + sum of multipliers times active rows, on the active constraints; None where that is no KKT point."""
    point = tuple(fmpq(entry) for entry in start)
    basis = _independent(rows, active)
    if not basis:
        return point if all(dot(rows[i], point) == offsets[i] for i in active) else None
    gram = fmpq_mat(len(basis), len(basis), [dot(rows[i], rows[j]) for i in basis for j in basis])
    missing = fmpq_mat(len(basis), 1, [offsets[i] - dot(rows[i], point) for i in basis])
    multipliers = gram.solve(missing)
    for number, index in enumerate(basis):
        if index >= num_equalities and multipliers[number, 0] < 0:
            return None
        point = add(point, scale(multipliers[number, 0], rows[index]))
    return point if all(dot(rows[i], point) == offsets[i] for i in active) else None


def _independent(rows: Sequence[Sequence[Any]], active: list[int]) -> list[int]:
    """A maximal independent subset of the active rows, the first ones preferred."""
    basis: list[int] = []
    for index in active:
        candidate = [*basis, index]
        entries = [entry for each in candidate for entry in rows[each]]
        if fmpq_mat(len(candidate), len(rows[0]), entries).rank() == len(candidate):
            basis = candidate
    return basis

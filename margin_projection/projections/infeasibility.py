"""Exact proofs that a linear system has no solution, by Farkas' lemma in rational arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat
from scipy.linalg import qr
from scipy.optimize import linprog

from margin_projection.sets.rows import row_norms

_THRESHOLDS = (1e-9, 1e-12, 0.0)  # of the largest entry: below, an entry of the float vector counts as zero
_DIGITS = 4000  # decimal digits parsed at once; Python limits longer conversions
_LP_OPTIONS = (  # tried in turn
    {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10, "time_limit": 5.0},
    {"time_limit": 20.0},
)


@dataclass(frozen=True)
class InfeasibilityProof:
    """An exact Farkas vector u of {A theta >= b (inequalities), = b (equalities)}.

    Attributes:
        farkas: m rational numbers u_i as "p/q" or "p", with u_i >= 0 for inequalities, A^T u = 0 and b^T u > 0.
        support: the indices i with u_i != 0.
    """

    farkas: tuple[str, ...]
    support: tuple[int, ...]


def prove_infeasible(A: np.ndarray, b: np.ndarray, is_equality: np.ndarray) -> InfeasibilityProof | None:
    """An exact proof that {theta : (A theta)_i >= b_i, = b_i where is_equality} is empty, or None if none was found.

    The float64 data are taken as the rational numbers they are, so that data which are feasible by the narrowest margin
    never have a proof. None does not mean that the system is feasible.

    Args:
        A: (m, p) finite.
        b: (m,) finite.
        is_equality: (m,) bool.

    >>> prove_infeasible(np.array([[2.0], [-1.0]]), np.ones(2), np.zeros(2, bool)).farkas
    ('1/2', '1')
    """
    floating = _floating_farkas(A, b, is_equality)
    if floating is None:
        return None
    tried: set[bytes] = set()
    for threshold in _THRESHOLDS:
        support = np.flatnonzero(np.abs(floating) > threshold * np.abs(floating).max())
        if support.tobytes() in tried:
            continue
        tried.add(support.tobytes())
        exact = _exact_null_vector(A[support])
        if exact is None:
            continue
        farkas = ["0"] * b.size
        for index, value in zip(support, _orient(exact, b[support]), strict=True):
            farkas[index] = _format(value)
        if verify_farkas(A, b, is_equality, farkas):
            return InfeasibilityProof(tuple(farkas), tuple(int(i) for i in support if farkas[i] != "0"))
    return None


def verify_farkas(A: np.ndarray, b: np.ndarray, is_equality: np.ndarray, farkas: Sequence[str]) -> bool:
    """Whether ``farkas`` proves {(A theta)_i >= b_i, = b_i where is_equality} empty; exact, with fractions alone.

    Args:
        A: (m, p); b: (m,); is_equality: (m,) bool, as for `prove_infeasible`.
        farkas: m rational numbers u_i as "p/q" or "p".

    Returns:
        True exactly if u_i >= 0 for every inequality, A^T u = 0 and b^T u > 0. False, too, where a string is none.
    """
    if len(farkas) != len(b):
        return False
    try:
        weights = [_parse(text) for text in farkas]
    except (ValueError, ZeroDivisionError):
        return False
    if any(weight < 0 for weight, equality in zip(weights, is_equality, strict=True) if not equality):
        return False
    support = [index for index, weight in enumerate(weights) if weight != 0]
    if not support or not (np.isfinite(A[support]).all() and np.isfinite(np.asarray(b)[support]).all()):
        return False
    whole = _clear_denominators([weights[index] for index in support])
    if _exact_product(whole, np.asarray(b)[support]) <= 0:
        return False
    return all(_exact_product(whole, A[support, column]) == 0 for column in range(A.shape[1]))


def least_violation_point(A: np.ndarray, b: np.ndarray, is_equality: np.ndarray) -> np.ndarray:
    """(p,) a minimizer of the largest violation, [b_i - (A theta)_i]_+ or |b_i - (A theta)_i| for equalities.

    It is found by a linear program; the origin where that fails.
    """
    num_parameters = A.shape[1]
    sides = np.vstack([-A, A[is_equality]])
    limits = np.concatenate([-b, b[is_equality]])
    sides = np.hstack([sides, -np.ones((limits.size, 1))])
    cost = np.append(np.zeros(num_parameters), 1.0)
    bounds = [(None, None)] * num_parameters + [(0.0, None)]
    solution = _solve_linear_program(cost, bounds, A_ub=sides, b_ub=limits)
    return np.zeros(num_parameters) if solution is None else solution[:num_parameters]


def _solve_linear_program(cost: np.ndarray, bounds: Any, **constraints: np.ndarray) -> np.ndarray | None:
    """A vertex that minimizes ``cost``, or None where the dual simplex method finds none."""
    for options in _LP_OPTIONS:
        result = linprog(cost, bounds=bounds, method="highs-ds", options=options, **constraints)
        if result.status == 0 and result.x is not None and np.isfinite(result.x).all():
            return np.asarray(result.x)
    return None


def _floating_farkas(A: np.ndarray, b: np.ndarray, is_equality: np.ndarray) -> np.ndarray | None:
    """A vertex of {u : A^T u = 0, b^T u = const > 0, u_i >= 0 for inequalities}, each u_i times the norm of its row.

    None where the floating-point solver finds none.
    """
    norms = row_norms(A)
    scale = np.where(norms > 0.0, norms, 1.0)
    sides = b / scale
    largest = np.abs(sides).max(initial=0.0)
    if not 0.0 < largest < np.inf:
        return None
    rows = np.vstack([(A / scale[:, None]).T, sides / largest])
    columns = np.hstack([rows, -rows[:, is_equality]])
    target = np.append(np.zeros(A.shape[1]), 1.0)
    cost = np.ones(columns.shape[1])
    solution = _solve_linear_program(cost, (0.0, None), A_eq=columns, b_eq=target)
    if solution is None:
        return None
    weights = solution[: b.size].copy()
    weights[is_equality] -= solution[b.size :]
    return weights if np.abs(weights).max(initial=0.0) > 0.0 else None


def _exact_null_vector(rows: np.ndarray) -> list[Fraction] | None:
    """The vector u != 0 (up to a factor) with rows^T u = 0 on an independent set of equations, u[last pivot] = 1.

    Only as many equations as determine u are solved; the caller checks the others. None where they are singular.
    """
    count = rows.shape[0]
    norms = row_norms(rows)
    if count == 1 or norms.min() == 0.0:
        return [Fraction(1)] if count == 1 else None
    if count > rows.shape[1] + 1:
        return None
    equations = _leading_columns(rows / norms[:, None], count - 1)
    matrix, shifts = _integer_rows(rows[:, equations])
    last = int(_leading_columns(rows[:, equations].T / norms, count)[-1])
    others = [index for index in range(count) if index != last]
    system = fmpz_mat([[matrix[index][column] for index in others] for column in range(count - 1)])
    target = fmpz_mat([[-matrix[last][column]] for column in range(count - 1)])
    try:
        solution = system.solve(target)
    except ZeroDivisionError:
        return None
    vector = [Fraction(1)] * count
    for position, index in enumerate(others):
        entry = solution[position, 0]
        vector[index] = Fraction(int(entry.p), int(entry.q))
    return [value * Fraction(2) ** shift for value, shift in zip(vector, shifts, strict=True)]


def _leading_columns(matrix: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` columns that pivoted QR takes first, the most independent ones first."""
    _, order = qr(matrix, mode="r", pivoting=True)
    return order[:count]


def _integer_rows(rows: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Integer rows and exponents k with integer_row_i = 2^k_i rows_i, exactly."""
    result, shifts = [], []
    for row in rows:
        fractions = [Fraction(float(value)) for value in row]
        denominator = max(value.denominator for value in fractions)
        shifts.append(denominator.bit_length() - 1)
        result.append([int(value * denominator) for value in fractions])
    return result, shifts


def _orient(vector: list[Fraction], b: np.ndarray) -> list[Fraction]:
    """``vector`` or its negative, the one with b^T u >= 0."""
    negative = _exact_product(_clear_denominators(vector), b) < 0
    return [-entry for entry in vector] if negative else vector


def _format(value: Fraction) -> str:
    """ "p/q" or "p", of any length."""
    numerator = str(fmpz(value.numerator))
    return numerator if value.denominator == 1 else f"{numerator}/{fmpz(value.denominator)}"


def _parse(text: str) -> Fraction:
    """A rational number of any length from "p/q" or "p"."""
    numerator, _, denominator = text.partition("/")
    return Fraction(_parse_integer(numerator), _parse_integer(denominator) if denominator else 1)


def _parse_integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(text)
    value = 0
    for position in range(0, len(digits), _DIGITS):
        chunk = digits[position : position + _DIGITS]
        value = value * 10 ** len(chunk) + int(chunk)
    return sign * value


def _clear_denominators(values: list[Fraction]) -> list[int]:
    """A positive multiple of ``values`` in whole numbers."""
    common = math.lcm(*(value.denominator for value in values))
    return [value.numerator * (common // value.denominator) for value in values]


def _exact_product(weights: list[int], column: np.ndarray) -> int:
    """A positive multiple of sum_i weights_i column_i, exactly."""
    entries = _clear_denominators([Fraction(float(value)) for value in column])
    return sum(weight * entry for weight, entry in zip(weights, entries, strict=True))

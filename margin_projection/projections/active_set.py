"""Sharpen an approximate dual solution: exact solves on its active set, which is corrected while signs are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dgeqrf, dorgqr, dpotrf, dpotrs, dtrtrs

_EPSILON = float(np.finfo(np.float64).eps)
_REACHED = 64.0 * _EPSILON
_OPTIMAL = 1e-10
_WELL_CONDITIONED = 1e-4  # smallest Cholesky pivot (rows of unit norm) at which a factor is trusted as it is
_INDEPENDENT = 1e-13  # smallest pivot of a QR factorization likewise
_MAX_CORRECTIONS = 30


@dataclass(frozen=True)
class Candidate:
    """Multipliers l (m,), the slack A d - b (m,) of their step, and the size that the slack's errors are relative to.

    ``step`` is d where it is computed apart from the multipliers, else None.
    """

    multipliers: np.ndarray
    slack: np.ndarray
    size: float
    step: np.ndarray | None = None

    def errors(self, is_equality: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,), (m,): relative errors of signs and of slacks; at most 0 where there is none."""
        largest = float(np.abs(self.multipliers).max(initial=0.0)) or 1.0
        signs = np.where(is_equality, 0.0, self.multipliers / -largest)
        return signs, np.where(active, np.abs(self.slack), -self.slack) / self.size


Solve = Callable[[np.ndarray, np.ndarray], Candidate]


def refine(solve: Solve, is_equality: np.ndarray, start: np.ndarray) -> tuple[Candidate, np.ndarray, bool]:
    """The best candidate with signs clipped, its active set (m,), and whether it meets the KKT conditions to 1e-10.

    Args:
        solve: maps an active set (m,) bool and multipliers near the solution to the candidate with zero slack there.
        is_equality: (m,) bool, always active.
        start: (m,) multipliers of a solver; the inequalities with positive ones form the first active set.
    """
    active = is_equality | (start > 0.0)
    multipliers = start
    best, best_error = None, np.inf
    for _ in range(_MAX_CORRECTIONS):
        candidate = solve(active, np.where(active, multipliers, 0.0))
        multipliers = candidate.multipliers
        signs, slacks = candidate.errors(is_equality, active)
        sign_error, slack_error = float(signs.max()), float(slacks.max())
        if max(sign_error, slack_error) < best_error:
            best, best_error = candidate, max(sign_error, slack_error)
        if best_error <= _REACHED:
            break
        active = active.copy()
        outside = np.where(active, -np.inf, slacks)
        if sign_error > _REACHED:
            active[int(signs.argmax())] = False
        elif outside.max() > _REACHED:
            active[int(outside.argmax())] = True
        else:
            break
    assert best is not None
    clipped = np.where(is_equality, best.multipliers, np.maximum(best.multipliers, 0.0))
    best = Candidate(clipped, best.slack, best.size, best.step)
    return best, is_equality | (clipped > 0.0), best_error <= _OPTIMAL


def gram_solver(gram: np.ndarray, rhs: np.ndarray) -> Solve:
    """Exact solves from gram = A A^T (m, m), rows of A of norm 1: two corrections, of least norm if singular."""

    def solve(active: np.ndarray, start: np.ndarray) -> Candidate:
        index = np.flatnonzero(active)
        multipliers = np.zeros_like(rhs)
        if index.size:
            multipliers[index] = _solve_gram(gram[np.ix_(index, index)], rhs[index], start[index])
        return Candidate(multipliers, gram @ multipliers - rhs, 1.0 + float(np.abs(multipliers).sum()))

    return solve


def _solve_gram(block: np.ndarray, target: np.ndarray, values: np.ndarray) -> np.ndarray:
    factor, info = dpotrf(block.T, lower=1)
    regular = info == 0 and np.diagonal(factor).min() > _WELL_CONDITIONED
    inverse = None if regular else _pseudo_inverse(block)
    for _ in range(2):
        residual = target - block @ values
        values = values + (dpotrs(factor, residual, lower=1)[0] if inverse is None else inverse @ residual)
    return values


def _pseudo_inverse(block: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(block)
    kept = vectors[:, values > 1e-14 * values.size * values[-1]]
    return (kept / values[-kept.shape[1] :]) @ kept.T


def row_solver(rows: np.ndarray, rhs: np.ndarray) -> Solve:
    """Exact solves from A (m, p) itself, rows of norm 1, by QR: the step d is refined apart from the multipliers."""

    def solve(active: np.ndarray, start: np.ndarray) -> Candidate:
        index = np.flatnonzero(active)
        multipliers, step = np.zeros_like(rhs), np.zeros(rows.shape[1])
        if index.size:
            multipliers[index], step = _solve_rows(rows[index], rhs[index], start[index])
        return Candidate(multipliers, rows @ step - rhs, 1.0 + float(np.linalg.norm(step)), step)

    return solve


def _solve_rows(block: np.ndarray, target: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(l, d) with block d = target, d = block^T l."""
    count, dimension = block.shape
    if count > dimension:
        return _solve_dependent(block, target, start)
    reflectors, scalars, _, _ = dgeqrf(block.T)
    triangle = reflectors[:count]
    if np.abs(np.diagonal(triangle)).min() <= _INDEPENDENT:
        return _solve_dependent(block, target, start)
    basis = dorgqr(reflectors, scalars)[0]
    step = np.zeros(dimension)
    for _ in range(3):
        step = step + basis @ dtrtrs(triangle, target - block @ step, trans=1)[0]
    multipliers = np.zeros(count)
    for _ in range(2):
        multipliers = multipliers + dtrtrs(triangle, (step - multipliers @ block) @ basis)[0]
    return multipliers, step


def _solve_dependent(block: np.ndarray, target: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likewise for dependent rows: the step of least norm, and the multipliers nearest to ``start``."""
    inverse = np.linalg.pinv(block, rcond=1e-12)
    step, multipliers = inverse @ target, start
    for _ in range(2):
        step = step + inverse @ (target - block @ step)
        multipliers = multipliers + (step - multipliers @ block) @ inverse
    return multipliers, step

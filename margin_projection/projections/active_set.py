"""Sharpen an approximate dual solution: exact solves on its active set, which is corrected while signs are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dgeqrf, dorgqr, dpotrf, dpotrs, dtrtrs

_EPSILON = float(np.finfo(np.float64).eps)
_EXACT = 8.0 * _EPSILON  # errors at which the multipliers of a solver are taken as they are
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

    def is_exact(self, active: np.ndarray) -> bool:
        """Whether the slacks hold to rounding."""
        worst = float(np.where(active, np.abs(self.slack), -self.slack).max(initial=0.0))
        return worst <= _EXACT * self.size


class Program(Protocol):
    """A least-distance program with rows of norm 1."""

    def evaluate(self, multipliers: np.ndarray) -> Candidate:
        """The candidate of given multipliers (m,)."""

    def solve(self, active: np.ndarray, start: np.ndarray) -> Candidate:
        """The candidate with zero slack on the active set (m,) bool, from multipliers (m,) near it, 0 elsewhere."""


def refine(program: Program, is_equality: np.ndarray, start: np.ndarray) -> tuple[Candidate, np.ndarray, bool]:
    """The best candidate with signs clipped, its active set (m,), and whether it meets the KKT conditions to 1e-10.

    Args:
        program: what is solved.
        is_equality: (m,) bool, always active.
        start: (m,) multipliers of a solver; the inequalities with positive ones form the first active set. They are
            returned as they are where they meet the KKT conditions to rounding.
    """
    active = is_equality | (start > 0.0)
    multipliers = np.where(active, start, 0.0)
    best, best_error = program.evaluate(multipliers), np.inf
    if best.is_exact(active):
        return best, active, True
    for _ in range(_MAX_CORRECTIONS):
        candidate = program.solve(active, np.where(active, multipliers, 0.0))
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
    clipped = np.where(is_equality, best.multipliers, np.maximum(best.multipliers, 0.0))
    best = Candidate(clipped, best.slack, best.size, best.step)
    return best, is_equality | (clipped > 0.0), best_error <= _OPTIMAL


@dataclass(frozen=True)
class GramProgram:
    """Known by gram = A A^T (m, m) alone: two corrections by exact solves, of least norm where singular."""

    gram: np.ndarray
    rhs: np.ndarray

    def evaluate(self, multipliers: np.ndarray) -> Candidate:
        return Candidate(multipliers, self.gram @ multipliers - self.rhs, 1.0 + float(np.abs(multipliers).sum()))

    def solve(self, active: np.ndarray, start: np.ndarray) -> Candidate:
        index = np.flatnonzero(active)
        multipliers = np.zeros_like(self.rhs)
        if index.size:
            multipliers[index] = _solve_gram(self.gram[np.ix_(index, index)], self.rhs[index], start[index])
        return self.evaluate(multipliers)


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


@dataclass(frozen=True)
class RowProgram:
    """Known by A (m, p) itself: solves by QR, and the step d is refined apart from the multipliers."""

    rows: np.ndarray
    rhs: np.ndarray

    def evaluate(self, multipliers: np.ndarray) -> Candidate:
        return self._candidate(multipliers, multipliers @ self.rows)

    def solve(self, active: np.ndarray, start: np.ndarray) -> Candidate:
        index = np.flatnonzero(active)
        multipliers, step = np.zeros_like(self.rhs), np.zeros(self.rows.shape[1])
        if index.size:
            multipliers[index], step = _solve_rows(self.rows[index], self.rhs[index], start[index])
        return self._candidate(multipliers, step)

    def _candidate(self, multipliers: np.ndarray, step: np.ndarray) -> Candidate:
        return Candidate(multipliers, self.rows @ step - self.rhs, 1.0 + math.sqrt(step @ step), step)


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

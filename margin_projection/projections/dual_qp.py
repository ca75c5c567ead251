"""The least-distance program min 1/2 ||d||^2 s.t. A d >= b (or = b), solved through its dual from A A^T alone."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import daqp
import numpy as np
from scipy.linalg import qr
from scipy.linalg.lapack import dpstrf
from scipy.optimize import nnls

from margin_projection.projections.active_set import GramProgram, refine

_EPSILON = float(np.finfo(np.float64).eps)
_ZERO_ROW = 1e-290  # squared norms below this belong to rows that vanish
_UNBOUNDED = 1e30
_GRAM_NOISE = 1e-7  # relative length of a combination of rows that rounding errors of their Gram matrix can hide


class DualQPStatus(enum.Enum):
    """How the quadratic program ended."""

    OPTIMAL = "The KKT conditions hold at float64 precision."
    INFEASIBLE = "No vector satisfies the constraints; `ray` is a numerical Farkas vector, not an exact proof."
    FAILED = "The KKT conditions could not be met; the multipliers are the best found."


@dataclass(frozen=True)
class DualQPSolution:
    """The dual solution of min 1/2 ||d||^2 s.t. (A d)_i >= rhs_i (inequalities), = rhs_i (equalities).

    Attributes:
        multipliers: (m,) l with d = A^T l, nonnegative for inequalities; a minimizer of 1/2 l^T K l - rhs^T l.
        active: (m,) bool, equalities and inequalities that hold with equality and carry the solution.
        slack: (m,) K l - rhs, nonnegative up to rounding where status is OPTIMAL.
        status: see `DualQPStatus`.
        ray: (m,) u with K u ~ 0, rhs^T u > 0 and u_i >= 0 for inequalities where status is INFEASIBLE, else None.
    """

    multipliers: np.ndarray
    active: np.ndarray
    slack: np.ndarray
    status: DualQPStatus
    ray: np.ndarray | None = None


def least_distance(
    gram: np.ndarray, rhs: np.ndarray, is_equality: np.ndarray, warm_active: np.ndarray | None = None
) -> DualQPSolution:
    """Solve min 1/2 ||d||^2 s.t. (A d)_i >= rhs_i (inequalities), = rhs_i (equalities), given only gram = A A^T.

    Args:
        gram: (m, m) positive semidefinite, possibly singular (dependent, repeated and zero rows are allowed).
        rhs: (m,) finite.
        is_equality: (m,) bool.
        warm_active: (m,) bool, constraints expected to be active; it changes the work, not the result.

    Returns:
        The solution; with gram alone, rows whose directions differ by less than about 1e-7 count as parallel.

    >>> least_distance(np.array([[4.0]]), np.array([2.0]), np.array([False])).multipliers
    array([0.5])
    """
    scale = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    vanishing = scale * scale < _ZERO_ROW
    if vanishing.any():
        return _without_zero_rows(gram, rhs, is_equality, warm_active, ~vanishing)
    size = float((np.abs(rhs) / scale).max(initial=0.0))
    if size == 0.0 or not ((rhs > 0.0) | (is_equality & (rhs != 0.0))).any():
        return _zero_solution(rhs, is_equality)
    inverse = 1.0 / scale
    unit_gram = np.outer(inverse, inverse)
    unit_gram *= gram
    unit_rhs = rhs * (inverse / size)
    rows = _factor(unit_gram)
    multipliers, ray = solve_unit_rows(rows, unit_rhs, is_equality, warm_active)
    if multipliers is None:
        return _failure(rhs, is_equality, None if ray is None else ray * inverse)
    best, active, optimal = refine(GramProgram(unit_gram, unit_rhs), is_equality, multipliers)
    multipliers = best.multipliers * (inverse * size)
    status = DualQPStatus.OPTIMAL if optimal else DualQPStatus.FAILED
    return DualQPSolution(multipliers, active, gram @ multipliers - rhs, status)


def solve_unit_rows(
    rows: np.ndarray,
    rhs: np.ndarray,
    is_equality: np.ndarray,
    warm_active: np.ndarray | None = None,
    dependence: float = 1e-7,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(multipliers, ray) of the least-distance program with explicit ``rows`` (m, r) of unit norm and max |rhs| = 1.

    Multipliers are None where none were found; ray is a numerical Farkas vector (m,) where one was found. Equalities
    nearer than ``dependence`` to the span of the others are left out where they make the program unsolvable.
    """
    rows = np.ascontiguousarray(rows)
    multipliers = _solve_active_set(rows, rhs, is_equality, warm_active, 1e-11)
    if multipliers is None and is_equality.any():
        kept = ~is_equality
        kept[_independent(rows, np.flatnonzero(is_equality), dependence)] = True
        part = _solve_active_set(rows[kept], rhs[kept], is_equality[kept], None, 1e-8)
        if part is not None:
            candidate = np.zeros_like(rhs)
            candidate[kept] = part
            left_out = rows[~kept] @ (candidate @ rows) - rhs[~kept]
            if np.abs(left_out).max(initial=0.0) <= max(dependence, 1e-9) * (1.0 + np.abs(candidate).max()):
                multipliers = candidate
    if multipliers is not None:
        return multipliers, None
    return solve_by_nonnegative_least_squares(rows, rhs, is_equality)


def _solve_active_set(
    rows: np.ndarray, rhs: np.ndarray, is_equality: np.ndarray, warm_active: np.ndarray | None, tolerance: float
) -> np.ndarray | None:
    """The multipliers (m,) daqp finds, or None where it finds none."""
    sense = np.where(is_equality, 5, 0).astype(np.int32)
    warm = {} if warm_active is None else {"dual_start": np.where(warm_active & ~is_equality, -1.0, 0.0)}
    upper = np.where(is_equality, rhs, _UNBOUNDED)
    identity, linear = np.eye(rows.shape[1]), np.zeros(rows.shape[1])
    try:
        _, _, flag, info = daqp.solve(identity, linear, rows, upper, rhs, sense, primal_tol=tolerance, **warm)
    except (ValueError, RuntimeError):
        return None
    multipliers = -info["lam"]
    return multipliers if flag == 1 and np.isfinite(multipliers).all() else None


def _independent(rows: np.ndarray, index: np.ndarray, dependence: float) -> np.ndarray:
    """A largest part of ``index`` whose rows are independent up to ``dependence``."""
    factor, order = qr(rows[index].T, mode="r", pivoting=True)
    pivots = np.abs(np.diagonal(factor))
    return index[order[: int((pivots > dependence).sum())]]


def solve_by_nonnegative_least_squares(
    rows: np.ndarray, rhs: np.ndarray, is_equality: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Lawson and Hanson's reduction: min ||R^T u||^2 + (rhs^T u - 1)^2 over u >= 0; residual 0 is a Farkas vector."""
    columns = np.vstack([rows.T, rhs])
    doubled = np.hstack([columns, -columns[:, is_equality]])
    target = np.zeros(columns.shape[0])
    target[-1] = 1.0
    try:
        weights, residual = nnls(doubled, target)
    except RuntimeError:
        return None, None
    signed = weights[: rhs.size].copy()
    signed[is_equality] -= weights[rhs.size :]
    value = float(rhs @ signed)
    if value > 0.5 and np.linalg.norm(signed @ rows) <= _GRAM_NOISE * np.linalg.norm(signed):
        return None, signed / value
    if residual <= 1e-9 or value >= 1.0:
        return None, None
    return signed / (1.0 - value), None


def _factor(unit_gram: np.ndarray) -> np.ndarray:
    """R (m, r) with R R^T = gram (unit diagonal), the rank cut where the remaining pivots are rounding errors."""
    tolerance = _EPSILON * max(16.0, float(unit_gram.shape[0]))
    # the transpose is the same matrix, already in LAPACK's order
    factor, pivots, rank, _ = dpstrf(unit_gram.T, tol=tolerance, lower=1)
    rows = np.zeros((unit_gram.shape[0], rank))
    rows[pivots - 1] = np.tril(factor[:, :rank])
    return rows


def _zero_solution(rhs: np.ndarray, is_equality: np.ndarray) -> DualQPSolution:
    return DualQPSolution(np.zeros_like(rhs), is_equality.copy(), -rhs, DualQPStatus.OPTIMAL)


def _failure(rhs: np.ndarray, is_equality: np.ndarray, ray: np.ndarray | None) -> DualQPSolution:
    status = DualQPStatus.FAILED if ray is None else DualQPStatus.INFEASIBLE
    if ray is not None:
        ray = ray / np.abs(ray).max()
    return DualQPSolution(np.zeros_like(rhs), is_equality.copy(), -rhs, status, ray)


def _without_zero_rows(
    gram: np.ndarray, rhs: np.ndarray, is_equality: np.ndarray, warm_active: np.ndarray | None, kept: np.ndarray
) -> DualQPSolution:
    """Drop rows of A that vanish: 0 >= rhs_i is redundant, or proves infeasibility by itself."""
    impossible = ~kept & ((rhs > 0.0) | (is_equality & (rhs != 0.0)))
    if impossible.any():
        unit = np.where(np.arange(rhs.size) == np.flatnonzero(impossible)[0], np.sign(rhs), 0.0)
        return _failure(rhs, is_equality, unit)
    warm = None if warm_active is None else warm_active[kept]
    reduced = least_distance(gram[np.ix_(kept, kept)], rhs[kept], is_equality[kept], warm)
    multipliers, active, slack = np.zeros_like(rhs), is_equality.copy(), -rhs
    multipliers[kept], active[kept], slack[kept] = reduced.multipliers, reduced.active, reduced.slack
    ray: np.ndarray | None = None
    if reduced.ray is not None:
        ray = np.zeros_like(rhs)
        ray[kept] = reduced.ray
    return DualQPSolution(multipliers, active, slack, reduced.status, ray)

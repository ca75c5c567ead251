"""Lower bounds on distances to one constraint, for many points at once, from raw values: the batch verifier."""

from __future__ import annotations

import numpy as np

_EXTENDED = np.longdouble
_EXTENDED_EPSILON = float(np.finfo(_EXTENDED).eps)
_EPSILON = float(np.finfo(np.float64).eps)
_SLACK = 16.0 * _EPSILON  # keeps the curvature 1 - w q positive after rounding


def diagonal_lower_bounds(
    starts: np.ndarray, form: np.ndarray, bound: float, is_equality: bool, multipliers: np.ndarray
) -> np.ndarray:
    """Numbers no larger than the distances from ``starts`` to {theta : <q, theta^2> >= b, or = b}.

    The weak duality of `quadratic_lower_bound`, rounding errors bounded and subtracted; nothing but the multipliers is
    taken from a solver, and wrong ones give a weaker bound, never a wrong one.

    Args:
        starts: (R, p).
        form: (p,) q.
        bound: b.
        is_equality: whether the constraint is an equality.
        multipliers: (R,) finite.

    Returns:
        (R,) bounds, at least 0.

    >>> diagonal_lower_bounds(np.zeros((1, 1)), np.array([4.0]), 1.0, False, np.array([0.125])).round(12).tolist()
    [0.5]
    """
    weights = 2.0 * multipliers
    if not is_equality:
        return _root(_squared_bounds(starts, form, bound, np.maximum(weights, 0.0)))
    raised = _squared_bounds(starts, form, bound, np.maximum(weights, 0.0))
    return _root(np.where(weights < 0.0, _squared_bounds(starts, -form, -bound, np.maximum(-weights, 0.0)), raised))


def _squared_bounds(starts: np.ndarray, form: np.ndarray, bound: float, weights: np.ndarray) -> np.ndarray:
    """(R,) bounds on squared distances to {<q, theta^2> >= b} from weights (R,) >= 0.

    ||theta - start||^2 >= w (b - <q, start^2>) - sum_j w^2 q_j^2 start_j^2 / (1 - w q_j) as long as w max q < 1. The
    residual, where terms cancel, is taken in extended precision; the loss is a sum of nonnegative terms.
    """
    q, largest, rounding = form[:, None], max(form.max(initial=0.0), 0.0), form.size + 16.0
    w = weights / np.maximum(1.0, (1.0 + _SLACK) * largest * weights + _SLACK)
    terms = starts.T.astype(_EXTENDED, order="C")
    terms *= terms
    terms *= q.astype(_EXTENDED)
    above, below = terms[form > 0.0].sum(0), -terms[form < 0.0].sum(0)
    residuals = bound - above + below
    blur = (rounding * _EXTENDED_EPSILON) * (abs(bound) + above + below)
    curvature = (1.0 - 4.0 * _EPSILON) - w * (q + 4.0 * _EPSILON * np.abs(q))
    with np.errstate(divide="ignore", invalid="ignore"):  # a loss that is no number proves nothing, in `_root`
        loss = (q * terms.astype(np.float64) / np.maximum(curvature, 0.0)).sum(0) * w * w
    gain, loss = w * (residuals - blur).astype(np.float64), loss * (1.0 + 2.0 * rounding * _EPSILON)
    return gain - loss - 8.0 * _EPSILON * (np.abs(gain) + loss)


def several_lower_bounds(
    starts: np.ndarray, forms: np.ndarray, offsets: np.ndarray, is_equality: np.ndarray, multipliers: np.ndarray
) -> np.ndarray:
    """Numbers no larger than the distances from ``starts`` to {theta : <q_i, theta^2> >= b_i, or = b_i}.

    As `quadratic_lower_bound`, for (R, p) starts with one row of multipliers (R, n) each, in extended precision.

    >>> data = np.zeros((1, 1)), np.array([[4.0], [1.0]]), np.array([1.0, -1.0]), np.array([False, False])
    >>> several_lower_bounds(*data, np.array([[0.125, 0.0]])).round(12).tolist()
    [0.5]
    """
    weights = np.where(np.isfinite(multipliers), 2.0 * multipliers, 0.0).T
    w = np.where(is_equality[:, None], weights, np.maximum(weights, 0.0)).astype(_EXTENDED)
    q, b, squares = forms.astype(_EXTENDED), offsets.astype(_EXTENDED), starts.T.astype(_EXTENDED) ** 2
    error = (len(forms) + 4.0) * _EXTENDED_EPSILON
    pull, size = _combine(q, w), _combine(np.abs(q), np.abs(w))
    w = w / np.maximum(1.0, (pull + 2.0 * error * (1.0 + size)).max(0))
    pull, size = _combine(q, w), _combine(np.abs(q), np.abs(w))
    curvature = np.maximum(1.0 - pull - error * (1.0 + size), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # a loss that is no number proves nothing, in `_root`
        terms = np.where(size * squares > 0.0, (np.abs(pull) + error * size) ** 2 * squares / curvature, 0.0)
    loss = terms.sum(0)
    residuals, sizes = b[:, None] - _combine(q.T, squares), np.abs(b)[:, None] + _combine(np.abs(q).T, squares)
    rounding = (sum(forms.shape) + 16.0) * _EXTENDED_EPSILON * ((np.abs(w) * sizes).sum(0) + loss)
    return _root((w * residuals).sum(0) - loss - rounding)


def _combine(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(p, R) sum_i rows_i weights_i of rows (n, p) and weights (n, R)."""
    return (rows[:, :, None] * weights[:, None, :]).sum(0)


def halfspace_lower_bounds(starts: np.ndarray, normal: np.ndarray, bound: float, is_equality: bool) -> np.ndarray:
    """Numbers no larger than the distances from ``starts`` (R, p) to {theta : <a, theta> >= b, or = b}; 0 where a = 0.

    >>> halfspace_lower_bounds(np.zeros((1, 2)), np.array([3.0, 4.0]), 10.0, False).round(12).tolist()
    [2.0]
    """
    points, a = starts.astype(_EXTENDED), normal.astype(_EXTENDED)
    residuals, sizes = bound - points @ a, abs(bound) + np.abs(points) @ np.abs(a)
    short = (np.abs(residuals) if is_equality else residuals) - (a.size + 8.0) * _EXTENDED_EPSILON * sizes
    norm = np.sqrt((a**2).sum())
    return _root(np.maximum(short / (norm if norm > 0.0 else np.inf), 0.0) ** 2)


def _root(squared: np.ndarray) -> np.ndarray:
    """Square roots as float64, rounded down; 0 for what is not positive."""
    return np.where(squared > 0.0, np.sqrt(np.maximum(squared, 0.0)) * (1.0 - 4.0 * _EPSILON), 0.0).astype(np.float64)

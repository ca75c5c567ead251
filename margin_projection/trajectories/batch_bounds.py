"""Lower bounds on distances to one constraint, for many points at once, from raw values: the batch verifier."""

from __future__ import annotations

import numpy as np

_EXTENDED = np.longdouble
_EXTENDED_EPSILON = float(np.finfo(_EXTENDED).eps)
_EPSILON = float(np.finfo(np.float64).eps)
_SLACK = 16.0 * _EXTENDED_EPSILON  # keeps the curvature positive after rounding


def diagonal_lower_bounds(
    starts: np.ndarray, form: np.ndarray, bound: float, is_equality: bool, multipliers: np.ndarray
) -> np.ndarray:
    """Numbers no larger than the distances from ``starts`` to {theta : <q, theta^2> >= b, or = b}.

    The weak duality of `quadratic_lower_bound`, in extended precision, rounding errors bounded and subtracted; nothing
    but the multipliers is taken from a solver, and wrong ones give a weaker bound, never a wrong one.

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
    weights = 2.0 * multipliers.astype(_EXTENDED)[:, None]
    weights = weights if is_equality else np.maximum(weights, 0.0)
    squares, q = starts.astype(_EXTENDED) ** 2, form.astype(_EXTENDED)
    upper = weights * q + _SLACK * (1.0 + np.abs(weights * q))
    weights = weights / np.maximum(1.0, upper.max(1, keepdims=True))
    spread = 4.0 * _EXTENDED_EPSILON * np.abs(weights * q)
    curvature = 1.0 - weights * q - spread - 4.0 * _EXTENDED_EPSILON
    pulled = (np.abs(weights * q) + spread) ** 2 * squares
    loss = np.where(pulled > 0.0, np.inf, 0.0)
    np.divide(pulled, curvature, out=loss, where=(pulled > 0.0) & (curvature > 0.0))
    loss = loss.sum(1)
    residuals, sizes = bound - squares @ q, abs(bound) + squares @ np.abs(q)
    rounding = (starts.shape[1] + 16.0) * _EXTENDED_EPSILON * (np.abs(weights[:, 0]) * sizes + loss)
    return _root(weights[:, 0] * residuals - loss - rounding)


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

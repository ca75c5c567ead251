"""A lower bound on the distance to a polyhedron, from multipliers alone: the independent verifier."""

from __future__ import annotations

import math

import numpy as np

_EXTENDED = np.longdouble
_EXTENDED_EPSILON = float(np.finfo(_EXTENDED).eps)
_EPSILON = float(np.finfo(np.float64).eps)


def linear_lower_bound(
    start: np.ndarray, rows: np.ndarray, offsets: np.ndarray, is_equality: np.ndarray, multipliers: np.ndarray
) -> float:
    """A number no larger than the distance from ``start`` to {theta : (A theta)_i >= b_i, or = b_i}.

    Multipliers l, nonnegative for inequalities, combine the constraints to one that every feasible theta satisfies,
    g^T theta >= l^T b with g = A^T l: the distance to that halfspace, (l^T b - g^T start) / ||g||, is the bound. It is
    the duality bound at the best multiple of l. Negative multipliers of inequalities are set to 0. Sums are taken in
    extended precision, and their rounding errors are bounded and subtracted.

    Args:
        start: (p,).
        rows: (n, p) A.
        offsets: (n,) b.
        is_equality: (n,) bool.
        multipliers: (n,) in the convention of `Projection.multipliers`.

    Returns:
        The bound on the distance, at least 0; 0 where the multipliers prove nothing.

    >>> half = (np.array([[3.0, 4.0]]), np.ones(1), np.array([False]))
    >>> round(linear_lower_bound(np.zeros(2), *half, np.array([0.04])), 12)  # 3 a + 4 b >= 1 from the origin
    0.2
    """
    weights = np.where(is_equality, multipliers, np.maximum(multipliers, 0.0))
    support = np.flatnonzero(weights)
    if not np.isfinite(weights).all():
        return 0.0
    weights, chosen, sides = weights[support], rows[support], offsets[support]
    sizes, extended = np.abs(weights), weights.astype(_EXTENDED)
    normal, spread = np.dot(extended, chosen.astype(_EXTENDED)), sizes @ np.abs(chosen)
    error = (support.size + start.size + 8) * _EXTENDED_EPSILON
    rounding = 2.0 * error * float(sizes @ np.abs(sides) + spread @ np.abs(start))
    value = np.dot(extended, sides) - np.dot(normal, start) - rounding
    length = (1.0 + error) * (np.sqrt(np.dot(normal, normal)) + error * math.sqrt(spread @ spread))
    bound = float(value / length) * (1.0 - 4.0 * _EPSILON) if value > 0.0 and length > 0.0 else 0.0
    return bound if math.isfinite(bound) else 0.0

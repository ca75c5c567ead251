"""A lower bound on the distance to a set of quadratic constraints, from multipliers alone: the independent verifier."""

from __future__ import annotations

from typing import Any

import numpy as np

_EXTENDED = np.longdouble
_EXTENDED_EPSILON = float(np.finfo(_EXTENDED).eps)
_EPSILON = float(np.finfo(np.float64).eps)


def quadratic_lower_bound(
    start: Any, forms: Any, signs: Any, offsets: Any, is_equality: Any, multipliers: Any
) -> float:
    """A number no larger than the distance from ``start`` to {theta : s_i theta^T A_i theta >= b_i, or = b_i}.

    Weak duality: for weights = 2 * multipliers (nonnegative for inequalities) with M = I - sum_i l_i s_i A_i positive
    definite, every feasible theta has ||theta - start||^2 >= ||start||^2 + weights^T b - start^T M^{-1} start, which
    equals weights^T (b - s start^T A start) - g^T M^{-1} g with g = (I - M) start. Negative multipliers of inequalities
    are set to 0, and weights is scaled down until M is certainly positive definite (the bound is concave along that ray
    and 0 at weights = 0, so a relative change of weights costs at most the same relative change of the bound). Nothing
    is trusted: rounding errors of every sum are bounded and subtracted, and M^{-1} g is an approximation whose error
    enters the bound.

    Args:
        start: (p,).
        forms: (n, p) diagonals, or (n, p, p) symmetric matrices A_i.
        signs, offsets: (n,) s and b.
        is_equality: (n,) bool.
        multipliers: (n,) in the convention of `Projection.multipliers`, theta - start = sum_i lambda_i grad c_i(theta).

    Returns:
        The bound on the distance (not its square), at least 0; 0 where the multipliers prove nothing.

    >>> round(quadratic_lower_bound([0.0], [[4.0]], [1.0], [1.0], [False], [0.125]), 12)  # 4 theta^2 >= 1 from 0
    0.5
    """
    start, forms = np.asarray(start, dtype=np.float64), np.asarray(forms, dtype=np.float64)
    signs, offsets = np.asarray(signs, dtype=np.float64), np.asarray(offsets, dtype=np.float64)
    weights = 2.0 * np.asarray(multipliers, dtype=np.float64)
    weights = np.where(np.asarray(is_equality, dtype=bool), weights, np.maximum(weights, 0.0))
    if not np.isfinite(weights).all():
        return 0.0
    bound = _diagonal_bound if forms.ndim == 2 else _dense_bound
    squared = bound(start, signs.reshape(-1, *[1] * (forms.ndim - 1)) * forms, offsets, weights)
    return float(np.sqrt(squared) * (1.0 - 4.0 * _EPSILON)) if squared > 0.0 else 0.0


def _diagonal_bound(start: np.ndarray, forms: np.ndarray, offsets: np.ndarray, weights: np.ndarray) -> float:
    """The bound on the squared distance for diagonal forms, in extended precision."""
    start, forms, offsets, weights = (each.astype(_EXTENDED) for each in (start, forms, offsets, weights))
    error = (forms.shape[0] + 4) * _EXTENDED_EPSILON
    weights = weights * _shrinkage(weights @ forms + 2 * error * (1 + np.abs(weights) @ np.abs(forms)))
    spread = error * (np.abs(weights) @ np.abs(forms))
    curvature = 1 - weights @ forms - spread
    if curvature.min(initial=1) < 0:
        return 0.0
    pulled = (np.abs(weights @ forms) + spread) * np.abs(start)
    residuals = offsets - forms @ start**2
    sizes = np.abs(offsets) + np.abs(forms) @ start**2
    moved = pulled > 0
    if (curvature[moved] == 0).any():
        return 0.0
    loss = np.sum(pulled[moved] ** 2 / curvature[moved])
    rounding = (start.size + weights.size + 8) * _EXTENDED_EPSILON * (np.abs(weights) @ sizes + loss)
    return float(weights @ residuals - loss - rounding)


def _shrinkage(upper: np.ndarray) -> Any:
    """The factor that brings every entry of ``upper`` (the diagonal of I - M) down to 1, at most 1."""
    return 1 / max(1, upper.max(initial=0))


def _dense_bound(start: np.ndarray, forms: np.ndarray, offsets: np.ndarray, weights: np.ndarray) -> float:
    """The bound on the squared distance for full matrices."""
    p = start.size
    size = float(np.abs(weights) @ np.linalg.norm(forms, axis=(1, 2)))
    margin = 8.0 * (p + weights.size) * _EPSILON * (1.0 + size)
    largest = float(np.linalg.eigvalsh(np.tensordot(weights, forms, 1))[-1])
    if largest > 1.0 - 2.0 * margin:
        weights = weights * ((1.0 - 2.0 * margin) / largest)
    pull = np.tensordot(weights, forms, 1)
    smallest = 1.0 - float(np.linalg.eigvalsh(pull)[-1]) - margin
    if smallest <= 0.0:
        return 0.0
    return _dense_dual_value(start, forms, offsets, weights, np.linalg.solve(np.eye(p) - pull, pull @ start), smallest)


def _dense_dual_value(
    start: np.ndarray, forms: np.ndarray, offsets: np.ndarray, weights: np.ndarray, shift: np.ndarray, smallest: float
) -> float:
    """weights^T (b - start^T A start) - g^T M^{-1} g, bounded from below with any ``shift`` near M^{-1} g.

    With r = g - M shift: g^T M^{-1} g = 2 shift^T g - shift^T M shift + r^T M^{-1} r <= ... + ||r||^2 / smallest.
    """
    start, forms, offsets, weights, shift = (each.astype(_EXTENDED) for each in (start, forms, offsets, weights, shift))
    pull = np.tensordot(weights, forms, 1)
    image = pull @ start
    residual = image - shift + pull @ shift
    quadratic = 2 * shift @ image - shift @ shift + shift @ (pull @ shift)
    values = np.einsum("p,npq,q->n", start, forms, start)
    width = np.abs(start) + np.abs(shift)
    absolute = np.tensordot(np.abs(weights), np.abs(forms), 1)
    magnitude = np.abs(weights) @ np.abs(offsets) + 4 * width @ absolute @ width + width @ width
    rounding = 2 * (2 * start.size + weights.size + 8) * _EXTENDED_EPSILON
    blur = rounding * np.linalg.norm(absolute @ width + width)
    correction = (np.linalg.norm(residual) + blur) ** 2 / _EXTENDED(smallest)
    return float(weights @ (offsets - values) - quadratic - correction - rounding * magnitude)

"""MFCQ margins, metric regularity and singular values at a point, each as an interval."""

from __future__ import annotations

import math

import numpy as np

from margin_projection.regularity.hull import ROUNDING, HullDistance, hull_distance
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.point_geometry import PointGeometry

_EIGEN_ROUNDING = 1e-14  # relative error of an eigenvalue of a Gram matrix, per row
_NOTHING = "no active constraint: the condition is empty"


def margin_along(geometry: PointGeometry, active: np.ndarray) -> Interval:
    """min over the active constraints of <g, theta*> / ||theta*||: r / ||theta*|| or more, by Euler's identity."""
    if not active.any():
        return Interval.exact(math.inf, _NOTHING)
    slopes = geometry.slopes(geometry.theta)[active] / geometry.norm
    error = ROUNDING * float(geometry.clarke_norms[active].max())
    value = float(slopes.min())
    return Interval(max(0.0, value - error), value + error, "Euler's identity at the point", "the same")


def best_margin(geometry: PointGeometry, rows: np.ndarray, scales: np.ndarray | None = None) -> HullDistance:
    """The distance from 0 to the hull of the gradients of ``rows`` (divided by ``scales``), infinite without rows."""
    if not rows.any():
        return HullDistance(Interval.exact(math.inf, _NOTHING), np.zeros(rows.size), None)
    return hull_distance(geometry, rows, np.ones(rows.size) if scales is None else scales)


def least_singular_value(geometry: PointGeometry, rows: np.ndarray) -> Interval:
    """The least singular value of the gradients of ``rows``, from their Gram matrix."""
    values = np.linalg.eigvalsh(geometry.gram[np.ix_(rows, rows)])
    error = _EIGEN_ROUNDING * len(values) * max(float(values[-1]), 0.0)
    ends = math.sqrt(max(0.0, float(values[0]) - error)), math.sqrt(max(0.0, float(values[0]) + error))
    return Interval(*ends, "eigenvalue of the Gram matrix, rounding subtracted", "the same, rounding added")


def metric_regularity(geometry: PointGeometry, active: np.ndarray, hull: HullDistance, is_equality: bool) -> Interval:
    """mu = max over unit normals y of 1 / ||grad F^T y|| (Proposition C.4): y any sign for equalities, else y >= 0.

    For y >= 0: ||grad F^T y|| is at least the best margin times sum_j y_j, and sum_j y_j >= ||y||; it is also at least
    the least singular value. It is at most what the hull's nearest point, or a single constraint, attains.
    """
    if not active.any():
        return Interval.exact(0.0, _NOTHING)
    singular = least_singular_value(geometry, active)
    if is_equality:
        if geometry.on_kinks[active].any():
            return Interval(_inverse(singular.upper), math.inf, "one piece's least singular value", "none at a kink")
        return Interval(_inverse(singular.upper), _inverse(singular.lower), "least singular value", "the same")
    one_piece = not geometry.on_kinks[active].any()  # the singular value is that of one piece alone
    floor = max(hull.margin.lower, singular.lower) if one_piece else hull.margin.lower
    weights = hull.weights[active]
    attained = float(geometry.gradient_norms[active].min())
    size = float(np.linalg.norm(weights))
    if size > 0.0:
        attained = min(attained, hull.margin.upper * float(weights.sum()) / size)
    upper = _inverse(floor)
    lower = min(_inverse(attained), upper)
    return Interval(lower, upper, "the normals tried", "best margin, or least singular value")


def _inverse(value: float) -> float:
    return 1.0 / value if value > 0.0 else math.inf

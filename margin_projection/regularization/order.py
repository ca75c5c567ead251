"""The measured order of convergence in s: a fit over the asymptotic tail, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

_FEWEST = 5
_NOISE = 1e-13  # relative error of a computed point; errors below 100 times it are left out
_TAIL = 0.5  # share of the range of log s (from its end) that counts as the tail
_CONFIDENCE = 0.95
_REGRESSION_START = 3.0


@dataclass(frozen=True)
class MeasuredOrder:
    """-d log(error) / d log(s) over a window (classification), or -d log(error) / ds (regression: the order in lambda).

    Attributes:
        value: the slope by least squares.
        interval: (low, high): the 95 % interval of the fit, widened by the drift between the window's halves, since the
            deviations of a convergent sequence from its law are no random errors.
        window: (first, last) s used.
        count: points used; 0 where there are too few (then the numbers are 0).
    """

    value: float
    interval: tuple[float, float]
    window: tuple[float, float]
    count: int

    @staticmethod
    def none() -> MeasuredOrder:
        """Too few points."""
        return MeasuredOrder(0.0, (0.0, 0.0), (0.0, 0.0), 0)


def tail(grid: np.ndarray, errors: np.ndarray, same: np.ndarray, size: float, is_regression: bool) -> np.ndarray:
    """(S,) bool: the asymptotic window: the path's last stretch on one branch, errors above rounding.

    Args:
        grid: (S,) s; errors: (S,); same: (S,) whether the point lies on the branch of the limit; size: of the points.
    """
    last = np.flatnonzero(~same)
    usable = np.arange(grid.size) > (last[-1] if last.size else -1)
    usable &= errors > 100.0 * _NOISE * (1.0 + size)
    if is_regression:
        return np.asarray(usable & (grid >= _REGRESSION_START))
    first = math.exp(math.log(grid[-1]) - _TAIL * (math.log(grid[-1]) - math.log(max(grid[0], 1.0))))
    return np.asarray(usable & (grid >= first))


def measured_order(grid: np.ndarray, errors: np.ndarray, window: np.ndarray, is_regression: bool) -> MeasuredOrder:
    """The order over ``window`` (S,) bool; none where it has fewer than 5 points."""
    if int(window.sum()) < _FEWEST:
        return MeasuredOrder.none()
    s = grid[window]
    x, y = (s if is_regression else np.log(s)), -np.log(errors[window])
    value, spread = _slope(x, y)
    half = x.size // 2
    drift = abs(_slope(x[:-half], y[:-half])[0] - _slope(x[half:], y[half:])[0])
    reach = spread + drift
    return MeasuredOrder(value, (value - reach, value + reach), (float(s[0]), float(s[-1])), int(x.size))


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The slope and the half-width of its 95 % interval."""
    centred = x - x.mean()
    square = float(centred @ centred)
    value = float(centred @ y) / square
    if x.size < 3:
        return value, 0.0
    rest = y - y.mean() - value * centred
    error = math.sqrt(float(rest @ rest) / (x.size - 2) / square)
    return value, float(student.ppf((1.0 + _CONFIDENCE) / 2.0, x.size - 2)) * error


def fitted_coefficients(
    grid: np.ndarray, errors: np.ndarray, window: np.ndarray, is_regression: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(alpha, beta, gamma), (p,) each, fitted to the error vectors (S, p); zero where there are too few points.

    s e(s) = alpha log s + beta + (a log^2 s + b log s + c) / s by least squares where the window has at least 8 points
    (classification); e^s e(s) = gamma, its mean (regression).
    """
    zero = np.zeros(errors.shape[1])
    if int(window.sum()) < _FEWEST:
        return zero, zero, zero
    s, vectors = grid[window], errors[window]
    if is_regression:
        return zero, zero, np.asarray((np.exp(s)[:, None] * vectors)[len(s) // 2])
    logs = np.log(s)
    columns = [logs, np.ones_like(s)]
    if s.size >= 8:
        columns += [logs**2 / s, logs / s, 1.0 / s]
    table = np.stack(columns, 1)
    scale = np.linalg.norm(table, axis=0)
    solution = np.linalg.lstsq(table / scale, s[:, None] * vectors, rcond=None)[0] / scale[:, None]
    return solution[0], solution[1], zero

"""Models of a sequence of logarithms on one window: a line, a line with a decaying mode, a sum of geometric ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MODE_POINTS = 8  # at least, for a line with a decaying mode
_DECAYS = 32
_REFINEMENTS = 3
_MOST_CORRELATED = 0.98
_EVEN = 1e-9
_ROUNDING = 1e-15
_SEEN = 10.0  # times the residuals: below, a term of a sum is taken for noise
_LARGEST_SPAN = 200.0  # of the logarithms after the trend is removed: beyond, squares overflow


@dataclass(frozen=True)
class Estimate:
    """A model on one window.

    Attributes:
        slope: the asymptotic slope.
        weights: (N,) w with slope = <w, y> to first order in y; of the line alone for sums of geometric sequences.
        residuals: (N,) of the logarithms.
        statistical: standard error of the slope, for independent errors of the effective number of points.
        freedom: that number less the number of parameters.
        description: of the model, in words.
    """

    slope: float
    weights: np.ndarray
    residuals: np.ndarray
    statistical: float
    freedom: float
    description: str


def fit_line(x: np.ndarray, y: np.ndarray) -> Estimate | None:
    """Least squares of y on 1 and x; None for fewer than 3 points.

    >>> round(fit_line(np.arange(4.0), np.array([1.0, 3.0, 5.0, 7.0])).slope, 12)
    2.0
    """
    return None if y.size < 3 else _least_squares(x, y, None)


def fit_line_and_mode(x: np.ndarray, y: np.ndarray) -> Estimate | None:
    """Least squares of y on 1, x and exp(-x / l), with the l that leaves the least residuals; None for few points."""
    return None if y.size < _MODE_POINTS else _least_squares(x, y, _decay_length((x - x[0]) / (x[-1] - x[0]), y))


def fit_sum(x: np.ndarray, y: np.ndarray, order: int) -> Estimate | None:
    """Prony's method: exp(2 y) as a sum of ``order`` geometric sequences; the slope is half the largest exponent.

    The linear recurrence of length ``order`` + 1 that leaves the least residuals (total least squares) is found, and
    the largest of its roots taken whose term stands out from the residuals. None for fewer than 2 ``order`` + 2 points,
    or for points not evenly spaced.

    >>> n = np.arange(12.0)
    >>> estimate = fit_sum(n, 0.5 * np.log(0.81**n + 5 * 0.64**n), 2)
    >>> bool(abs(estimate.slope - np.log(0.9)) < 1e-9)
    True
    """
    line = _least_squares(x, y, None) if y.size >= 2 * order + 2 else None
    steps = np.diff(x)
    if line is None or np.ptp(steps) > _EVEN * steps[0]:
        return None
    half = y.size // 2
    trend = float(np.polyfit(x[half:], y[half:], 1)[0])
    detrended = y - trend * (x - x[-1]) - y[-1]
    if np.abs(detrended).max() > _LARGEST_SPAN:
        return None
    values = np.exp(2.0 * detrended)
    windows = np.lib.stride_tricks.sliding_window_view(values, order + 1)
    recurrence = np.linalg.svd(windows, full_matrices=False)[2][-1]
    if abs(recurrence[-1]) <= 1e-12 * np.abs(recurrence).max():
        return None
    roots = np.roots(recurrence[::-1])
    roots = roots[roots != 0.0]
    if roots.size == 0:
        return None
    exponents = np.log(roots.astype(complex))[None, :] * np.arange(y.size)[:, None]
    powers = np.exp(exponents - np.maximum(exponents.real.max(0), 0.0))
    terms = powers * np.linalg.lstsq(powers, values.astype(complex), rcond=None)[0]
    fitted = terms.sum(1).real
    noise = max(float(np.abs(values - fitted).max()), _ROUNDING * float(values.max()))
    seen = np.abs(terms).max(0) > _SEEN * noise
    if not seen.any():
        return None
    slope = trend + 0.5 * float(np.log(np.abs(roots[seen]).max())) / float(steps[0])
    fitted = np.abs(fitted)
    residuals = detrended - 0.5 * np.log(np.maximum(fitted, np.finfo(float).tiny))
    return Estimate(slope, line.weights, residuals, 0.0, 1.0, f"sum of {order} geometric sequences")


def _least_squares(x: np.ndarray, y: np.ndarray, decay: float | None) -> Estimate:
    """y on 1, x and, for a decay length (in units of the window), the mode."""
    length = float(x[-1] - x[0])
    scaled = (x - x[0]) / length
    columns = [np.ones_like(x), scaled]
    if decay is not None:
        columns.append(np.exp(-scaled / decay))
    design = np.stack(columns, 1)
    inverse = np.linalg.pinv(design)
    parameters = inverse @ y
    residuals = y - design @ parameters
    jacobian = design
    if decay is not None:
        jacobian = np.column_stack([design, parameters[2] * scaled * columns[2]])
    count = jacobian.shape[1]
    noise = float(residuals @ residuals) / max(1, y.size - count)
    effective = _effective(residuals)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * noise * y.size / effective
    return Estimate(
        slope=float(parameters[1]) / length,
        weights=inverse[1] / length,
        residuals=residuals,
        statistical=float(np.sqrt(max(0.0, covariance[1, 1]))) / length,
        freedom=effective - count,
        description="line" if decay is None else "line and a decaying mode",
    )


def _effective(residuals: np.ndarray) -> float:
    """The number of independent points that correlated residuals are worth."""
    total = float(residuals @ residuals)
    correlation = float(residuals[1:] @ residuals[:-1]) / total if total > 0.0 else 0.0
    correlation = min(max(correlation, 0.0), _MOST_CORRELATED)
    return residuals.size * (1.0 - correlation) / (1.0 + correlation)


def _decay_length(scaled: np.ndarray, y: np.ndarray) -> float:
    """The decay length, on x scaled to [0, 1], that leaves the least squares: on a grid, then on finer ones."""
    basis, _ = np.linalg.qr(np.stack([np.ones_like(scaled), scaled], 1))
    target = y - basis @ (basis.T @ y)
    lengths = np.geomspace(0.5 / scaled.size, 0.5, _DECAYS)
    ratio = lengths[1] / lengths[0]
    for _ in range(_REFINEMENTS):
        modes = np.exp(-scaled[:, None] / lengths)
        modes -= basis @ (basis.T @ modes)
        norms = np.maximum((modes**2).sum(0), np.finfo(float).tiny)
        best = float(lengths[np.argmax((target @ modes) ** 2 / norms)])
        lengths = np.geomspace(best / ratio, min(best * ratio, 0.5), _DECAYS)
        ratio = lengths[1] / lengths[0]
    return best

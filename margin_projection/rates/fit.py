"""The asymptotic slope of a sequence of logarithms, with an interval: fits on a window chosen by the interval's width.

Three models are fitted on windows that end with the sequence y_n = log d_n:

- a line, y_n = a + s n, by least squares;
- a line and a decaying mode, a + s n + b rho^n;
- sums of geometric sequences, d_n^2 = sum_j c_j mu_j^n with 2 to 6 complex mu_j (Prony's method, by total least
  squares), s = max log|mu_j| / 2. This is what distances to a subspace under a linear iteration are.

The latter two because the logarithm of sum_i a_i q_i^n is a + n log q_1 only up to O(|q_2 / q_1|^n), which for
slowly separating q_1, q_2 outlasts a run. The half-width of the interval for s is the largest of

- for least squares, the t-interval for an effective number of points N (1 - r) / (1 + r), r the lag-one correlation of
  the residuals;
- 2 + 20 / N times the largest change of s when the same model is fitted to parts of the window (its late and early two
  thirds and its late half);
- for the line, the change of s that the trend of the slopes over the three thirds of the window leads to expect,

combined in quadrature with the normal interval of replicates of the whole sequence, where these are given (bootstrap;
sums are then not fitted), plus what the stated errors of the single values can do. The window and model of least
half-width are taken, where each window answers for its neighbours, too; the interval is then widened until it meets
those of the other models that leave like residuals. An interval is evidence, not proof: a mode that has not shown
itself within the run cannot be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from margin_projection.rates.models import Estimate, fit_line, fit_line_and_mode, fit_sum

MINIMUM_POINTS = 5
_STARTS = 16
_CAUTION, _CAUTION_FOR_FEW = 2.0, 20.0  # times the changes between parts: the first plus the second over the points
_LEAST_SHARE = 0.2  # of the points, in every window
_MOST_EXTRAPOLATED = 0.9
_RIVAL = 3.0  # times the residuals, at most, for a model to be like another
_ORDERS = (2, 3, 4, 6)


@dataclass(frozen=True)
class SlopeFit:
    """slope +- half_width on the points first..last (positions in the sequence, both included).

    ``intercept`` is that of the line with this slope; ``rms`` the root mean square of the logarithms' residuals.
    """

    slope: float
    half_width: float
    intercept: float
    first: int
    last: int
    model: str
    rms: float


@dataclass(frozen=True)
class Sequence:
    """Logarithms (N,) over positions (N,), the errors (N,) each may have, and replicates (B, N) or None."""

    positions: np.ndarray
    logs: np.ndarray
    errors: np.ndarray
    replicates: np.ndarray | None = None

    def part(self, chosen: slice) -> Sequence:
        """The sequence on some of its points."""
        replicates = None if self.replicates is None else self.replicates[:, chosen]
        return Sequence(self.positions[chosen], self.logs[chosen], self.errors[chosen], replicates)


def fit_slope(sequence: Sequence, confidence: float, fixed: bool = False) -> SlopeFit | None:
    """Fit the asymptotic slope of ``sequence``; None for fewer than `MINIMUM_POINTS` points.

    Args:
        sequence: positions increasing.
        confidence: of the interval, in (0, 1).
        fixed: use all points instead of a window chosen here (default False).

    >>> n = np.arange(30.0)
    >>> fit = fit_slope(Sequence(n, n * np.log(0.5), np.full(30, 1e-15)), 0.95)
    >>> bool(abs(np.exp(fit.slope) - 0.5) < 1e-12 and fit.half_width < 1e-12)
    True
    """
    count = sequence.logs.size
    if count < MINIMUM_POINTS:
        return None
    least = min(count, max(MINIMUM_POINTS + 1, int(np.ceil(_LEAST_SHARE * count))))
    starts = [0] if fixed else np.unique(np.linspace(0, count - least, _STARTS).astype(int)).tolist()
    orders = _ORDERS if sequence.replicates is None else ()
    best = [each for model in ("line", "mode", *orders) if (each := _best(sequence, model, starts, confidence))]
    chosen = min(best, key=lambda each: each.half_width)
    rivals = [each for each in best if each.rms <= _RIVAL * chosen.rms]
    apart = max((abs(each.slope - chosen.slope) - each.half_width for each in rivals), default=0.0)
    return replace(chosen, half_width=max(chosen.half_width, apart))


def _best(sequence: Sequence, model: str | int, starts: list[int], confidence: float) -> SlopeFit | None:
    """The fit of one model with the least half-width, each window's being at least those of its neighbours."""
    fits = [_window(sequence.part(slice(start, None)), model, start, confidence) for start in starts]
    best: SlopeFit | None = None
    for index, fit in enumerate(fits):
        near = [each.half_width for each in fits[max(0, index - 1) : index + 2] if each is not None]
        if fit is not None and (best is None or max(near) < best.half_width):
            best = replace(fit, half_width=max(near))
    return best


def _window(sequence: Sequence, model: str | int, start: int, confidence: float) -> SlopeFit | None:
    """One model on a window, with its half-width; None where the model cannot be fitted to it and to its parts."""
    x, y = sequence.positions, sequence.logs
    estimate = _fit(x, y, model)
    if estimate is None:
        return None
    third, half = y.size // 3, y.size // 2
    parts = [_fit(x[part], y[part], model) for part in (slice(third, None), slice(0, -third), slice(half, None))]
    if model != "line" and None in parts[:2]:
        return None
    quantile = 0.5 + confidence / 2
    caution = _CAUTION + _CAUTION_FOR_FEW / y.size
    widths = [caution * abs(part.slope - estimate.slope) for part in parts if part is not None]
    widths.append(estimate.statistical * float(stats.t.ppf(quantile, max(1.0, estimate.freedom))))
    resampled = 0.0
    if sequence.replicates is not None:
        resampled = float(np.std(sequence.replicates @ estimate.weights))
    if model == "line":
        widths.append(abs(_trend(x, y, resampled) - estimate.slope))
    width = float(np.hypot(max(widths), resampled * stats.norm.ppf(quantile)))
    rounding = float(np.abs(estimate.weights * sequence.errors).sum())
    rms = float(np.sqrt(np.mean(estimate.residuals**2)))
    return SlopeFit(
        slope=estimate.slope,
        half_width=width + rounding,
        intercept=float(np.mean(y[half:] - estimate.slope * x[half:])),
        first=start,
        last=start + y.size - 1,
        model=estimate.description,
        rms=rms,
    )


def _fit(x: np.ndarray, y: np.ndarray, model: str | int) -> Estimate | None:
    if isinstance(model, int):
        return fit_sum(x, y, model)
    return fit_line(x, y) if model == "line" else fit_line_and_mode(x, y)


def _trend(x: np.ndarray, y: np.ndarray, resampled: float) -> float:
    """The slope that the slopes of the three thirds tend to, if they go on changing by the same ratio.

    Where they do not change in one direction, or by no more than resampling explains, the last of them is not
    extrapolated and the slope of the whole stands.
    """
    whole = fit_line(x, y)
    third = y.size // 3
    if whole is None or third < 2:
        return 0.0 if whole is None else whole.slope
    slopes = [float(np.polyfit(x[part], y[part], 1)[0]) for part in _thirds(y.size)]
    first, second = slopes[1] - slopes[0], slopes[2] - slopes[1]
    noise = 2.0 * 27**0.5 * 2**0.5 * resampled  # a third's slope has 27 times the variance of the whole's
    if first * second <= 0.0 or abs(slopes[2] - slopes[0]) <= noise:
        return whole.slope
    ratio = min(second / first, _MOST_EXTRAPOLATED)
    return slopes[2] + second * ratio / (1.0 - ratio)


def _thirds(count: int) -> list[slice]:
    third = count // 3
    return [slice(count - 3 * third, count - 2 * third), slice(count - 2 * third, count - third), slice(-third, None)]

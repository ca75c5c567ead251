"""Power laws d_n ~ c (n + n_0)^{-a}, for sequences that decrease without a linear rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_OFFSETS = 60
_FIRST_SHARE = 0.1
_MINIMUM_POINTS = 32
_LINEAR_AT_LEAST = 1.6  # the ratio is 2 for a linear rate, once it is reached
_ALIKE = (0.8, 1.25)  # ratio of the decreases over successive octaves of a power law


@dataclass(frozen=True)
class PowerLaw:
    """d_k ~ constant (k + offset)^{-exponent} in steps k; ``spread``: change of the exponent between parts of the run.

    ``rms`` is the root mean square of the logarithms' residuals, ``window`` the first and last step fitted.
    """

    exponent: float
    spread: float
    offset: float
    constant: float
    rms: float
    window: tuple[int, int]


def fit_power_law(steps: np.ndarray, logs: np.ndarray) -> PowerLaw | None:
    """Least squares of ``logs`` on log(k + offset) over the last nine tenths of the steps; None for few points.

    >>> k = np.arange(1, 100)
    >>> law = fit_power_law(k, -0.5 * np.log(k + 3.0))
    >>> round(law.exponent, 3), round(law.offset, 1)
    (0.5, 3.0)
    """
    if logs.size < _MINIMUM_POINTS:
        return None
    start = int(_FIRST_SHARE * logs.size)
    x, y = steps[start:].astype(float), logs[start:]
    exponent, offset, constant, rms = _fit(x, y)
    half = y.size // 2
    late, early = _fit(x[half:], y[half:])[0], _fit(x[:half], y[:half])[0]
    spread = max(abs(late - exponent), abs(early - exponent))
    return PowerLaw(exponent, spread, offset, float(np.exp(constant)), rms, (int(x[0]), int(x[-1])))


def octave_decreases(logs: np.ndarray) -> np.ndarray:
    """Decrease of the logarithms over the octaves [N/8, N/4], [N/4, N/2], [N/2, N] of their positions.

    For a power law these agree, for a linear rate each is twice the one before, for a positive limit they shrink.
    """
    last = logs.size - 1
    ends = logs[[last // 8, last // 4, last // 2, last]]
    return ends[:-1] - ends[1:]


def is_power_law(logs: np.ndarray) -> bool:
    """Whether a sequence of at least 32 logarithms decreases by like amounts over successive octaves.

    >>> n = np.arange(1.0, 100.0)
    >>> is_power_law(-2.0 * np.log(n)), is_power_law(-0.1 * n), is_power_law(np.log(1.0 + 1.0 / n))
    (True, False, False)
    """
    if logs.size < _MINIMUM_POINTS:
        return False
    decreases = octave_decreases(logs)
    if (decreases <= 0.0).any():
        return False
    ratios = decreases[1:] / decreases[:-1]
    return bool(_ALIKE[0] <= ratios[1] <= _ALIKE[1] and _ALIKE[0] ** 2 <= ratios[0] <= _ALIKE[1] ** 2)


def slackens(logs: np.ndarray) -> bool:
    """Whether decreases over successive octaves grow by clearly less than the 2 of a linear rate.

    >>> n = np.arange(100.0)
    >>> slackens(-np.sqrt(n)), slackens(-0.1 * n)
    (True, False)
    """
    if logs.size < _MINIMUM_POINTS:
        return False
    decreases = octave_decreases(logs)
    return bool((decreases > 0.0).all() and (decreases[1:] < _LINEAR_AT_LEAST * decreases[:-1]).all())


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """(exponent, offset, intercept, rms), the offset searched on a grid and then on finer ones."""
    length = float(x[-1] - x[0])
    shifts = np.geomspace(1e-3 * length, 10.0 * length, _OFFSETS)  # of the first point from the pole
    best, slope, intercept, rms = 0.0, 0.0, 0.0, np.inf
    for _ in range(4):
        z = np.log((x - x[0])[:, None] + shifts)
        centred = z - z.mean(0)
        slopes = (centred * (y - y.mean())[:, None]).sum(0) / (centred**2).sum(0)
        residuals = y[:, None] - y.mean() - centred * slopes
        errors = np.sqrt((residuals**2).mean(0))
        index = int(np.argmin(errors))
        best, slope, rms = float(shifts[index]), float(slopes[index]), float(errors[index])
        intercept = float(y.mean() - slope * z[:, index].mean())
        ratio = shifts[1] / shifts[0]
        shifts = np.geomspace(best / ratio, best * ratio, _OFFSETS)
    return -slope, best - float(x[0]), intercept, rms

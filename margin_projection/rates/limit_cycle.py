"""Where iterates settle: a point, a periodic orbit, or nowhere; judged from the points alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_projection.rates.fit import Sequence, SlopeFit, fit_slope
from margin_projection.rates.power import is_power_law

MOST_CYCLES = 4
_NOISE = 1e-12
_REMAINING = 1e-3  # of max(1, ||Theta||), or a tenth of the distance to C*: the orbit must be known this well
_SHARE_OF_DISTANCE = 0.1
_SAME_POINT = 1e-9
_RESTING = 9  # points at least, for a run without period to be at rest


@dataclass(frozen=True, eq=False)
class LimitCycle:
    """The orbit that the iterates tend to.

    Attributes:
        points: (L, p) one a step of the orbit, the last L iterates; one point where they all agree.
        steps: (L,) their steps in the run.
        distances: (L,) of each to C*, as measured (infinite where C* is empty; an upper bound where not certified).
        cycles: q, the orbit's length in periods of the ordering.
        remaining: how far the points may still be from their limits: the sum of the steps to come, extrapolated.
        approach: slope per cycle of the logarithm of the moves from cycle to cycle, with its interval; None where
            the orbit is reached within few of them.
        approach_steps: (n,) the steps at which these moves begin.
    """

    points: np.ndarray
    steps: np.ndarray
    distances: np.ndarray
    cycles: int
    remaining: float
    approach: SlopeFit | None
    approach_steps: np.ndarray

    @property
    def is_point(self) -> bool:
        """Whether the orbit is a single point."""
        return len(self.points) == 1


def find_limit_cycle(
    points: np.ndarray, steps: np.ndarray, distances: np.ndarray, period: int, confidence: float
) -> LimitCycle | None:
    """The shortest orbit of 1 to 4 periods that the iterates tend to, or None.

    The moves ||Theta_{k + q period} - Theta_k|| must have come down to rounding, or shrink by a factor whose interval
    excludes 1, such that the moves still to come add up to little: less than 1e-3 max(1, ||Theta||), and less than a
    tenth of the least distance to C* on the orbit, so that the limits lie outside C*, too.

    Args:
        points: (K + 1, p) iterates.
        steps, distances: (n,) steps at which the distance to C* is known, and the distances.
        period: of the ordering.
        confidence: of the interval for the approach.
    """
    scale = max(1.0, float(np.linalg.norm(points[-1])))
    for cycles in range(1, MOST_CYCLES + 1):
        length = cycles * period
        if len(points) < 2 * length + 1:
            return None
        orbit = np.arange(len(points) - length, len(points))
        on_orbit = _at(orbit, steps, distances)
        fitted = _approach(points, length, period, scale, confidence)
        approach, moving = fitted if fitted is not None else (None, np.empty(0, dtype=np.int64))
        remaining = _remaining(points, length, period, scale, approach)
        if remaining < min(_REMAINING * scale, _SHARE_OF_DISTANCE * float(on_orbit.min())):
            if np.ptp(points[orbit], axis=0).max() <= max(_SAME_POINT * scale, 2.0 * remaining):
                orbit, on_orbit = orbit[-1:], on_orbit[-1:]
            return LimitCycle(points[orbit].copy(), orbit, on_orbit, cycles, remaining, approach, moving)
    return None


def find_limit_point(points: np.ndarray, steps: np.ndarray, distances: np.ndarray) -> LimitCycle | None:
    """The point, outside C*, at which the iterates of a run without period rest in the last quarter, or None."""
    scale = max(1.0, float(np.linalg.norm(points[-1])))
    last = points[-max(2, len(points) // 4) :]
    remaining = float(np.linalg.norm(last - points[-1], axis=1).max())
    orbit = np.array([len(points) - 1])
    distance = _at(orbit, steps, distances)
    if len(points) < _RESTING or remaining > min(_NOISE * scale, _SHARE_OF_DISTANCE * float(distance[0])):
        return None
    return LimitCycle(points[-1:].copy(), orbit, distance, 1, remaining, None, np.empty(0, dtype=np.int64))


def _at(orbit: np.ndarray, steps: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Distances at the steps of an orbit; where one is not known, the nearest one that is."""
    nearest = np.abs(orbit[:, None] - steps[None, :]).argmin(1)
    return distances[nearest]


def _remaining(points: np.ndarray, length: int, period: int, scale: float, approach: SlopeFit | None) -> float:
    """The moves still to come from ``length`` to ``length`` steps, extrapolated at the slowest rate of the interval."""
    last = float(np.linalg.norm(points[-length:] - points[-2 * length : -length], axis=1).max())
    if last <= _NOISE * scale:
        return last
    upper = float("inf") if approach is None else (approach.slope + approach.half_width) * length / period
    return last * float(np.exp(upper) / -np.expm1(upper)) if upper < 0.0 else float("inf")


def _approach(
    points: np.ndarray, length: int, period: int, scale: float, confidence: float
) -> tuple[SlopeFit, np.ndarray] | None:
    """The slope per cycle of the moves at cycle ends, above rounding, and their steps; None for few or a power law."""
    first = (len(points) - 1) % period
    ends = points[first::period]
    cycles = length // period
    moves = np.linalg.norm(ends[cycles:] - ends[:-cycles], axis=1)
    above = np.flatnonzero(moves > _NOISE * scale)
    if above.size == 0:
        return None
    kept = above[above == above[0] + np.arange(above.size)]  # up to the first one within rounding
    logs = np.log(moves[kept])
    if is_power_law(logs):
        return None
    fit = fit_slope(Sequence(kept.astype(float), logs, 1e-15 * scale / moves[kept]), confidence)
    return None if fit is None else (fit, first + period * kept)

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
    points: np.ndarray, distances: np.ndarray, set_distances: np.ndarray, period: int, confidence: float
) -> LimitCycle | None:
    """The shortest orbit of 1 to 4 periods that the iterates tend to, or None.

    The moves ||Theta_{k + q period} - Theta_k|| must have come down to rounding, or shrink by a factor whose interval
    excludes 1, such that the moves still to come add up to little: less than 1e-3 max(1, ||Theta||), and less than a
    tenth of the least distance to C* on the orbit, so that the limits lie outside C*, too. An orbit on which a distance
    is not known is not reported, nor is a point that lies in every C_m within rounding: the distance to C* is then in
    doubt.

    Args:
        points: (K + 1, p) iterates.
        distances: (K + 1,) to C*, nan where unknown.
        set_distances: (M,) from the last iterate to each C_m.
        period: of the ordering.
        confidence: of the interval for the approach.
    """
    scale = max(1.0, float(np.linalg.norm(points[-1])))
    for cycles in range(1, MOST_CYCLES + 1):
        length = cycles * period
        if len(points) < 2 * length + 1:
            return None
        orbit = np.arange(len(points) - length, len(points))
        on_orbit = distances[orbit]
        if np.isnan(on_orbit).any():
            return None
        fitted = _approach(points, length, period, scale, confidence)
        approach, moving = fitted if fitted is not None else (None, np.empty(0, dtype=np.int64))
        remaining = _remaining(points, length, period, scale, approach)
        if remaining < min(_REMAINING * scale, _SHARE_OF_DISTANCE * float(on_orbit.min())):
            if np.ptp(points[orbit], axis=0).max() <= max(_SAME_POINT * scale, 2.0 * remaining):
                orbit, on_orbit = orbit[-1:], on_orbit[-1:]
                if _is_common(set_distances, remaining, scale):
                    return None
            return LimitCycle(points[orbit].copy(), orbit, on_orbit, cycles, remaining, approach, moving)
    return None


def find_limit_point(points: np.ndarray, distances: np.ndarray, set_distances: np.ndarray) -> LimitCycle | None:
    """The point, outside C*, at which the iterates of a run without period rest in the last quarter, or None."""
    scale = max(1.0, float(np.linalg.norm(points[-1])))
    last = points[-max(2, len(points) // 4) :]
    remaining = float(np.linalg.norm(last - points[-1], axis=1).max())
    if len(points) < _RESTING or np.isnan(distances[-1]) or _is_common(set_distances, remaining, scale):
        return None
    if remaining > min(_NOISE * scale, _SHARE_OF_DISTANCE * float(distances[-1])):
        return None
    orbit = np.array([len(points) - 1])
    return LimitCycle(points[-1:].copy(), orbit, distances[-1:], 1, remaining, None, np.empty(0, dtype=np.int64))


def keeps_moving(points: np.ndarray, period: int, least: float) -> bool:
    """Whether, all through the last quarter, iterates 1 to 4 periods apart are at least ``least`` apart."""
    last = points[-len(points) // 4 :]
    lengths = [cycles * period for cycles in range(1, MOST_CYCLES + 1)]
    if len(last) <= lengths[-1]:
        return False
    return all(np.linalg.norm(last[each:] - last[:-each], axis=1).min() >= least for each in lengths)


def _is_common(set_distances: np.ndarray, remaining: float, scale: float) -> bool:
    """Whether the last iterate lies in every C_m, up to what the iterates still move and rounding."""
    return bool((set_distances <= _SAME_POINT * scale + 2.0 * remaining).all())


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

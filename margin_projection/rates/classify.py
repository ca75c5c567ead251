"""Which of the statuses a series of distances has, with the fits behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_projection.rates.fit import MINIMUM_POINTS, Sequence, SlopeFit, fit_slope
from margin_projection.rates.limit_cycle import LimitCycle, find_limit_cycle, find_limit_point, keeps_moving
from margin_projection.rates.power import PowerLaw, fit_power_law, is_power_law, octave_decreases, slackens
from margin_projection.rates.series import DistanceSeries
from margin_projection.rates.status import RateStatus

_REPLICATES = 400
_LEAST_EFFECTIVE = 8.0  # samples that a mean is worth, at every step fitted,
_LEAST_EFFECTIVE_SHARE = 0.25  # and their share
_LEAST_DECREASE = 0.05  # of the logarithm over a window: less is no evidence of a rate
_CERTAIN = 1e-3  # half-width over slope: below, there is evidence all the same
_SHARP = 0.02  # half-width over slope that no fit to a power law reaches
_STEADY = 0.25  # spread over exponent of a power law, at most
_SUDDEN = 1e3  # times the noise: where the trend had led to, when a distance of 0 counts as reached in finite time
_SUDDEN_ALONE = 1e6  # the same for one or two distances, without a trend
_ACCELERATION = 1.4  # of the logarithms' steps, each over the one before, in a superlinear sequence
_LEAST_ACCELERATIONS = 2
_MANY_CHANGES, _FASTER = 7, 1.2  # steps of the logarithm, and the last over the middle one, of the same
_FASTEST_LINEAR = -3.0  # the last step of the logarithm is below this where a sequence is superlinear
_LEVELLING = 0.85  # ratio of the decreases over successive octaves, at most, where a positive limit is approached
_LEAST_GROWTH = 0.05  # exponent of ||Theta_k|| in k, for a run whose iterates drift off
_MOVING = 0.1  # of the distance to C*: iterates that stay this far apart from cycle to cycle do not settle
_ACCURATE = 1e-6  # relative errors of the distances that the sharper fit keeps to
_LEAST_ACCURATE = 8
_MOST_POINTS = 400  # of a fit; longer series are thinned out


@dataclass(frozen=True)
class Fitted:
    """A slope per block and the steps (n,) of the points it was fitted to."""

    fit: SlopeFit
    steps: np.ndarray


@dataclass(frozen=True)
class Behaviour:
    """A status and what it rests on; see `ObservedRate` for the fields."""

    status: RateStatus
    rate: Fitted | None = None
    squared_rate: Fitted | None = None
    limit_distance: float | None = None
    power_law: PowerLaw | None = None
    cycle: LimitCycle | None = None
    growth_exponent: float | None = None


def classify(
    series: DistanceSeries, window: tuple[int, int] | None, confidence: float, generator: np.random.Generator
) -> Behaviour:
    """The behaviour of a series; ``window`` restricts the fits to these steps."""
    means = series.means
    above = np.isfinite(means) & (means > series.noise)
    if not np.isfinite(means).all():
        return _away(series, confidence) or Behaviour(RateStatus.UNDECIDED)
    if not above.any():
        return Behaviour(RateStatus.IN_SET, limit_distance=0.0)
    if not above[-1]:
        return _reaching(series, above, window, confidence, generator)
    settled = _away(series, confidence)
    if settled is not None:
        return settled
    logs = np.log(means[above])
    linear = _linear(series, above, window, confidence, generator)
    if window is None and is_power_law(logs) and not _is_sharp(linear.rate):
        law = fit_power_law(series.steps[above], logs)
        if law is not None and law.spread <= _STEADY * law.exponent:
            return Behaviour(RateStatus.SUBLINEAR, limit_distance=0.0, power_law=law)
    if linear.status is RateStatus.UNDECIDED and window is None and _levels_off(logs):
        return _drifting(series, logs) or linear
    return linear


def _away(series: DistanceSeries, confidence: float) -> Behaviour | None:
    """CYCLE or ELSEWHERE, where the iterates of a single run show it."""
    if series.points is None or series.step_distances is None or series.set_distances is None:
        return None
    arguments = series.points, series.step_distances, series.set_distances
    if series.periodic:
        cycle = find_limit_cycle(*arguments, series.steps_per_cycle, confidence)
    else:
        cycle = find_limit_point(*arguments)
    if cycle is None:
        return None
    status = RateStatus.ELSEWHERE if cycle.is_point else RateStatus.CYCLE
    least = float(cycle.distances.min())
    return Behaviour(status, limit_distance=least if np.isfinite(least) else None, cycle=cycle)


def _reaching(
    series: DistanceSeries,
    above: np.ndarray,
    window: tuple[int, int] | None,
    confidence: float,
    generator: np.random.Generator,
) -> Behaviour:
    """FINITE, SUPERLINEAR, LINEAR or TOO_SHORT: the distances have come down to the noise."""
    last = int(np.flatnonzero(above)[-1])
    logs = np.log(series.means[: last + 1][above[: last + 1]])
    if _is_superlinear(logs):
        return Behaviour(RateStatus.SUPERLINEAR, limit_distance=0.0)
    changes = np.diff(logs)[-MINIMUM_POINTS:]
    trend, margin = (float(changes.min()), _SUDDEN) if changes.size > 1 else (0.0, _SUDDEN_ALONE)
    linear = _linear(series, above, window, confidence, generator)
    if _accelerates(logs) and not _is_sharp(linear.rate):
        return Behaviour(RateStatus.SUPERLINEAR, limit_distance=0.0)
    directly = above[: last + 1].all() and series.steps[last + 1] - series.steps[last] == series.period
    if directly and series.num_tasks == 1 and last == 0:  # the first projection ends in C*, however near the start was
        return Behaviour(RateStatus.FINITE, limit_distance=0.0)
    if directly and logs[-1] + min(trend, 0.0) > np.log(margin * series.noise[last + 1]):
        return Behaviour(RateStatus.FINITE, limit_distance=0.0)
    return linear


def _is_superlinear(logs: np.ndarray) -> bool:
    """Whether the last steps of the logarithms grow by a factor each, until rounding ends them."""
    changes = np.diff(logs)
    if changes.size <= _LEAST_ACCELERATIONS or (changes[-_LEAST_ACCELERATIONS - 1 :] >= 0.0).any():
        return False
    tail = changes[-_LEAST_ACCELERATIONS - 1 :]
    return bool((tail[1:] / tail[:-1] >= _ACCELERATION).all() and changes[-1] < _FASTEST_LINEAR)


def _accelerates(logs: np.ndarray) -> bool:
    """Whether every step of the logarithms is larger than the one before, and the last much so."""
    changes = np.diff(logs)
    if changes.size < _MANY_CHANGES or (np.diff(changes) >= 0.0).any():
        return False
    return bool(changes[-1] < _FASTER * changes[changes.size // 2])


def _linear(
    series: DistanceSeries,
    above: np.ndarray,
    window: tuple[int, int] | None,
    confidence: float,
    generator: np.random.Generator,
) -> Behaviour:
    """LINEAR with its fits; TOO_SHORT or UNDECIDED."""
    kept = above.copy()
    if window is not None:
        kept &= (series.steps >= window[0]) & (series.steps <= window[1])
    draws = _draws(len(series.distances), generator)
    rate = _fit(series, series.distances, 1, kept, draws, confidence, window is not None)
    if rate is None:
        return Behaviour(RateStatus.TOO_SHORT)
    squared = None
    if draws is not None:
        squared = _fit(series, series.squares, 2, kept, draws, confidence, window is not None)
    fit = rate.fit
    length = (rate.steps[fit.last] - rate.steps[fit.first]) / series.period
    evident = -fit.slope * length > _LEAST_DECREASE or fit.half_width < -_CERTAIN * fit.slope
    logs = np.log(series.means[kept])
    drifting = window is None and not _is_sharp(rate) and (_accelerates(logs) or slackens(logs))
    linear = fit.slope + fit.half_width < 0.0 and evident and not drifting
    status = RateStatus.LINEAR if linear else RateStatus.UNDECIDED
    return Behaviour(status, rate, squared, 0.0 if linear else None)


def _is_sharp(rate: Fitted | None) -> bool:
    """Whether a decreasing slope is known far better than it would be for a power law, whose slopes drift."""
    return rate is not None and rate.fit.half_width < -_SHARP * rate.fit.slope


def _draws(samples: int, generator: np.random.Generator) -> np.ndarray | None:
    """(B, S) how often each sample is drawn in each replicate, as shares; None for one sample."""
    if samples == 1:
        return None
    return generator.multinomial(samples, np.full(samples, 1.0 / samples), size=_REPLICATES) / samples


def _fit(
    series: DistanceSeries,
    values: np.ndarray,
    power: int,
    kept: np.ndarray,
    draws: np.ndarray | None,
    confidence: float,
    fixed: bool,
) -> Fitted | None:
    """The slope of the logarithm of the mean of ``values`` (S, n), which are distances to the given power."""
    kept = kept & _supported(values) if draws is not None else kept
    if not fixed:
        kept = _thinned(kept)
    chosen = values[:, kept]
    mean = chosen.mean(0)
    logs = np.log(mean)
    errors = power * series.errors[:, kept].max(0) / series.means[kept]
    replicates = None
    if draws is not None:
        tiny = np.finfo(float).tiny
        replicates = np.log(np.maximum(draws @ chosen, tiny)) - logs
    steps = series.steps[kept]
    sequence = Sequence(steps / series.period, logs, errors, replicates)
    best = fit_slope(sequence, confidence, fixed)
    accurate = int(np.argmax(errors > _ACCURATE)) if (errors > _ACCURATE).any() else logs.size
    if best is not None and not fixed and _LEAST_ACCURATE <= accurate < logs.size:
        sharper = fit_slope(sequence.part(slice(0, accurate)), confidence)
        if sharper is not None and sharper.half_width < best.half_width:
            best = sharper
    return None if best is None else Fitted(best, steps)


def _thinned(kept: np.ndarray) -> np.ndarray:
    """At most `_MOST_POINTS` of the points, evenly spaced."""
    stride = -(-int(np.count_nonzero(kept)) // _MOST_POINTS)
    return kept & (np.cumsum(kept) % max(1, stride) == 0)


def _supported(values: np.ndarray) -> np.ndarray:
    """(n,) the longest stretch of points at which the mean over the samples is not that of a few of them."""
    samples = len(values)
    total, squares = values.sum(0), (values**2).sum(0)
    effective = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0.0)
    least = min(float(samples), max(_LEAST_EFFECTIVE, _LEAST_EFFECTIVE_SHARE * samples)) * (1.0 - 1e-9)
    few = np.flatnonzero(np.concatenate([[True], effective < least, [True]]))
    longest = int(np.argmax(np.diff(few)))
    place = np.arange(1, values.shape[1] + 1)
    return (place > few[longest]) & (place < few[longest + 1])


def _levels_off(logs: np.ndarray) -> bool:
    """Whether the decreases over successive octaves shrink, as they do towards a positive limit."""
    if logs.size < 4 * MINIMUM_POINTS:
        return False
    decreases = octave_decreases(logs)
    return bool(abs(decreases[2]) <= _LEAST_DECREASE and abs(decreases[2]) <= _LEVELLING * abs(decreases[1]))


def _drifting(series: DistanceSeries, logs: np.ndarray) -> Behaviour | None:
    """DRIFTING, with the limit that the octaves extrapolate to, where the norms grow or the iterates keep moving."""
    if series.points is None:
        return None
    decreases = octave_decreases(logs)
    ratio = min(abs(float(decreases[2] / decreases[1])), _LEVELLING) if decreases[1] != 0.0 else 0.0
    limit = float(np.exp(logs[-1] - decreases[2] * ratio / (1.0 - ratio)))
    norms = np.linalg.norm(series.points[:: series.period], axis=1)
    growing = float(norms.min()) > 0.0 and is_power_law(-np.log(norms))
    growing = growing or (norms.size > 1 and float(norms[1:].min()) > 0.0 and is_power_law(-np.log(norms[1:])))
    growth = -octave_decreases(np.log(norms[1:]))[2] / np.log(2.0) if growing else 0.0
    if growth >= _LEAST_GROWTH:
        return Behaviour(RateStatus.DRIFTING, limit_distance=limit, growth_exponent=float(growth))
    moving = keeps_moving(series.points, series.steps_per_cycle, _MOVING * float(series.means[-1]))
    return Behaviour(RateStatus.DRIFTING, limit_distance=limit) if moving else None

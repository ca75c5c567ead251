"""The observed rate: how fast the iterates of Algorithm 2 approach C*, or what they do instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_projection._validation import InputError, check_integer, check_real
from margin_projection.rates.classify import Behaviour, Fitted, classify
from margin_projection.rates.limit_cycle import LimitCycle
from margin_projection.rates.power import PowerLaw
from margin_projection.rates.series import DistanceSeries, distance_series
from margin_projection.rates.status import RateStatus
from margin_projection.trajectories.trajectory import Trajectory


@dataclass(frozen=True)
class LinearRate:
    """A factor by which a quantity shrinks, in the limit, with an interval that is evidence and no proof.

    Attributes:
        per_step, per_cycle: the factor, per_cycle = per_step ** steps_per_cycle.
        per_step_interval, per_cycle_interval: (lower, upper).
        window: first and last step fitted.
        num_points: used for the fit.
        model: fitted to the logarithms, in words.
        constant: c of the line c per_step ** k through the window's late half.
        rms: root mean square of the logarithms' residuals.
    """

    per_step: float
    per_cycle: float
    per_step_interval: tuple[float, float]
    per_cycle_interval: tuple[float, float]
    window: tuple[int, int]
    num_points: int
    model: str
    constant: float
    rms: float


@dataclass(frozen=True, eq=False)
class ObservedRate:
    """What a run, or the mean of several, does in the long term.

    Attributes:
        status: see `RateStatus`.
        rate: of d(Theta_k, C*), or of its mean over the samples; None unless LINEAR (or UNDECIDED, with what was
            fitted all the same).
        squared_rate: of the mean of d^2, where there are several samples; None otherwise.
        periodic: whether the ordering is; if so distances are taken at the ends of its periods.
        order: the tasks of one period, in turn; None for an ordering without, or several.
        steps_per_cycle: the period, or M for orderings without.
        num_samples: S, the trajectories whose mean was taken; a single random run gives the rate of this run, which is
            at most that of the expectation, by Jensen's inequality.
        confidence: of the intervals.
        steps: (n,) the steps k of the series.
        distances: (n,) d(Theta_k, C*), or its mean; infinite where C* is empty.
        squared_distances: (n,) the mean of d^2.
        noise_floor: distances up to here count as 0 (its largest value along the run).
        certified: whether all distances are proved up to a relative 1e-6 by lower bounds. If not, they come from local
            projections and are upper bounds only, and so is the limit they suggest.
        missing: distances that were not found, left out.
        reached_step: from here on every distance is within rounding of 0 (IN_SET, FINITE, LINEAR, SUPERLINEAR), or
            None.
        limit_distance: an estimate of lim d(Theta_k, C*): 0 where the run converges, the least distance on the orbit
            for CYCLE and ELSEWHERE, extrapolated for DRIFTING; None where unknown.
        power_law: for SUBLINEAR, else None.
        cycle: the orbit, for CYCLE and ELSEWHERE, else None.
        approach: factor by which the orbit is approached; None where it was reached within few steps.
        growth_exponent: a where ||Theta_k|| ~ k^a over the last half of a DRIFTING run, else None.
    """

    status: RateStatus
    rate: LinearRate | None
    squared_rate: LinearRate | None
    periodic: bool
    order: tuple[int, ...] | None
    steps_per_cycle: int
    num_samples: int
    confidence: float
    steps: np.ndarray
    distances: np.ndarray
    squared_distances: np.ndarray
    noise_floor: float
    certified: bool
    missing: int
    reached_step: int | None
    limit_distance: float | None
    power_law: PowerLaw | None
    cycle: LimitCycle | None
    approach: LinearRate | None
    growth_exponent: float | None

    def __str__(self) -> str:
        rate = ""
        if self.rate is not None:
            low, high = self.rate.per_cycle_interval
            rate = f" {self.rate.per_cycle:.6g} a cycle [{low:.6g}, {high:.6g}]"
        return f"{self.status.name}{rate}: {self.status.value}"


def observed_rate(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    period: int | None = None,
    run: int | None = None,
    window: tuple[int, int] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> ObservedRate:
    """Fit the asymptotic linear rate of d(Theta_k, C*), per step and per cycle, or say why there is none.

    For periodic orderings d is taken at the ends of cycles (Theorem 6: M | k). Several trajectories, say one for
    each seed of a random ordering, are samples: the rates are those of the means of d and of d^2 (Theorem 6's
    expectations), over the steps at which no few samples dominate the mean, and the intervals include resampling of the
    trajectories. Runs of one trajectory share its ordering; their mean is one sample. How a rate and its interval are
    found is described in `fit`.

    Args:
        trajectories: of `sequential_projections` with measure="all" (or M = 1).
        period: of the ordering in steps; None (default): the least one seen in the indices, M for "cyclic"; blocks of M
            steps for random permutations; and single steps otherwise.
        run: the run of each trajectory; None (default) for the mean over its runs.
        window: first and last step to fit (both included); None (default) for one chosen automatically.
        confidence: of the intervals, in (0, 1) (default 0.95).
        seed: of the resampling (default 0).

    Returns:
        The rate or the reason, with everything it is based on.

    Raises:
        InputError: an argument is out of its range, or no distance to C* was measured.

    Two lines at an angle of 60 degrees: each cycle shrinks the distance by cos^2 = 1/4.

    >>> from margin_projection.networks import Linear
    >>> from margin_projection.tasks import Task
    >>> from margin_projection.trajectories import sequential_projections
    >>> samples = ([[0.0, 1.0]], [[-(0.75**0.5), 0.5]])
    >>> tasks = [Task(x, [1.0], "regression") for x in samples]
    >>> observed = observed_rate(sequential_projections(Linear(2), tasks, start=np.array([9.0, 5.0]), num_steps=30))
    >>> observed.status.name, round(observed.rate.per_cycle, 9), round(observed.rate.per_step, 9)
    ('LINEAR', 0.25, 0.5)
    """
    confidence = check_real("confidence", confidence, 0.0, 1.0, open_below=True)
    if confidence == 1.0:
        raise InputError("confidence", confidence, "in the open interval (0, 1)")
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    series = distance_series(trajectories, period, run)
    limits = _check_window(window, series)
    behaviour = classify(series, limits, confidence, generator)
    return _result(series, behaviour, confidence)


def _check_window(window: Any, series: DistanceSeries) -> tuple[int, int] | None:
    if window is None:
        return None
    if not isinstance(window, Sequence) or isinstance(window, str) or len(window) != 2:
        raise InputError("window", window, "a first and a last step")
    last = int(series.steps[-1])
    first = check_integer("window[0]", window[0], 0, last)
    return first, check_integer("window[1]", window[1], first, last)


def _result(series: DistanceSeries, behaviour: Behaviour, confidence: float) -> ObservedRate:
    cycle = behaviour.cycle
    approach = None
    if cycle is not None and cycle.approach is not None:
        fitted = Fitted(cycle.approach, cycle.approach_steps)
        approach = _linear_rate(fitted, series.steps_per_cycle, series.steps_per_cycle)
    return ObservedRate(
        status=behaviour.status,
        rate=_linear_rate(behaviour.rate, series.period, series.steps_per_cycle),
        squared_rate=_linear_rate(behaviour.squared_rate, series.period, series.steps_per_cycle),
        periodic=series.periodic,
        order=series.order,
        steps_per_cycle=series.steps_per_cycle,
        num_samples=len(series.distances),
        confidence=confidence,
        steps=series.steps,
        distances=series.means,
        squared_distances=series.squares.mean(0),
        noise_floor=float(series.noise.max()),
        certified=series.certified,
        missing=series.missing,
        reached_step=series.reached,
        limit_distance=behaviour.limit_distance,
        power_law=behaviour.power_law,
        cycle=cycle,
        approach=approach,
        growth_exponent=behaviour.growth_exponent,
    )


def _linear_rate(fitted: Fitted | None, period: int, steps_per_cycle: int) -> LinearRate | None:
    """The factors of a slope per block of ``period`` steps."""
    if fitted is None:
        return None
    fit, steps = fitted.fit, fitted.steps
    slopes = np.array([fit.slope, fit.slope - fit.half_width, fit.slope + fit.half_width]) / period
    step, low, high = np.exp(np.minimum(slopes, 300.0)).tolist()
    cycle, low_cycle, high_cycle = np.exp(np.minimum(slopes * steps_per_cycle, 300.0)).tolist()
    return LinearRate(
        per_step=step,
        per_cycle=cycle,
        per_step_interval=(low, high),
        per_cycle_interval=(low_cycle, high_cycle),
        window=(int(steps[fit.first]), int(steps[fit.last])),
        num_points=fit.last - fit.first + 1,
        model=fit.model,
        constant=float(np.exp(min(fit.intercept, 300.0))),
        rms=fit.rms,
    )

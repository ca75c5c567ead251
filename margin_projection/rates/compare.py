"""Observed against predicted rates: the ratio of the factors, and whether a bound was violated."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from margin_projection._validation import InputError, check_real
from margin_projection.rates.observed import LinearRate, ObservedRate
from margin_projection.rates.predicted import PredictedRate, PredictionStatus
from margin_projection.rates.status import RateStatus

_EXCESS = 1e-6  # relative excess over a bound that fits and rounding explain
_LIMIT_EXCESS = 0.01  # the same for bounds in the limit: runs converge to a point beside theta*
_IMMEASURABLE = (RateStatus.TOO_SHORT, RateStatus.UNDECIDED, RateStatus.IN_SET)


class ComparisonStatus(enum.Enum):
    """What an observation says of a prediction. Each member's value is a sentence."""

    CONSISTENT = "The observed rate is within the predicted bound."
    EXCEEDED = (
        "The run converges more slowly than the bound says. That contradicts nothing proved: the bound is not granted "
        "to this start, or holds in expectation, or the distances are not certified."
    )
    CONTRADICTION = "A proved bound is violated by certified distances, in the ball where it is granted."
    NOT_COMPARABLE = "Nothing to compare: no rate was observed, none is predicted, or one of another ordering."


@dataclass(frozen=True)
class RateComparison:
    """One prediction beside the observation.

    Attributes:
        prediction: what was predicted.
        status: see `ComparisonStatus`.
        observed_per_cycle: the observed factor of d a cycle (of sqrt(E d^2) for random orderings with several
            samples); 0 for runs that end in C* or converge faster than linearly; None where there is none.
        ratio: observed over predicted factor a cycle, at most 1 where the bound holds; None where not comparable.
        exponent_ratio: log(observed) over log(predicted): how many times faster than predicted; None where a factor is
            0, 1 or more, or not comparable.
        worst_excess: the largest d_k over the bound's own value at k, along the cycle ends of the run; None for random
            orderings and where not comparable.
        granted: whether the start lies in the ball where the bound is granted; None where that is not known.
    """

    prediction: PredictedRate
    status: ComparisonStatus
    observed_per_cycle: float | None
    ratio: float | None
    exponent_ratio: float | None
    worst_excess: float | None
    granted: bool | None


def compare_rates(
    observed: ObservedRate,
    predicted: PredictedRate | Sequence[PredictedRate],
    *,
    start_distance: float | None = None,
) -> list[RateComparison]:
    """Compare an observation with predictions.

    Args:
        observed: of `observed_rate`.
        predicted: one or several of `predicted_rate`, for the same ordering: cyclic bounds are those of the tasks in
            the order of the report, so that a run in another order, or of another period, contradicts nothing; random
            bounds and a periodic run are not comparable.
        start_distance: ||Theta_0 - theta*||, which decides whether a proved bound was granted to the run (default
            None: not known, so that no contradiction is ever reported).

    Returns:
        One comparison a prediction. Theorems' bounds are on d (cyclic, at multiples of M) or E d (random); an observed
        sequence that stays away from C* exceeds every bound below 1.

    Raises:
        InputError: no predictions, or a negative distance.
    """
    predictions = [predicted] if isinstance(predicted, PredictedRate) else predicted
    if not isinstance(observed, ObservedRate):
        raise InputError("observed", observed, "the result of observed_rate")
    listed = isinstance(predictions, Sequence) and len(predictions) > 0
    if not listed or not all(isinstance(each, PredictedRate) for each in predictions):
        raise InputError("predicted", predicted, "one result of predicted_rate, or a nonempty sequence of them")
    if start_distance is not None:
        check_real("start_distance", start_distance, 0.0)
    return [_compare(observed, each, start_distance) for each in predictions]


def _compare(observed: ObservedRate, prediction: PredictedRate, start_distance: float | None) -> RateComparison:
    factor, low = _observed_factor(observed, prediction)
    granted = None if start_distance is None else bool(start_distance <= prediction.radius)
    says_nothing = (PredictionStatus.NOT_APPLICABLE, PredictionStatus.VACUOUS)
    immediate = prediction.status is PredictionStatus.IMMEDIATE
    other_ordering = prediction.ordering == "random" and observed.periodic and not immediate
    if factor is None or prediction.status in says_nothing or other_ordering:
        return RateComparison(prediction, ComparisonStatus.NOT_COMPARABLE, factor, None, None, None, granted)
    bound = prediction.per_cycle
    excess = _worst_excess(observed, prediction)
    in_the_limit = prediction.status is PredictionStatus.LIMIT
    exceeded = low > bound * (1.0 + (_LIMIT_EXCESS if in_the_limit else _EXCESS))
    beyond = excess is not None and excess > 1.0 + _EXCESS
    # An interval is evidence: only certified distances themselves can contradict a bound that is proved.
    proved = granted and prediction.is_proved and prediction.probability == 1.0
    if beyond and proved and observed.certified and _is_of_one_cycle(observed, prediction):
        status = ComparisonStatus.CONTRADICTION
    else:
        status = ComparisonStatus.EXCEEDED if exceeded or (beyond and granted) else ComparisonStatus.CONSISTENT
    ratio = factor / bound if bound > 0.0 else (1.0 if factor == 0.0 else math.inf)
    exponents = math.log(factor) / math.log(bound) if 0.0 < factor < 1.0 and 0.0 < bound < 1.0 else None
    return RateComparison(prediction, status, factor, ratio, exponents, excess, granted)


def _is_of_one_cycle(observed: ObservedRate, prediction: PredictedRate) -> bool:
    """Whether the distances were taken at the ends of the cycles that a proved bound speaks of: tasks 0, ..., M - 1."""
    if prediction.ordering == "random" or prediction.valid_from == 0:
        return True
    length = prediction.valid_from
    return observed.order == tuple(range(length)) and bool((observed.steps % length == 0).all())


def _observed_factor(observed: ObservedRate, prediction: PredictedRate) -> tuple[float | None, float]:
    """(factor of d a cycle, lower end of its interval); None where there is none."""
    if observed.status in _IMMEASURABLE:
        return None, 0.0
    if observed.status in (RateStatus.FINITE, RateStatus.SUPERLINEAR):
        return 0.0, 0.0
    if observed.status is not RateStatus.LINEAR:
        return 1.0, 1.0
    squared = prediction.ordering == "random" and observed.squared_rate is not None
    rate: LinearRate | None = observed.squared_rate if squared else observed.rate
    if rate is None:
        return None, 0.0
    root = 0.5 if squared else 1.0
    return rate.per_cycle**root, max(rate.per_cycle_interval[0], 0.0) ** root


def _worst_excess(observed: ObservedRate, prediction: PredictedRate) -> float | None:
    """max_k d_k / (per_step^(k - k_0) d_{k_0}) over the series from step ``valid_from`` on, above the noise."""
    if prediction.ordering == "random" or not observed.periodic:
        return None
    shown = (observed.steps >= prediction.valid_from) & np.isfinite(observed.distances)
    steps, distances = observed.steps[shown], observed.distances[shown]
    if not len(steps) or distances[0] <= observed.noise_floor:
        return None
    with np.errstate(under="ignore"):
        allowed = distances[0] * prediction.per_step ** (steps - steps[0]).astype(np.float64)
    above = np.maximum(distances - observed.noise_floor, 0.0)
    return float((above[1:] / np.maximum(allowed[1:], 1e-300)).max(initial=0.0))

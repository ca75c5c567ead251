"""Convergence rates: predicted by theory, observed on trajectories, and compared."""

from margin_projection.rates.compare import ComparisonStatus, RateComparison, compare_rates
from margin_projection.rates.limit_cycle import LimitCycle
from margin_projection.rates.observed import LinearRate, ObservedRate, observed_rate
from margin_projection.rates.plot import plot_rates
from margin_projection.rates.power import PowerLaw
from margin_projection.rates.predicted import PredictedRate, PredictionStatus, predicted_rate
from margin_projection.rates.status import RateStatus

__all__ = [
    "ComparisonStatus",
    "LimitCycle",
    "LinearRate",
    "ObservedRate",
    "PowerLaw",
    "PredictedRate",
    "PredictionStatus",
    "RateComparison",
    "RateStatus",
    "compare_rates",
    "observed_rate",
    "plot_rates",
    "predicted_rate",
]

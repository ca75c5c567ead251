"""How one measurement goes with another: correlation with its interval, and which of two falls first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from margin_projection._validation import InputError, check_integer
from margin_projection.plasticity.comparison import Rows, runs

_RESAMPLES = 2000


@dataclass(frozen=True)
class Association:
    """The relation of two columns over tasks and runs.

    Attributes:
        r_squared: of the least-squares line (the published statistic), with its 95 % interval.
        rank_correlation: Spearman's, with its 95 % interval.
        points, runs: how many.
        Both intervals resample whole runs, since tasks of one run are not independent (percentile bootstrap).
    """

    r_squared: float
    r_squared_interval: tuple[float, float]
    rank_correlation: float
    rank_interval: tuple[float, float]
    points: int
    runs: int


def association(
    rows: Rows, first: str, second: str, *, seed: int = 0, methods: Sequence[str] | None = None
) -> Association:
    """Correlate two columns where both are measured.

    Raises:
        InputError: fewer than 3 points, or a column that does not vary.
    """
    groups = []
    for (method, _), run in runs(rows).items():
        pairs = [(row[first], row[second]) for row in run if row.get(first) is not None and row.get(second) is not None]
        if pairs and (methods is None or method in methods):
            groups.append(np.array(pairs, dtype=float))
    points = np.concatenate(groups) if groups else np.empty((0, 2))
    if len(points) < 3 or (points.std(0) == 0.0).any():
        raise InputError("rows", len(points), f"at least 3 points with varying {first} and {second}")
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    drawn = []
    for _ in range(_RESAMPLES):
        sample = np.concatenate([groups[index] for index in rng.integers(len(groups), size=len(groups))])
        if (sample.std(0) > 0.0).all():
            drawn.append(_coefficients(sample))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    r_squared, rank = _coefficients(points)
    return Association(
        r_squared, (float(low[0]), float(high[0])), rank, (float(low[1]), float(high[1])), len(points), len(groups)
    )


def _coefficients(points: np.ndarray) -> tuple[float, float]:
    line = float(np.corrcoef(points.T)[0, 1]) ** 2
    return line, float(stats.spearmanr(points[:, 0], points[:, 1]).statistic)


@dataclass(frozen=True)
class Lag:
    """Which of two series falls first.

    Attributes:
        lags: per run, the task at which the second one has fallen halfway minus that of the first; positive: the first
            column falls first.
        mean: their mean. lower, upper: its 95 % interval over runs (Student's t).
        p_first_leads: one-sided sign test of "the first falls no earlier".
        without_fall: runs in which one of the two did not fall by ``least_fall`` of its early level.
    """

    lags: tuple[float, ...]
    mean: float
    lower: float
    upper: float
    p_first_leads: float
    without_fall: int


def lag(
    rows: Rows, first: str, second: str, *, method: str = "bp", window: int = 3, least_fall: float = 0.25
) -> Lag:
    """Halfway times of two columns, for every run of a method.

    Each series is smoothed by a running median of ``window`` of its values. Its level at first is the mean of the first
    ``window`` values, its level at last that of the last ones; the halfway time is the first task from which on it
    stays below the middle of the two.
    """
    found, missing = [], 0
    for (name, _), run in runs(rows).items():
        if name == method:
            times = [_halfway(run, column, window, least_fall) for column in (first, second)]
            if None in times:
                missing += 1
            else:
                found.append(float(times[1] - times[0]))  # type: ignore[operator]
    if not found:
        return Lag((), np.nan, np.nan, np.nan, np.nan, missing)
    mean, count = float(np.mean(found)), len(found)
    width = float(stats.t.ppf(0.975, count - 1) * np.std(found, ddof=1) / np.sqrt(count)) if count > 1 else np.inf
    leading, decided = sum(value > 0 for value in found), sum(value != 0 for value in found)
    p_value = float(stats.binomtest(leading, decided, alternative="greater").pvalue) if decided else 1.0
    return Lag(tuple(found), mean, mean - width, mean + width, p_value, missing)


def _halfway(run: list[dict], column: str, window: int, least_fall: float) -> float | None:
    pairs = [(row["task"], row[column]) for row in run if row.get(column) is not None]
    if len(pairs) < 2 * window:
        return None
    tasks, values = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    smooth = np.array([np.median(values[max(0, i - window // 2) : i + window // 2 + 1]) for i in range(len(values))])
    early, late = smooth[:window].mean(), smooth[-window:].mean()
    if early - late < least_fall * abs(early):
        return None
    above = np.flatnonzero(smooth >= (early + late) / 2.0)
    return float(tasks[above[-1] + 1]) if len(above) and above[-1] + 1 < len(tasks) else None

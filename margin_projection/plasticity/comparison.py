"""Comparisons of methods: per-seed scores, paired tests, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from margin_projection._validation import InputError, check_integer, check_real

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class PairedComparison:
    """A difference of two scores, seed by seed.

    Attributes:
        name: what minus what.
        seeds: those that both have.
        differences: (n,) one a seed.
        mean: their mean. lower, upper: its 95 % interval (Student's t; infinite for one seed).
        p_value: of the paired t-test of no difference, two-sided (nan for one seed; 1 where all differences are 0).
        p_signed_rank: of Wilcoxon's exact test (with n seeds it cannot be below 2^(1 - n)).
    """

    name: str
    seeds: tuple[int, ...]
    differences: np.ndarray
    mean: float
    lower: float
    upper: float
    p_value: float
    p_signed_rank: float


def scores(rows: Rows, column: str = "online_accuracy", *, first: int | None = None, last: int | None = None) -> dict:
    """{(learner, seed): mean of ``column`` over the ``first`` or the ``last`` so many tasks of that run}.

    Runs that failed are left out.

    Raises:
        InputError: neither or both of ``first`` and ``last``, an unknown column, or a run with fewer tasks.
    """
    if (first is None) == (last is None):
        raise InputError("first, last", (first, last), "one of the two")
    count = check_integer("first" if last is None else "last", first if last is None else last, 1)
    result = {}
    for key, run in runs(rows).items():
        values = [row[column] for row in run if row.get(column) is not None] if column in run[0] else []
        if len(values) < count:
            raise InputError("column", column, f"a column with at least {count} values in the run {key}")
        result[key] = float(np.mean(values[:count] if last is None else values[-count:]))
    return result


def runs(rows: Rows) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """{(learner, seed): its rows, by task}, without runs that failed."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        if not row.get("failed"):
            found.setdefault((row["learner"], row["seed"]), []).append(row)
    return {key: sorted(run, key=lambda row: row["task"]) for key, run in found.items()}


def paired(name: str, left: dict[int, float], right: dict[int, float]) -> PairedComparison:
    """left minus right, seed by seed.

    Raises:
        InputError: no seed is in both.
    """
    seeds = tuple(sorted(set(left) & set(right)))
    if not seeds:
        raise InputError("seeds", (sorted(left), sorted(right)), "at least one seed in both")
    differences = np.array([left[seed] - right[seed] for seed in seeds])
    mean, count = float(differences.mean()), len(seeds)
    low, high, p_value, p_rank = -np.inf, np.inf, np.nan, np.nan
    if count > 1:
        spread = float(differences.std(ddof=1)) / np.sqrt(count)
        width = float(stats.t.ppf(0.975, count - 1)) * spread
        low, high = mean - width, mean + width
        p_value = 2.0 * float(stats.t.sf(abs(mean) / spread, count - 1)) if spread > 0.0 else float(mean == 0.0)
        p_rank = 1.0 if not differences.any() else float(stats.wilcoxon(differences, method="exact").pvalue)
    return PairedComparison(name, seeds, differences, mean, float(low), float(high), p_value, p_rank)


def compare_methods(
    rows: Rows, baseline: str = "bp", *, column: str = "online_accuracy", last: int = 20
) -> list[PairedComparison]:
    """Every other method minus the baseline, over the last so many tasks."""
    by_method = _by_method(scores(rows, column, last=last))
    if baseline not in by_method:
        raise InputError("baseline", baseline, f"one of {', '.join(by_method)}")
    others = [method for method in by_method if method != baseline]
    return [paired(f"{method} - {baseline}", by_method[method], by_method[baseline]) for method in others]


def plasticity_losses(
    rows: Rows, *, column: str = "online_accuracy", window: int = 20
) -> dict[str, PairedComparison]:
    """{method: score over the last ``window`` tasks minus that over the first ones}; negative: plasticity is lost."""
    check_real("window", window, 1)
    late, early = (_by_method(scores(rows, column, **part)) for part in ({"last": window}, {"first": window}))
    return {method: paired(f"{method}: last - first", late[method], early[method]) for method in late}


def _by_method(found: dict[tuple[str, int], float]) -> dict[str, dict[int, float]]:
    result: dict[str, dict[int, float]] = {}
    for (method, seed), value in found.items():
        result.setdefault(method, {})[seed] = value
    return result

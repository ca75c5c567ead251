"""The discussion's prediction for depth: r / G falls with it, and so should the local rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from margin_projection.verify.findings import Check, Claim, Part, Verdict

_SLACK = 0.02  # difference of an observed from an asymptotic factor that a finite run may have


def depth(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes depths 1 and 3, one seed and one activation."""
    from figures import depth as figure

    small: dict[str, Any] = {"depths": (1, 3), "seeds": 1, "activations": ("relu",), "steps": 20}
    data = figure.compute(progress=progress, **(small if quick else {"seeds": 2}))
    table = figure.medians(data)
    part = Part(f"Depth: {len(data['rows'])} regression runs, depths {data['depths']}", figure=(figure, data))
    part.results = {"medians": table}
    part.tables.append(_table(table))
    rows = data["rows"]
    for key, words, sign in (
        ("ratio", "r / (G ||theta*||) falls with depth", -1.0),
        ("observed_rate", "local convergence slows down with depth", 1.0),
    ):
        part.claims.append(_monotone(rows, key, words, sign))
    part.checks += _checks(rows)
    return part


def _monotone(rows: list[dict[str, Any]], key: str, words: str, sign: float) -> Claim:
    """Rank correlation with depth over all runs: evidence, which decides nothing."""
    known = [(row["depth"], row[key]) for row in rows if np.isfinite(row[key])]
    depths, values = (np.array(column, dtype=float) for column in zip(*known, strict=True))
    if len(set(depths)) < 2:
        return Claim("Discussion", words, Verdict.UNDECIDED, "fewer than two depths")
    correlation, p_value = spearmanr(depths, values)
    agrees = "speaks for it" if sign * correlation > 0.0 else "speaks against it"
    told = agrees if p_value < 0.05 else "speaks neither for nor against it"
    measured = f"rank correlation {correlation:.2f} (p = {p_value:.1e}, {len(known)} runs) {told}; evidence, no proof"
    return Claim("Discussion", words, Verdict.UNDECIDED, measured)


def _checks(rows: list[dict[str, Any]]) -> list[Check]:
    finite = sum(np.isfinite(row["lipschitz"]) and row["lipschitz"] > 0.0 for row in rows)
    linear = [row for row in rows if np.isfinite(row["observed_rate"]) and np.isfinite(row["spectral_radius"])]
    equal = sum(abs(row["observed_rate"] - row["spectral_radius"]) <= _SLACK for row in linear)
    euler = sum(abs(row["degree"] - row["depth"]) < 1e-9 for row in rows)
    return [
        Check.all_of("degree equals depth", euler, len(rows)),
        Check.all_of("G is finite at every teacher", finite, len(rows)),
        Check.all_of(f"observed equals asymptotic factor, to {_SLACK:g} a cycle", equal, len(linear)),
    ]


def _table(table: list[dict[str, Any]]) -> tuple[str, list[str], list[list[str]]]:
    columns = ["activation", "depth", "r", "G", "r/G", "||theta*||", "r/(G ||theta*||)"]
    columns += ["paper", "asymptotic", "observed"]
    rows = []
    for row in table:
        numbers = (row["degree"], row["lipschitz"], row["degree"] / row["lipschitz"], row["norm"], row["ratio"],
                   row["paper_rate"], row["spectral_radius"], row["observed_rate"])  # fmt: skip
        rows.append([row["activation"], str(row["depth"]), *(f"{value:.4g}" for value in numbers)])
    return "Medians over the seeds; the last three are factors of d a cycle", columns, rows

"""Theorems 6 and 15 near a solution: predicted against observed rates, from starts inside the granted basin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Part

_EXACT = 1e-6
_SLACK = 1e-7


def local_rates(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two problems and few random orderings."""
    from figures import local_rates as figure
    from figures.catalogue import QUICK

    data = figure.compute(**(QUICK["local_rates"] if quick else {}), progress=progress)
    part = Part(f"Local rates: {len(data['cases'])} problems, {data['cycles']} cycles", figure=(figure, data))
    part.results = {name: {"observed": case["observed"], "comparisons": case["comparisons"]}
                    for name, case in data["cases"].items()}  # fmt: skip
    for name, case in data["cases"].items():
        part.checks += _checks(name, case)
    sharp = next(each for each in data["cases"]["regression, linear model"]["comparisons"] if each["bound"] == "sharp")
    gap = abs(sharp["ratio"] - 1.0)
    part.checks.append(Check.at_most("regression, linear: observed over sharp factor, from 1", gap, _EXACT))
    part.tables.append(_table(data))
    return part


def _checks(name: str, case: dict[str, Any]) -> list[Check]:
    sharp = next(each for each in case["comparisons"] if each["bound"] == "sharp")
    ends = case["distances"][2::2]
    within = int((ends[1:] <= sharp["per_cycle"] * ends[:-1] * (1.0 + _SLACK) + case["noise"]).sum())
    distances = "certified distances" if case["certified"] else "distances of local projections"
    contradictions = sum(each["status"] == "CONTRADICTION" for each in case["comparisons"])
    return [
        Check.at_most(f"{name}: bounds that are proved and violated", contradictions, 0.0),
        Check.all_of(f"{name}: cycles within the sharp bound, by {distances}", within, len(ends) - 1),
        Check.at_most(f"{name}: farthest iterate over the ball's radius", case["farthest"] / case["ball"], 1.0),
        Check.all_of(f"{name}: a basin is granted", int(case["radius"] > 0.0), 1),
    ]


def _table(data: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for name, case in data["cases"].items():
        observed = "none" if case["observed"] is None else f"{case['observed']:.6f}"
        for each in case["comparisons"]:
            ratio = "" if each["ratio"] is None else f"{each['ratio']:.4f}"
            factor = f"{each['per_cycle']:.6f}" if np.isfinite(each["per_cycle"]) else "none"
            rows.append([name, each["bound"], each["prediction"], factor, observed, ratio, each["status"]])
    columns = ["model", "bound", "prediction", "factor a cycle", "observed", "ratio", "comparison"]
    return "Factors of d a cycle, cyclic ordering", columns, rows

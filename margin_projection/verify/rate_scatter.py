"""Observed against predicted local rates over many instances: no proved bound is violated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Part

_BOUNDS = ("theorem", "sharp", "limit")


def rate_scatter(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two instances a model and kind."""
    from figures import rate_scatter as figure
    from figures.catalogue import QUICK

    data = figure.compute(**(QUICK["rate_scatter"] if quick else {}), progress=progress)
    comparisons = [each for row in data["rows"] for each in row["comparisons"]]
    proved = [each for each in comparisons if each["bound"] == "sharp" and each["status"] != "NOT_COMPARABLE"]
    part = Part(f"Observed against predicted rates: {len(data['rows'])} instances", figure=(figure, data))
    part.results = {"rows": data["rows"]}
    part.checks = [
        Check.at_most(
            "bounds that are proved and violated", sum(each["status"] == "CONTRADICTION" for each in comparisons), 0.0
        ),
        Check.all_of(
            "rates within the sharp bound", sum(each["status"] == "CONSISTENT" for each in proved), len(proved)
        ),
    ]
    part.tables.append(_table(figure, data))
    return part


def _table(figure: Any, data: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for kind in figure.KINDS:
        for name in figure.LOOKS:
            pairs = {bound: np.array(figure.seen(data, kind, name, bound)).reshape(-1, 2) for bound in _BOUNDS}
            ratios = [
                f"{np.median(found[:, 1] / found[:, 0]):.4f}" if (found[:, 0] > 0.0).all() and len(found) else "none"
                for found in pairs.values()
            ]
            rows.append([kind, name, str(len(pairs["theorem"])), *ratios])
    columns = ["kind", "model", "linear rates", *(f"observed / {bound}" for bound in _BOUNDS)]
    return "Medians of observed over predicted factors a cycle", columns, rows

"""The sharp local bounds against the paper's, over random instances of digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Part

_EQUAL = 1e-9


def sharp_bounds(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two instances of each kind and six images."""
    from figures import sharp_bounds as figure

    small: dict[str, Any] = {"count": 2, "samples": 6, "width": 8}
    data = figure.compute(progress=progress, **(small if quick else {}))
    part = Part(f"Sharp bounds: {len(data['rows'])} random instances of digits", figure=(figure, data))
    table = [_summary(kind, figure.successes(data, kind)) for kind in data["kinds"]]
    rows = [row for kind in data["kinds"] for row in figure.successes(data, kind)]
    part.results = {"summary": table, "failures": len(data["rows"]) - len(rows)}
    columns = ["model", "instances", "gain: least", "median", "most", "margin: best / along theta*, median", "at kinks"]
    part.tables.append(("The paper's kappa over the sharp one, at theta*", columns, [_texts(each) for each in table]))
    never_worse = sum(row["gain"] >= 1.0 - _EQUAL for row in rows)
    margins = sum(row["margin_best"] >= row["margin_along"] * (1.0 - _EQUAL) for row in rows)
    ordered = sum(row["kappa_met"] <= row["kappa_sharp"] * (1.0 + 1e-7) for row in rows)
    part.checks += [
        Check.all_of("the sharp kappa is never above the paper's", never_worse, len(rows)),
        Check.all_of("the best margin is never below r / ||theta*||", margins, len(rows)),
        Check.all_of("no ratio met is above the sharp kappa", ordered, len(rows)),
    ]
    return part


def _summary(kind: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    gains = np.array([row["gain"] for row in rows])
    margins = np.array([row["margin_best"] / row["margin_along"] for row in rows])
    quantiles = np.quantile(gains, (0.0, 0.5, 1.0)).tolist() if len(rows) else [float("nan")] * 3
    return {
        "kind": kind, "instances": len(rows), "gain_least": quantiles[0], "gain_median": quantiles[1],
        "gain_most": quantiles[2], "margin_ratio_median": float(np.median(margins)) if len(rows) else float("nan"),
        "at_kinks": sum(row["state"] != "SMOOTH" for row in rows),
    }  # fmt: skip


def _texts(summary: dict[str, Any]) -> list[str]:
    numbers = ("gain_least", "gain_median", "gain_most", "margin_ratio_median")
    middle = [f"{summary[key]:.3f}" for key in numbers]
    return [summary["kind"], str(summary["instances"]), *middle, str(summary["at_kinks"])]

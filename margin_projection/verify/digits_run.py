"""A run on real data: pairs of handwritten digits, two small networks; projections re-verified from raw values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import margin_projection as mp
from margin_projection.verify.clarke import Stationarity, stationarity
from margin_projection.verify.findings import Check, Part

SEED = 0
RESIDUAL = 1e-8
POWERS = {"squared_relu": 2, "relu": 1}


def digits_run(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two pairs, 12 images each, 8 hidden units and one cycle."""
    from figures import digits_run as figure

    small: dict[str, Any] = {"pairs": ((0, 1), (2, 3)), "samples": 12, "width": 8, "cycles": 1}
    data = figure.compute(seed=SEED, progress=progress, **(small if quick else {}))
    shape = f"{data['samples']} images a task, widths (64, {data['width']}, 1), {data['cycles']} cycles"
    part = Part(f"Digits: {shape}", figure=(figure, data))
    part.results = {key: value for key, value in data.items() if key != "runs"}
    for activation, run in data["runs"].items():
        conditions = _conditions(data, activation, run)
        part.checks += _checks(activation, run, conditions)
        part.results[activation] = _results(run, conditions)
        part.tables.append(_table(activation, data, run))
    return part


def _conditions(data: dict[str, Any], activation: str, run: dict[str, Any]) -> list[Stationarity]:
    tasks = mp.tasks.digits(data["pairs"], data["samples"], data["seed"])
    return [
        stationarity(tasks[task].X, tasks[task].y, POWERS[activation], start, point, multipliers)
        for task, start, point, multipliers in zip(
            data["indices"], run["points"][:-1], run["points"][1:], run["multipliers"], strict=True
        )
    ]


def _checks(activation: str, run: dict[str, Any], conditions: list[Stationarity]) -> list[Check]:
    successes = sum(mp.Status[name].is_success for name in run["statuses"])
    bounded = int((run["lower_bounds"] <= run["steps"] * (1.0 + 1e-9)).sum())
    measured = int(np.isfinite(run["distances"]).sum())
    return [
        Check.all_of(f"{activation}: distances to each C_m measured at every iterate", measured, run["distances"].size),
        Check.all_of(f"{activation}: projections with verified certificates", successes, len(conditions)),
        Check.at_most(f"{activation}: violation, from raw values", _most(conditions, "violation"), RESIDUAL),
        Check.at_most(f"{activation}: Clarke stationarity, from raw values", _most(conditions, "residual"), RESIDUAL),
        Check.at_most(f"{activation}: negative multipliers", _most(conditions, "negativity"), RESIDUAL),
        Check.at_most(f"{activation}: complementarity", _most(conditions, "complementarity"), RESIDUAL),
        Check.all_of(f"{activation}: lower bounds at most the step", bounded, len(conditions)),
    ]


def _most(conditions: list[Stationarity], name: str) -> float:
    return max(getattr(each, name) for each in conditions)


def _results(run: dict[str, Any], conditions: list[Stationarity]) -> dict[str, Any]:
    kept = ("distances", "distance_lower_bounds", "forgetting", "statuses", "steps", "lower_bounds")
    return {**{key: run[key] for key in kept}, "kinks": [each.kinks for each in conditions]}


def _table(activation: str, data: dict[str, Any], run: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for t, (distances, forgetting) in enumerate(zip(run["distances"], run["forgetting"], strict=True)):
        met = data["task_names"][data["indices"][t - 1]] if t else "start"
        status = run["statuses"][t - 1] if t else ""
        rows.append([str(t), met, status, _numbers(distances, 4), _numbers(forgetting, 3)])
    return f"{activation}: local minimizers", ["t", "task met", "status", "distance to each C_m", "forgetting"], rows


def _numbers(values: np.ndarray, digits: int) -> str:
    return "  ".join(f"{value:.{digits}f}" for value in values)

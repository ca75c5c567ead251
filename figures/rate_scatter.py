"""Observed against predicted local rates over many instances, in classification and regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.rate_problems import classified, comparison_rows, digits, measure, taught
from figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PAGE,
    PURPLE,
    VERMILLION,
    new_figure,
    panel_title,
    save_figure,
    style,
)
from margin_projection._validation import check_choice

NAME = "rate_scatter"
KINDS = ("classification", "regression")
LOOKS = {
    "linear": (BLUE, "o", "linear"), "squared": (VERMILLION, "s", "squared linear"),
    "deep": (GREEN, "^", "deep linear"), "digits": (PURPLE, "D", "digits, squared ReLU"),
}  # fmt: skip
_CYCLES = 15
CAPTION = """
Observed against predicted local rates: {count} random instances of two tasks a kind for linear and squared linear
models, {few} for the others, cyclic orderings, starts inside the granted basin. Each axis shows 1 - the factor by which
d(theta_k, C*) shrinks a cycle: to the right the prediction promises more, above more is observed; a bound holds where
its mark is on or above the line. Open: the sharp bound, proved in the ball; filled: its limit as the ball shrinks to
theta* (runs end at another point of C* nearby, so that a mark may lie a little below the line); grey crosses: the
theorems' factor as printed. Shown are the {linear} of {total} instances with a linear rate; the others reach C* in
finitely many steps (usual in classification), or too fast or too slow to tell.
"""


def compute(
    count: int = 24,
    models: Sequence[str] = (),
    workers: int = 2,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Runs of all instances.

    Args:
        count: instances of the linear and the squared linear model for each kind (default 24), a quarter for the
            others.
        models: names of some of them, see `LOOKS` (default: all).
        workers: processes (default 2).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, and "rows": kind, model, seed, status, observed (None where no linear rate is seen), certified,
        and the comparisons with each bound.

    Raises:
        InputError: an unknown model.
    """
    cases = [
        (kind, check_choice("models", name, LOOKS), seed) for kind in KINDS for name in models or LOOKS
        for seed in range(count if name in ("linear", "squared") else _few(count))
    ]  # fmt: skip
    results = joblib.Parallel(n_jobs=workers, return_as="generator")(joblib.delayed(_row)(*case) for case in cases)
    rows = []
    for done, row in enumerate(results, start=1):
        rows.append(row)
        if progress is not None:
            progress(done / len(cases))
    return {"count": count, "rows": rows}


def _few(count: int) -> int:
    return max(1, count // 4)


def _row(kind: str, name: str, seed: int) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": kind, "model": name, "seed": seed}
    try:
        if name == "digits":
            problem = digits(8, 4, seed, kind)
        else:
            model = _model(name)
            regression = kind == "regression"
            samples = 1 if regression and name == "squared" else 2 if regression else 3
            problem = taught(model, samples, seed) if regression else classified(model, samples, seed)
        found = measure(problem, _CYCLES)
    except (mp.ProjectionError, mp.TrajectoryError) as error:
        return {**row, "status": type(error).__name__, "observed": None, "certified": False, "comparisons": []}
    observed = found.observed
    linear = observed.status.name == "LINEAR" and observed.rate is not None
    return {
        **row, "status": observed.status.name, "certified": observed.certified,
        "observed": observed.rate.per_cycle if linear and observed.rate is not None else None,
        "comparisons": comparison_rows(found.comparisons),
    }  # fmt: skip


def _model(name: str) -> mp.networks.Model:
    if name == "linear":
        return mp.networks.Linear(8)
    return mp.networks.SquaredLinear(5) if name == "squared" else mp.networks.FullyConnected((5, 4, 4, 1), "identity")


def seen(data: Mapping[str, Any], kind: str, name: str, bound: str) -> list[tuple[float, float]]:
    """(predicted, observed) factors a cycle of the instances with a linear rate, where the bound says anything."""
    pairs = []
    for row in data["rows"]:
        if (row["kind"], row["model"]) != (kind, name) or row["observed"] is None:
            continue
        each = next(entry for entry in row["comparisons"] if entry["bound"] == bound)
        if each["per_cycle"] is not None and 0.0 <= each["per_cycle"] < 1.0:
            pairs.append((each["per_cycle"], row["observed"]))
    return pairs


def draw(data: Mapping[str, Any]) -> Figure:
    """One panel a kind."""
    with style():
        figure = new_figure(PAGE, 3.2)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, letter, kind in zip(panels, "ab", KINDS, strict=True):
            _panel(axes, data, kind)
            panel_title(axes, letter, kind)
            axes.set_xlabel("1 - predicted factor a cycle")
        panels[0].set_ylabel("1 - observed factor a cycle")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, columnspacing=1.6)
    return figure


def _panel(axes: Axes, data: Mapping[str, Any], kind: str) -> None:
    marks: Any = {"linestyle": "none", "markersize": 3.5}
    printed = [pair for name in LOOKS for pair in seen(data, kind, name, "theorem")]
    axes.plot(*_gaps(printed), color=GREY, marker="x", alpha=0.6, label="as printed", **marks)
    for name, (color, marker, label) in LOOKS.items():
        axes.plot(*_gaps(seen(data, kind, name, "sharp")), color=color, marker=marker, markerfacecolor="white", **marks)
        axes.plot(*_gaps(seen(data, kind, name, "limit")), color=color, marker=marker, label=label, **marks)
    axes.plot([1e-5, 1.0], [1e-5, 1.0], color=BLACK, linewidth=0.5, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=(5e-5, 1.3), ylim=(1e-2, 1.3))


def _gaps(pairs: list[tuple[float, float]]) -> tuple[Any, Any]:
    found = 1.0 - np.array(pairs, dtype=float).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    linear = sum(row["observed"] is not None for row in data["rows"])
    return CAPTION.format(count=data["count"], few=_few(data["count"]), linear=linear, total=len(data["rows"]))


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

"""The verdict map: statements by attacks, slacks of instances, how far printed constants are from the best ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from figures.style import (
    BLACK,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PURPLE,
    SKY,
    VERMILLION,
    new_figure,
    panel_title,
    save_figure,
    style,
)
from proofs_checks import verify_all
from proofs_checks.rows import json_row

NAME = "verdict_map"
ATTACKS = ("vacuity", "steps", "corner cases", "property search", "adversarial search", "exactification")
_STATUS = {"proved": GREEN, "supported": SKY, "refuted": VERMILLION, "vacuous": PURPLE, "unknown": GREY}
_CELLS = {
    "tried": (SKY, ""),
    "proof": (GREEN, "+"),
    "broken": (ORANGE, "!"),
    "hit": (VERMILLION, "x"),
    "none": ("white", ""),
}
CAPTION = """
Statements (main readings) and what attacks on them found. (a) x: a counterexample; +: a valid proof, or a proof of
vacuity; !: a printed display that does not follow; filled: tried without a hit; empty: not tried. First column: the
verdict. (b) Relative slack of the claims at all different instances that the property search tried, which looks for
small ones (line: least to largest, bar: quartiles, mark: median; linear within 1e-3 of 0): below 0 are violations,
rounding counts as 0. (c) For every bound with a constant, by which power of 2 the printed constant could be stronger
(right of 0: proved or not, no instance refutes a constant left of the bar, and one right of it is refuted exactly) or
is refuted with weaker ones, too (left of 0, vermillion); arrows: no end within 2^6. Budget {budget}, seed 0.
"""


def compute(
    budget: str = "default", workers: int = 2, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """The JSON rows of all verdicts.

    Args:
        budget: "quick" (no tightness), "default" or "thorough".
        workers: processes (default 2).
        progress: called with the share done, in (0, 1].
    """
    report = None if progress is None else (lambda done, total: progress(max(done, 1) / total))
    verdicts = verify_all(budget=budget, workers=workers, progress=report)
    rows = [json_row(each) for each in verdicts]
    for row in rows:  # clock time is no part of a figure's data
        _without_seconds(row)
    return {"budget": budget, "rows": rows}


def _without_seconds(row: dict[str, Any]) -> None:
    row.pop("seconds")
    for each in (*row["readings"], *([row["repair"]] if row["repair"] else [])):
        _without_seconds(each)


def draw(data: Mapping[str, Any]) -> Figure:
    """The map, the slacks, and the tightness intervals."""
    rows = data["rows"]
    with style():
        figure = new_figure(PAGE, 1.0 + 0.15 * len(rows))
        table, slacks, intervals = figure.subplots(1, 3, width_ratios=(2.2, 0.8, 0.9))
        _map(table, rows)
        _slacks(slacks, rows)
        _tightness(intervals, rows)
        titles = ("attacks", "slack", "tightness")
        for axes, letter, title in zip((table, slacks, intervals), "abc", titles, strict=True):
            panel_title(axes, letter, title)
    return figure


def _map(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for y, row in enumerate(rows):
        box = {"facecolor": _STATUS[row["status"]], "alpha": 0.5, "edgecolor": "none", "pad": 1.0}
        axes.text(0, y, row["status"], ha="center", va="center", fontsize=5.5, color=BLACK, bbox=box)
        for x, attack in enumerate(ATTACKS, start=1):
            color, mark = _CELLS[_outcome(row, attack)]
            axes.add_patch(_square(x, y, color))
            axes.text(x, y, mark, ha="center", va="center", fontsize=6.0)
    axes.set_xlim(-0.6, len(ATTACKS) + 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    names = [row["id"].replace("schliserman2026", "S").replace("prakash2026", "P") for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=5.5)
    axes.set_xticks(range(1 + len(ATTACKS)), ["verdict", *ATTACKS], rotation=30, ha="right", fontsize=6.0)
    axes.tick_params(length=0)


def _square(x: float, y: float, color: str) -> Any:
    return Rectangle((x - 0.42, y - 0.42), 0.84, 0.84, facecolor=color, alpha=0.45, edgecolor="none")


def _outcome(row: Mapping[str, Any], attack: str) -> str:
    found = next((each for each in row["evidence"] if each["attack"] == attack), None)
    if found is None:
        return "none"
    if attack == "vacuity":
        return "proof" if row["status"] == "vacuous" else "tried"
    if attack == "steps":
        return "broken" if row["failing_steps"] else "proof" if row["status"] == "proved" else "none"
    if attack == "corner cases":
        return "hit" if found["numbers"]["refuting"] else "tried" if found["numbers"]["total"] else "none"
    if attack == "property search":
        least = found["numbers"]["least relative slack"]
        return "hit" if row["status"] == "refuted" and least is not None and least < -1e-9 else "tried"
    if attack == "adversarial search":
        return "tried" if found["numbers"]["evaluations"] else "none"
    return "hit" if found["numbers"]["confirmed"] else "none"


def _slacks(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for y, row in enumerate(rows):
        search = next((each for each in row["evidence"] if each["attack"] == "property search"), None)
        if search is None or not search["numbers"]["slack quantiles"]:
            continue
        least, _, low, middle, high, _, most = search["numbers"]["slack quantiles"]
        color = _STATUS[row["status"]]
        axes.plot([least, most], [y, y], color=color, linewidth=0.8, solid_capstyle="butt")
        axes.plot([low, high], [y, y], color=color, linewidth=3.0, solid_capstyle="butt")
        axes.plot([middle], [y], color=BLACK, marker="|", markersize=4.0)
    axes.axvline(0.0, color=GREY, linewidth=0.6)
    axes.set_xscale("symlog", linthresh=1e-3)
    axes.set(xlim=(-1.5, 1.5), xticks=[-1.0, 0.0, 1e-2, 1.0], xticklabels=["-1", "0", "0.01", "1"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=[], xlabel="relative slack")


def _tightness(axes: Axes, rows: list[dict[str, Any]]) -> None:
    entries = [(f"{row['id'].split('/')[1]}: {each['constant']}", each) for row in rows for each in row["tightness"]]
    for y, (_, each) in enumerate(entries):
        low, high = (_octave(each, name) for name in ("not_refuted", "refuted"))
        color = VERMILLION if high is not None and high <= 0.0 else GREEN
        end = next(value for value in (low, high) if value is not None)
        axes.plot([0.0, end], [y, y], color=color, linewidth=0.6)
        if low is None or high is None:
            axes.plot([end], [y], color=color, marker="<" if low is None else ">", markersize=3.5)
        else:
            axes.plot([low - 0.1, high + 0.1], [y, y], color=color, linewidth=3.0, solid_capstyle="butt")
    axes.axvline(0.0, color=GREY, linewidth=0.6)
    axes.set(xlim=(-7.0, 7.0), ylim=(max(len(entries), 1) - 0.5, -0.5), xlabel="powers of 2")
    axes.set_yticks(range(len(entries)), [label for label, _ in entries], fontsize=5.5)
    axes.tick_params(axis="y", length=0)


def _octave(entry: Mapping[str, Any], name: str) -> float | None:
    """log2 of an end of the interval over the printed constant, positive where stronger."""
    if entry[name] is None:
        return None
    return float(np.log2(_number(entry[name]) / _number(entry["printed"]))) * (1 if entry["stronger"] == "up" else -1)


def _number(text: str) -> float:
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(budget=data["budget"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

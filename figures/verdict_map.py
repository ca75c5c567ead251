"""The verdict map: statements by attacks, and how far printed constants are from the best ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from figures.style import BLACK, GREEN, GREY, ORANGE, PAGE, PURPLE, SKY, VERMILLION, new_figure, save_figure, style
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
Statements (rows, main readings) by attacks (columns): x: a counterexample; +: a valid proof, or a proof of vacuity;
!: a printed display that does not follow; filled: tried without a hit; empty: not tried. First column: the verdict.
Right: for every bound with a constant, the interval from the strongest value that no instance at hand refutes (left
end of the bar, in units of the printed constant, log2 scale: stronger to the right) to the weakest one refuted
exactly; the line at 1 is the printed constant. Bars that end left of it belong to refuted constants. Budget {budget},
seed 0.
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
    """The map, and the tightness intervals."""
    rows = data["rows"]
    with style():
        figure = new_figure(PAGE, 1.0 + 0.145 * len(rows))
        table, intervals = figure.subplots(1, 2, width_ratios=(2.2, 1.0))
        _map(table, rows)
        _tightness(intervals, rows)
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


def _tightness(axes: Axes, rows: list[dict[str, Any]]) -> None:
    labels, y = [], 0
    for row in rows:
        for each in row["tightness"]:
            ends = [_octave(each[name], each["printed"], row, each["constant"]) for name in ("not_refuted", "refuted")]
            if ends == [None, None]:
                continue
            low, high = (-6.0 if ends[0] is None else ends[0]), (6.0 if ends[1] is None else ends[1])
            color = VERMILLION if ends[1] is not None and abs(high) > 0.2 and high < 0.0 else GREEN
            axes.plot([low, max(high, low + 0.15)], [y, y], color=color, linewidth=2.0, solid_capstyle="butt")
            labels.append(f"{row['id'].split('/')[1]}: {each['constant']}")
            y += 1
    axes.axvline(0.0, color=GREY, linewidth=0.6)
    axes.set_ylim(max(y, 1) - 0.5, -0.5)
    axes.set_yticks(range(y), labels, fontsize=4.5)
    axes.set_xlabel("log2(constant / printed)")


def _octave(value: str | None, printed: str, row: Mapping[str, Any], constant: str) -> float | None:
    """log2 of value / printed, positive where stronger: the interval's own ends tell the direction."""
    if value is None:
        return None
    found = next(each for each in row["tightness"] if each["constant"] == constant)
    ends = [_number(found[name]) for name in ("not_refuted", "refuted")]
    up = ends[1] is None or ends[0] is None or ends[1] > ends[0]
    number, reference = _number(value), _number(printed)
    assert number is not None and reference is not None
    return float(np.log2(number / reference)) * (1.0 if up else -1.0)


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(budget=data["budget"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

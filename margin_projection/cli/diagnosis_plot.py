"""The picture of a diagnosis: conditions as a coloured table with words, and the constants as intervals."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from margin_projection._pictures import new_figure
from margin_projection.diagnosis import Verdict

if TYPE_CHECKING:
    from margin_projection.diagnosis import Diagnosis
    from margin_projection.regularity import Interval, RegularityReport

# Okabe and Ito's palette, light enough for black words: told apart under every common colour blindness.
_COLORS = {Verdict.HOLDS: "#8FD3B6", Verdict.FAILS: "#F0A58A", Verdict.UNDECIDED: "#F3DC8C"}
_INTERVALS = (
    ("lipschitz", "G on the ball"),
    ("smoothness", r"$\beta$ on the ball"),
    ("mfcq_along_theta", r"MFCQ margin along $\theta^*$"),
    ("mfcq_best", "best MFCQ margin"),
    ("metric_regularity", "metric regularity"),
    ("kappa", r"$\kappa$ on the ball"),
    ("kappa_limit", r"$\kappa$ in the limit"),
    ("pairing", r"$\epsilon$ at $\delta$ = radius"),
)
_FIXED_METADATA = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same result gives the same file
_WORDS = 96


def plot_diagnosis(diagnosis: Diagnosis, path: Path) -> None:
    """Draw the conditions of a diagnosis and, where there is a report, its constants.

    Args:
        diagnosis: the result.
        path: a .png, .svg or .pdf file.
    """
    report = diagnosis.report
    rows = len(diagnosis.conditions)
    figure = new_figure(15.0 if report is not None else 11.0, 0.47 * rows + 1.2, "")
    if report is None:
        _draw_conditions(figure.subplots(), diagnosis)
    else:
        left, right = figure.subplots(1, 2, width_ratios=(2.6, 1.0))
        _draw_conditions(left, diagnosis)
        _draw_constants(right, report)
    groups = diagnosis.groups
    degree = "" if groups.degree is None else f", degree {groups.degree:g}"
    title = f"{diagnosis.name}, {diagnosis.num_parameters} parameters: {groups.kind.name}{degree}"
    figure.suptitle(title, parse_math=False)
    suffix = path.suffix.lower()
    figure.savefig(path, format=suffix[1:], dpi=150, metadata=_FIXED_METADATA.get(suffix))


def _draw_conditions(axes: Any, diagnosis: Diagnosis) -> None:
    conditions = diagnosis.conditions
    axes.set(xlim=(0.0, 1.0), ylim=(len(conditions), 0.0))
    axes.axis("off")
    for row, each in enumerate(conditions):
        color = _COLORS[each.verdict]
        axes.fill_between([0.0, 0.1], row + 0.06, row + 0.94, color=color, linewidth=0.0)
        words: dict[str, Any] = {"va": "center", "parse_math": False}
        axes.text(0.05, row + 0.5, each.verdict.name.lower(), ha="center", fontsize=8.5, **words)
        axes.text(0.11, row + 0.5, f"{each.name}\n{each.theorem}", fontsize=7.5, linespacing=1.3, **words)
        told = textwrap.shorten(each.how, 2 * _WORDS, placeholder=" ...")
        axes.text(0.42, row + 0.5, textwrap.fill(told, _WORDS), fontsize=7.0, linespacing=1.3, **words)


def _draw_constants(axes: Any, report: RegularityReport) -> None:
    """One line a constant, on a logarithmic axis, from the lower to the upper end; an arrow where there is none."""
    shown = [(label, getattr(report, name)) for name, label in _INTERVALS]
    finite = [end for _, each in shown for end in (each.lower, each.upper) if 0.0 < end < math.inf]
    low, high = (min(finite), max(finite)) if finite else (0.1, 10.0)
    low, high = low / 3.0, high * 10.0
    for row, (_, each) in enumerate(shown):
        _draw_interval(axes, row, each, low, high)
    axes.set(xscale="log", xlim=(low, high), ylim=(len(shown) - 0.4, -0.6), yticks=range(len(shown)))
    axes.set_yticklabels([label for label, _ in shown], fontsize=8)
    axes.set_title(f"constants, ball of radius {report.radius:.3g}", fontsize=9)
    axes.set_xlabel("mark: proved end; dot: largest value met; arrow: no finite bound", fontsize=7.5)
    axes.grid(axis="x", alpha=0.3)


def _draw_interval(axes: Any, row: int, interval: Interval, low: float, high: float) -> None:
    left, right = max(interval.lower, low), min(max(interval.upper, low), high)
    axes.plot([left, right], [row, row], color="#0072B2", linewidth=3.0, solid_capstyle="butt", alpha=0.5)
    if interval.lower > 0.0:
        axes.plot(left, row, "|" if interval.lower_proved else "o", color="#0072B2", markersize=8)
    axes.plot(right, row, "|" if interval.is_bounded else ">", color="#D55E00", markersize=8)
    text = f"{interval.lower:.3g} to {interval.upper:.3g}" if interval.is_bounded else f"{interval.lower:.3g} to ?"
    axes.annotate(text, (left, row), xytext=(0, 6), textcoords="offset points", fontsize=7)

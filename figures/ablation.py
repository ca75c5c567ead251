"""Which architectures satisfy which hypotheses: a table of verdicts and constants, one row a network."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLACK, GREY, PAGE, new_figure, save_figure, style
from margin_projection._files import write_atomically
from margin_projection.diagnosis import Diagnosis, diagnose
from margin_projection.verify.architectures import ARCHITECTURES, build, train

NAME = "ablation"
PAIRS = ((0, 1), (2, 3))
CONDITIONS = {
    "positive homogeneity": "homog.",
    "C* nonempty": "$C_*$",
    "f globally G-Lipschitz, as printed": "global $G$",
    "f globally beta-smooth, as printed": r"global $\beta$",
    "f G-Lipschitz on the ball": "local $G$",
    "f beta-smooth on the ball": r"local $\beta$",
    "MFCQ with margin": "MFCQ",
    "metric regularity of C*": "metric",
    "kappa-linear regularity": r"$\kappa$",
    "(eps, delta)-regularity with eps < 1": r"$\epsilon,\delta$",
    "a basin of positive radius": "basin",
}
_LOOKS = {"HOLDS": ("#8FD3B6", "holds"), "FAILS": ("#F0A58A", "fails"), "UNDECIDED": ("#F3DC8C", "open")}
COLUMNS = (
    "architecture", "parameters", "homogeneity", "degree", "active", "G at least", "G at most", "beta at most",
    "margin", "margin of the paper", "kappa", "kappa of the paper", "radius proved", "radius of the paper",
    "rate in the limit", "to change",
)  # fmt: skip
CAPTION = """
Hypotheses of Schliserman et al. (2026) for {count} networks on {tasks}, {samples} images each, trained to separate the
tasks (seed {seed}) and moved to a projection onto the joint set, at which several constraints are active. Green: holds;
red: fails; yellow: neither proved nor refuted. "with ... frozen" repeats a network that is homogeneous in some groups
of parameters alone, the others frozen. The columns "global" are the hypotheses of Theorems 6 and 15 as printed, "local"
those on a ball of a hundredth of the point's norm; degree, best margin, and kappa in the limit stand at the right.
"""


def compute(
    pairs: Sequence[tuple[int, int]] = PAIRS,
    samples: int = 10,
    names: Sequence[str] = tuple(ARCHITECTURES),
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Train every architecture, diagnose it, and keep the table.

    Args:
        pairs: of digits, one task each (default (0, 1), (2, 3)).
        samples: images a task (default 10).
        names: keys of `ARCHITECTURES` (default all).
        seed: of images, initial parameters and searches (default 0).
        progress: called with the share done, in (0, 1] (default None).

    Returns:
        The arguments, task_names, rows (see `COLUMNS`, and "verdicts" by condition), and "diagnoses" as plain data.
    """
    tasks = mp.tasks.digits(pairs, samples, seed)
    rows: list[dict[str, Any]] = []
    plain: dict[str, Any] = {}
    for done, name in enumerate(names, start=1):
        found = diagnose(train(build(name, seed), tasks), tasks, project=True, seed=seed)
        plain[name] = found.to_dict()
        rows.append(_row(name, found))
        if found.restricted is not None:
            rows.append(_row(f"{name}: with {len(found.groups.fixed)} groups frozen", found.restricted))
        if progress is not None:
            progress(done / len(names))
    return {
        "pairs": [list(pair) for pair in pairs], "samples": samples, "seed": seed, "names": list(names),
        "task_names": [task.name for task in tasks], "rows": rows, "diagnoses": plain,
    }  # fmt: skip


def _row(name: str, found: Diagnosis) -> dict[str, Any]:
    report, groups = found.report, found.groups
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"architecture": name, "parameters": found.num_parameters, "homogeneity": groups.kind.name}
    row |= {"degree": groups.degree, "to change": found.advice[0] if found.advice else ""}
    row["verdicts"] = {each.name: each.verdict.name for each in found.conditions}
    if report is None:
        margin = found.condition("MFCQ with margin").numbers
        kappa = found.condition("kappa-linear regularity").numbers
        return row | {"margin": margin.get("margin at least"), "kappa": kappa.get("kappa in the limit at most")}
    return row | {
        "active": sum(len(each) for each in report.active),
        "G at least": report.lipschitz.lower,
        "G at most": report.lipschitz.upper,
        "beta at most": report.smoothness.upper,
        "margin": report.mfcq_best.lower,
        "margin of the paper": report.degree / report.norm,
        "kappa": report.kappa_limit.upper,
        "kappa of the paper": report.paper_limit.kappa,
        "radius proved": report.basin_cyclic.radius,
        "radius of the paper": report.paper_local.delta,
        "rate in the limit": found.rates["cyclic, limit, limit"].per_step,
    }


def draw(data: Mapping[str, Any]) -> Figure:
    """One row a network, one column a hypothesis, numbers at the right."""
    rows = data["rows"]
    with style():
        figure = new_figure(PAGE, 0.25 * len(rows) + 0.5)
        axes = figure.subplots()
        axes.axis("off")
        columns = len(CONDITIONS)
        axes.set(xlim=(-5.2, columns + 3.6), ylim=(len(rows), -1.0))
        for column, title in enumerate((*CONDITIONS.values(), "degree", "margin", r"$\kappa$")):
            place = column + 0.5 if column < columns else columns + 0.7 + 1.2 * (column - columns)
            axes.text(place, -0.45, title, ha="center", va="center", fontsize=6.0, color=BLACK)
        for number, row in enumerate(rows):
            _draw_row(axes, number, row)
    return figure


def _draw_row(axes: Axes, number: int, row: Mapping[str, Any]) -> None:
    name = str(row["architecture"]).replace(": with", "\n   with")
    axes.text(-5.1, number + 0.5, name, va="center", fontsize=6.0, color=BLACK)
    for column, condition in enumerate(CONDITIONS):
        color, word = _LOOKS[row["verdicts"][condition]]
        sides = [column + 0.03, column + 0.97]
        axes.fill_between(sides, number + 0.06, number + 0.94, color=color, linewidth=0.0)
        axes.text(column + 0.5, number + 0.5, word, ha="center", va="center", fontsize=5.5)
    for position, key in enumerate(("degree", "margin", "kappa")):
        place = len(CONDITIONS) + 0.7 + 1.2 * position
        axes.text(place, number + 0.5, _text(row[key]), ha="center", va="center", fontsize=6.0, color=GREY)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return "infinite" if math.isinf(value) else f"{value:.3g}"
    return str(value)


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    tasks = ", ".join(data["task_names"])
    return CAPTION.format(count=len(data["names"]), tasks=tasks, samples=data["samples"], seed=data["seed"])


def csv_table(data: Mapping[str, Any]) -> str:
    """The table, one line a network: numbers in full, verdicts behind them."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*COLUMNS, *CONDITIONS])
    for row in data["rows"]:
        cells = ["" if row[key] is None else row[key] for key in COLUMNS]
        writer.writerow([*cells, *(row["verdicts"][condition] for condition in CONDITIONS)])
    return stream.getvalue()


def markdown_table(data: Mapping[str, Any]) -> str:
    """The same, rounded, for a page: H holds, F fails, ? open."""
    shown = ("degree", "active", "G at most", "margin", "margin of the paper", "kappa", "kappa of the paper")
    letters = {"HOLDS": "H", "FAILS": "F", "UNDECIDED": "?"}
    head = ["architecture", "homogeneity", *shown, *CONDITIONS]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in data["rows"]:
        verdicts = [letters[row["verdicts"][condition]] for condition in CONDITIONS]
        cells = [row["architecture"], row["homogeneity"], *(_text(row[key]) for key in shown), *verdicts]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write picture, data, caption, and the table as .csv and .md into ``out_dir``; computed where ``data`` is None."""
    data = compute() if data is None else data
    paths = save_figure(draw(data), out_dir, NAME, data, caption(data))
    tables = {".csv": csv_table(data), ".md": markdown_table(data)}
    return paths + [write_atomically(Path(out_dir) / (NAME + suffix), text.encode()) for suffix, text in tables.items()]

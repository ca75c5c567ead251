"""The bridge: readings of the Gram matrix at task starts, over tasks and against what training then achieves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import BLUE, GREEN, PAGE, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection.bridge import METHODS, BridgeSettings, run_bridges

NAME = "gram_bridge"
_LOOKS = {"bp": (VERMILLION, "o"), "l2": (BLUE, "s"), "reset": (GREEN, "^")}
_OVER_TASKS = (("epsilon_rank", "epsilon-rank"), ("mfcq_margin", "MFCQ margin"), ("success", "success"))
_AGAINST = (
    ("epsilon_rank", "epsilon-rank"),
    ("mfcq_margin", "MFCQ margin"),
    ("least_singular", "least singular value"),
)
CAPTION = """
A ReLU network 16-24-24-1 without biases meets {num_tasks} tasks of 64 samples with random labels; {seeds} seeds,
plain training (bp), weight decay (l2), and a new initialization for every task (reset). Top: means over the seeds, by
task, of the epsilon-rank of the Gram matrix at the start (threshold 0.01), of the best margin of MFCQ there, and of
the success after training, 1 - final loss. Bottom: success against the epsilon-rank, the margin and the least
singular value of the Jacobian, a mark a task. The margin falls to 0 first, the epsilon-rank gradually.
"""


def compute(
    seeds: int = 5, num_tasks: int = 60, workers: int = 2, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """The rows of `run_bridges`.

    Args:
        seeds: runs of each method (default 5).
        num_tasks: of a run (default 60).
        workers: processes (default 2).
        progress: called with the share done, in (0, 1].
    """
    report = None if progress is None else (lambda done, total: progress(done / total))
    rows = run_bridges(BridgeSettings(num_tasks=num_tasks), METHODS, range(seeds), workers=workers, progress=report)
    return {"seeds": seeds, "num_tasks": num_tasks, "rows": rows}


def draw(data: Mapping[str, Any]) -> Figure:
    """Two rows of three panels."""
    with style():
        figure = new_figure(PAGE, 4.0)
        panels = figure.subplots(2, 3)
        for axes, letter, (name, label) in zip(panels[0], "abc", _OVER_TASKS, strict=True):
            _over_tasks(axes, data["rows"], name)
            panel_title(axes, letter, label)
            axes.set_xlabel("task")
        for axes, letter, (name, label) in zip(panels[1], "def", _AGAINST, strict=True):
            _scatter(axes, data["rows"], name)
            panel_title(axes, letter, "")
            axes.set_xlabel(label)
        panels[1][0].set_ylabel("success")
        panels[0][0].legend()
    return figure


def _over_tasks(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    for method, (color, marker) in _LOOKS.items():
        chosen = [row for row in rows if row["learner"] == method]
        tasks = sorted({row["task"] for row in chosen})
        means = [np.mean([row[name] for row in chosen if row["task"] == task]) for task in tasks]
        axes.plot(tasks, means, color=color, marker=marker, markevery=max(1, len(tasks) // 8), label=method)


def _scatter(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    for method, (color, marker) in _LOOKS.items():
        points = np.array([(row[name], row["success"]) for row in rows if row["learner"] == method])
        axes.plot(points[:, 0], points[:, 1], color=color, marker=marker, linestyle="none", markersize=2.0, alpha=0.5)


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(seeds=data["seeds"], num_tasks=data["num_tasks"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

"""Loss of plasticity: accuracy, ranks and dead units over tasks, and what smoothing alone does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import BLACK, BLUE, GREEN, PAGE, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection.curvature import matrix_operator, smoothed_epsilon_rank, spectral_measure
from margin_projection.plasticity.configuration import Experiment
from margin_projection.plasticity.experiment import run_experiment

NAME = "plasticity"
METHODS = {"bp": (VERMILLION, "o"), "l2_er": (BLUE, "s")}
_PANELS = (
    ("online_accuracy", "online accuracy"),
    ("epsilon_rank", "epsilon-rank (share)"),
    ("feature_effective_rank", "effective rank of the features"),
    ("dead_units", "dead units"),
)
_SIZE, _EPS = 200, 0.01
CAPTION = """
Digits with random labels, {num_tasks} tasks of 160 samples, a 64-64 ReLU network, Adam; {seeds} seeds, means with
ranges. (a) to (d): plain training and L2-ER, by task; spectra of the Hessian at task starts by stochastic Lanczos
quadrature. (e) Epsilon-rank at the start of a task against the accuracy that follows. (f) What smoothing alone does:
a matrix of {size} rows with one eigenvalue other than 0; the true share outside +-0.01 is 1/{size}, dots: what a
density smoothed with a Gaussian of variance 1e-5 max(1, range) on 10,000 points says.
"""


def compute(
    seeds: int = 3, num_tasks: int = 60, workers: int = 2, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Runs of both methods, and the smoothing study.

    Args:
        seeds: runs of each method (default 3).
        num_tasks: of a run (default 60).
        workers: processes (default 2).
        progress: called with the share done, in (0, 1].
    """
    experiment = Experiment.model_validate(
        {
            "seeds": list(range(seeds)),
            "stream": {"name": "random_label_digits", "num_tasks": num_tasks, "settings": {"samples": 160}},
            "training": {"hidden": [64, 64], "optimizer": "adam", "rate": 1e-3, "epochs": 20, "batch_size": 16},
            "spectrum": {"every": 4, "samples": 160, "order": 30, "probes": 2, "eps": _EPS},
            "methods": [{"name": name} for name in METHODS],
        }
    )
    report = None if progress is None else (lambda done, total: progress(max(done, 0.1) / total))
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_experiment(experiment, folder, workers=workers, progress=report)
    names = ("learner", "seed", "task", *(name for name, _ in _PANELS))
    rows = [{name: row.get(name) for name in names} for outcome in outcomes for row in outcome.rows]
    sizes = np.logspace(-1, 3, 17)
    return {
        "seeds": seeds, "num_tasks": num_tasks, "rows": rows, "largest": sizes,
        "smoothed": [_smoothed(value) for value in sizes],
    }  # fmt: skip


def _smoothed(largest: float) -> float:
    """The share that the published statistic gives to a matrix with eigenvalues (largest, 0, ..., 0)."""
    matrix = torch.zeros(_SIZE, _SIZE, dtype=torch.float64)
    matrix[0, 0] = largest
    measure = spectral_measure(matrix_operator(matrix), order=20, probes=4, seed=0)
    return float(smoothed_epsilon_rank(measure, _EPS).share)


def draw(data: Mapping[str, Any]) -> Figure:
    """Six panels."""
    with style():
        figure = new_figure(PAGE, 4.0)
        panels = figure.subplots(2, 3).ravel()
        for axes, letter, (name, label) in zip(panels, "abcd", _PANELS, strict=False):
            _over_tasks(axes, data["rows"], name)
            panel_title(axes, letter, label)
            axes.set_xlabel("task")
        panels[0].legend()
        _scatter(panels[4], data["rows"])
        panel_title(panels[4], "e", "")
        panels[4].set(xlabel="epsilon-rank at the start", ylabel="online accuracy")
        _study(panels[5], data)
        panel_title(panels[5], "f", "smoothing alone")
    return figure


def _over_tasks(axes: Axes, rows: list[dict[str, Any]], name: str) -> None:
    for method, (color, marker) in METHODS.items():
        found: dict[int, list[float]] = {}
        for row in rows:
            if row["learner"] == method and row[name] is not None:
                found.setdefault(row["task"], []).append(float(row[name]))
        tasks = sorted(found)
        axes.plot(tasks, [np.mean(found[t]) for t in tasks], color=color, marker=marker, label=method,
                  markevery=max(1, len(tasks) // 8))  # fmt: skip
        axes.fill_between(
            tasks, [min(found[t]) for t in tasks], [max(found[t]) for t in tasks], color=color, alpha=0.15, linewidth=0
        )


def _scatter(axes: Axes, rows: list[dict[str, Any]]) -> None:
    for method, (color, marker) in METHODS.items():
        chosen = [row for row in rows if row["learner"] == method and row["epsilon_rank"] is not None]
        points = np.array([(row["epsilon_rank"], row["online_accuracy"]) for row in chosen])
        axes.plot(points[:, 0], points[:, 1], color=color, marker=marker, linestyle="none", markersize=2.5, alpha=0.6)


def _study(axes: Axes, data: Mapping[str, Any]) -> None:
    axes.plot(data["largest"], data["smoothed"], color=BLACK, marker="o", linestyle="none", label="smoothed")
    axes.axhline(1.0 / _SIZE, color=GREEN, label="true")
    axes.set(xscale="log", xlabel="largest eigenvalue", ylabel="share outside")
    axes.legend()


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(seeds=data["seeds"], num_tasks=data["num_tasks"], size=_SIZE)


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

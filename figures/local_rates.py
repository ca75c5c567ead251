"""Local linear convergence: d(theta_k, C*) over k against the paper's bound and the sharp one, cyclic and random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLACK, BLUE, GREEN, GREY, PAGE, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection.tasks import orderings

NAME = "local_rates"
BOUNDS = ("theorem", "proposition_12", "sharp", "limit")
LINES: dict[str, tuple[str, Any, str]] = {
    "theorem": (GREY, ":", "Theorem 15, as printed"),
    "sharp": (VERMILLION, "-", "sharp bound, proved"),
    "limit": (GREEN, "--", "the same as the ball shrinks"),
}
_SHARE = 0.9  # of the granted radius at which runs start
_RADIUS = 0.05  # of the report's ball, relative to ||theta*||; the basin looks at smaller ones, too
CAPTION = """
Local linear convergence on two regression tasks with a common solution theta*, from a start inside the basin that is
granted for cyclic orderings: (a) a linear model, (b) the squared linear model, (c) a squared ReLU network. Marks:
d(theta_k, C*) at the ends of cycles; crosses: the root of the mean of d^2 over {seeds} independent random orderings
(a, b). Lines: the paper's bound (with the local G of the ball), the bound proved here, and its limit as the ball
shrinks to theta*, all for cyclic orderings. For (a) the sharp bound is exact: cos^2 of the Friedrichs angle a cycle.
"""


def compute(seeds: int = 20, cycles: int = 12, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Runs and bounds of the three models.

    Args:
        seeds: random orderings, for the models whose projections are exact (default 20).
        cycles: of both tasks (default 12).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, and "cases": for each model the distances, the predictions and the comparisons (see `mp.rates`).
    """
    cases: dict[str, Any] = {}
    for done, (name, (model, samples, seed)) in enumerate(_models().items(), start=1):
        cases[name] = _case(model, samples, seed, cycles, 0 if name == "squared ReLU" else seeds)
        if progress is not None:
            progress(done / 3)
    return {"seeds": seeds, "cycles": cycles, "cases": cases}


def _models() -> dict[str, tuple[mp.networks.Model, int, int]]:
    network = mp.networks.FullyConnected((5, 6, 1), "squared_relu")
    return {"linear": (mp.networks.Linear(8), 2, 3), "squared linear": (mp.networks.SquaredLinear(5), 1, 10),
            "squared ReLU": (network, 2, 2)}  # fmt: skip


def _case(model: mp.networks.Model, samples: int, seed: int, cycles: int, seeds: int) -> dict[str, Any]:
    tasks, teacher = mp.tasks.teacher_tasks(model, 2, samples, seed=seed, kind="regression")
    size = float(np.linalg.norm(teacher))
    report = mp.regularity(model, tasks, teacher, _RADIUS * size, draws=0)
    radius = _SHARE * report.basin_cyclic.radius
    draw = np.random.default_rng(seed).standard_normal(teacher.size)
    start = teacher + radius * draw / np.linalg.norm(draw)
    options: dict[str, Any] = {"starts": 1, "tolerance": 1e-14}
    run = mp.sequential_projections(model, tasks, start=start, num_steps=2 * cycles, **options)
    observed = mp.observed_rate(run)
    predictions = [mp.predicted_rate(report, "cyclic", bound) for bound in BOUNDS]
    comparisons = mp.compare_rates(observed, predictions, start_distance=radius)
    runs = [
        mp.sequential_projections(model, tasks, orderings.iid(k), start, num_steps=2 * cycles, **options)
        for k in range(seeds)
    ]
    means = np.sqrt(np.mean([each.joint_distances[0] ** 2 for each in runs], axis=0)) if runs else np.zeros(0)
    random = mp.predicted_rate(report, "random", "sharp")
    return {
        "distances": run.joint_distances[0], "lower_bounds": run.joint_lower_bounds[0], "random_distances": means,
        "status": observed.status.name, "certified": observed.certified, "noise": observed.noise_floor,
        "observed": None if observed.rate is None else observed.rate.per_cycle,
        "random_bound": random.per_step, "random_status": random.status.name, "radius": radius, "norm": size,
        "farthest": float(np.linalg.norm(run.points[0] - teacher, axis=1).max()), "ball": report.radius,
        "comparisons": [
            {"bound": each.prediction.bound, "per_cycle": each.prediction.per_cycle, "status": each.status.name,
             "prediction": each.prediction.status.name, "ratio": each.ratio, "granted": each.granted,
             "worst_excess": each.worst_excess} for each in comparisons
        ],
    }  # fmt: skip


def draw(data: Mapping[str, Any]) -> Figure:
    """One panel a model."""
    with style():
        figure = new_figure(PAGE, 2.7)
        panels = figure.subplots(1, len(data["cases"]))
        for axes, letter, (name, case) in zip(panels, "abc", data["cases"].items(), strict=True):
            _panel(axes, case)
            panel_title(axes, letter, name)
            axes.set_xlabel("step $k$")
        panels[0].set_ylabel(r"$d(\theta_k, C^*)$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=1.6)
    return figure


def _panel(axes: Axes, case: Mapping[str, Any]) -> None:
    distances = np.asarray(case["distances"])
    ends = np.arange(0, distances.size, 2)
    shown = ends[distances[ends] > case["noise"]]
    axes.plot(shown, distances[shown], color=BLUE, marker="o", linestyle="none", label="cyclic, end of a cycle")
    random = np.asarray(case["random_distances"])
    if random.size:
        kept = np.flatnonzero(random > case["noise"])
        marks: Any = {"color": BLACK, "marker": "x", "markersize": 2.5, "linestyle": "none"}
        axes.plot(kept, random[kept], label="random, root mean", **marks)
    for each in case["comparisons"]:
        if each["bound"] in LINES and np.isfinite(each["per_cycle"]):
            color, line, label = LINES[each["bound"]]
            axes.plot(ends[1:], distances[2] * each["per_cycle"] ** (ends[1:] / 2 - 1), color=color, linestyle=line,
                      linewidth=0.9, label=label)  # fmt: skip
    bottom = float(distances[shown].min()) if shown.size else 1e-16
    axes.set(yscale="log", ylim=(0.3 * bottom, 3.0 * float(distances.max())))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(seeds=data["seeds"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

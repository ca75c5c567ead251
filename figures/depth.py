"""Depth: r, G, r / G and the local rates of regression tasks for networks of depth 1 to 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLACK, BLUE, GREEN, PAGE, VERMILLION, new_figure, panel_title, save_figure, style

NAME = "depth"
DEPTHS = (1, 2, 3, 4, 5, 6)
ACTIVATIONS = ("relu", "identity")
TASKS = 2
_START = 1e-2  # distance of the start from the teacher, relative to its norm
LOOKS = {"relu": (BLUE, "o", "ReLU"), "identity": (VERMILLION, "s", "deep linear")}
_COLUMNS = ("degree", "lipschitz", "norm", "ratio", "paper_rate", "limit_rate", "spectral_radius", "observed_rate")
CAPTION = """
Depth against the discussion's prediction that convergence slows down with it. Two regression tasks of {samples}
samples each, labelled by a random teacher theta* of the same depth and width {width} (input {dimension}; {seeds}
seeds, lines are medians, dots single seeds); the local constants are those at theta*, cyclic order. (a) The local
Lipschitz constant G = max ||grad f(x_i; theta*)||. (b) r / (G ||theta*||), on which the paper's rate depends. (c) The
factor by which d(., C*) shrinks a cycle: observed (filled marks), the asymptotic factor of the tangent projectors at
the point of C* next to its last iterate (open marks), and the paper's bound for the same constants (dotted). Distances
are those of local projections.
"""


def compute(
    depths: Sequence[int] = DEPTHS,
    activations: Sequence[str] = ACTIVATIONS,
    seeds: int = 3,
    samples: int = 3,
    width: int = 8,
    dimension: int = 10,
    steps: int = 30,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """The constants at a teacher, and the observed rate of a run that starts nearby.

    Args:
        depths: numbers of weight layers, each at least 1.
        activations: names of `networks.FullyConnected`.
        seeds: teachers for each (default 3).
        samples: of each of the two tasks (default 3).
        width, dimension: hidden units (default 8), and the length of a sample (default 10).
        steps: projections of a run (default 30).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, and "rows": one for each activation, depth and seed, with degree, lipschitz, norm, ratio = r / (G
        ||theta*||), and per cycle: paper_rate, limit_rate (proved as the ball shrinks), spectral_radius (of the tangent
        projectors' product at the point of C* next to the run's last one), observed_rate (nan where none was
        observed) with observed_status.
    """
    cases = [(name, depth, seed) for name in activations for depth in depths for seed in range(seeds)]
    rows = []
    for done, (name, depth, seed) in enumerate(cases, start=1):
        rows.append(_measure(name, depth, seed, samples, width, dimension, steps))
        if progress is not None:
            progress(done / len(cases))
    return {
        "depths": list(depths), "activations": list(activations), "seeds": seeds, "samples": samples, "width": width,
        "dimension": dimension, "steps": steps, "rows": rows,
    }  # fmt: skip


def _measure(name: str, depth: int, seed: int, samples: int, width: int, dimension: int, steps: int) -> dict[str, Any]:
    model = mp.networks.FullyConnected((dimension, *[width] * (depth - 1), 1), name)
    tasks, teacher = mp.tasks.teacher_tasks(model, TASKS, samples, seed=seed, kind="regression")
    size = float(np.linalg.norm(teacher))
    report = mp.regularity(model, tasks, teacher, 1e-4 * size, draws=0)
    draw = np.random.default_rng((seed, depth)).standard_normal(teacher.size)
    start = teacher + _START * size * draw / np.linalg.norm(draw)
    observed, status, end = np.nan, "FAILED", None
    try:
        run = mp.sequential_projections(
            model, tasks, start=start, num_steps=steps, starts=1, tolerance=1e-13, measure="all"
        )
    except mp.TrajectoryError as error:
        run = error.trajectory
    if run.num_steps >= 8:
        rate = mp.observed_rate(run)
        status = rate.status.name
        observed = rate.rate.per_cycle if status == "LINEAR" and rate.rate is not None else np.nan
        end = _at_the_end(model, tasks, run.points[0, -1])
    theorem, limit = (mp.predicted_rate(report, "cyclic", bound, constants="limit") for bound in ("theorem", "limit"))
    return {
        "activation": name, "depth": depth, "seed": seed, "degree": report.degree, "lipschitz": report.limit.lipschitz,
        "norm": report.norm, "ratio": report.degree / (report.limit.lipschitz * report.norm),
        "state": report.state.name,
        "paper_rate": theorem.per_cycle, "limit_rate": min(limit.per_cycle, 1.0),
        "spectral_radius": np.nan if end is None else end, "observed_rate": observed, "observed_status": status,
    }  # fmt: skip


def _at_the_end(model: mp.networks.FullyConnected, tasks: list[mp.Task], point: np.ndarray) -> float | None:
    """The asymptotic factor a cycle at the projection of the run's last point onto C*; None where that fails."""
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    end = mp.project(point, joint, starts=1, throw=False)
    if not end.status.is_success:
        return None
    return mp.regularity(model, tasks, end.point, 1e-4 * float(np.linalg.norm(point)), draws=0).cycle_spectral_radius


def medians(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each activation and depth: the median over the seeds of every number (nan where none is known)."""
    table = []
    for name in data["activations"]:
        for depth in data["depths"]:
            rows = [row for row in data["rows"] if row["activation"] == name and row["depth"] == depth]
            columns = {key: np.array([row[key] for row in rows], dtype=float) for key in _COLUMNS}
            middle = {key: float(np.median(v[np.isfinite(v)])) if np.isfinite(v).any() else np.nan
                      for key, v in columns.items()}  # fmt: skip
            table.append({"activation": name, "depth": depth, **middle, "observed": int(np.isfinite(
                columns["observed_rate"]).sum()), "runs": len(rows)})  # fmt: skip
    return table


def draw(data: Mapping[str, Any]) -> Figure:
    """G, r / (G ||theta*||) and the rates over depth."""
    table = medians(data)
    with style():
        figure = new_figure(PAGE, 2.5)
        left, middle, right = figure.subplots(1, 3)
        for name in data["activations"]:
            color, marker, label = LOOKS[name]
            rows = [row for row in table if row["activation"] == name]
            _points(left, data, name, "lipschitz")
            at = [row["depth"] for row in rows]
            columns = {key: [row[key] for row in rows] for key in _COLUMNS}
            _points(left, data, name, "lipschitz")
            left.plot(at, columns["lipschitz"], color=color, marker=marker, label=label)
            _points(middle, data, name, "ratio")
            middle.plot(at, columns["ratio"], color=color, marker=marker)
            _points(right, data, name, "observed_rate")
            right.plot(at, columns["observed_rate"], color=color, marker=marker)
            open_marks: Any = {"linestyle": "none", "markerfacecolor": "white", "markersize": 5.5, "zorder": 1}
            right.plot(at, columns["spectral_radius"], color=color, marker=marker, **open_marks)
            right.plot(at, columns["paper_rate"], color=color, linestyle=":")
        left.set_yscale("log")
        middle.set_yscale("log")
        right.axhline(1.0, color=BLACK, linewidth=0.5)
        right.set_ylim(-0.03, 1.06)
        panel_title(left, "a", "local Lipschitz constant $G$")
        panel_title(middle, "b", r"$r / (G\,\|\theta^*\|)$")
        panel_title(right, "c", "factor of $d(\\cdot, C^*)$ a cycle")
        for axes in (left, middle, right):
            axes.set(xlabel="depth $L$", xticks=list(data["depths"]))
        left.legend()
    return figure


def _points(axes: Axes, data: Mapping[str, Any], name: str, key: str) -> None:
    rows = [row for row in data["rows"] if row["activation"] == name and np.isfinite(row[key])]
    shift = 0.08 if name == data["activations"][0] else -0.08
    axes.plot(
        [row["depth"] + shift for row in rows], [row[key] for row in rows], linestyle="none", marker=".",
        color=LOOKS[name][0] if name in LOOKS else GREEN, alpha=0.35, markersize=3.0,
    )  # fmt: skip


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(**{key: data[key] for key in ("samples", "width", "dimension", "seeds")})


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

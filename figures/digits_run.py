"""Sequential projections on handwritten digits: a network meets pairs of digits in turn, and forgets and recovers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import margin_projection as mp
from figures.progress import part_of
from figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE,
    PURPLE,
    VERMILLION,
    new_figure,
    panel_title,
    save_figure,
    style,
)

NAME = "digits_run"
PAIRS = ((0, 1), (2, 3), (4, 5))
LOOKS: tuple[tuple[str, str, Any], ...] = (
    (BLUE, "o", "-"),
    (VERMILLION, "s", "--"),
    (GREEN, "^", "-."),
    (ORANGE, "D", ":"),
    (PURPLE, "v", (0, (5, 1))),
)
_BULKY = ("points", "multipliers")  # not drawn, and large
STATUS_MARKS = {"GLOBAL": "*", "LOCAL": "o", "STATIONARY": "d"}  # any other status: a cross
CAPTION = """
Sequential projections on scikit-learn's digits: {tasks}, {samples} images each, met in turn {cycles} times by a
network {widths} from {scale} times a He initialization (seed {seed}). Left column: {first}; right column:
{second}. (a), (b) The distance from each iterate to each task's margin set; it is 0 right after the task was
met (shaded stripe: the task met last). (c), (d) The forgetting of every task, met or not yet met. The marks
under the axes of (c) and (d) tell how each projection ended: {statuses}. These sets are not convex and the
networks have no structure that a global solver could use: the distances are those of local minimizers, hence
upper bounds.
"""


def compute(
    pairs: Sequence[tuple[int, int]] = PAIRS,
    samples: int = 40,
    width: int = 32,
    cycles: int = 3,
    activations: Sequence[str] = ("squared_relu", "relu"),
    seed: int = 0,
    scale: float = 0.5,
    starts: int = 4,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """One trajectory for each activation, in cyclic order.

    Args:
        pairs: of digits, one task each, at most five (default (0, 1), (2, 3), (4, 5)).
        samples: images a task (default 40).
        width: hidden units of the network (64, width, 1) (default 32).
        cycles: how often each task is met (default 3).
        activations: names, two for `draw` (default squared ReLU and ReLU).
        seed: of the images, the initialization and the solver (default 0).
        scale: factor on the He initialization (default 0.5).
        starts: initial points of the local solver (default 4).
        progress: called with the share done, in (0, 1] (default None).

    Returns:
        The arguments, task_names, indices (K,) of the tasks met, and "runs" with for each activation: distances
        (K + 1, M), distance_lower_bounds (K + 1, M), forgetting (K + 1, M), statuses (K names), steps (K,) the
        distances moved, lower_bounds (K,), points (K + 1, p) and multipliers (K, samples).

    Raises:
        TrajectoryError: a projection found no feasible stationary point.
    """
    tasks = mp.tasks.digits(pairs, samples, seed)
    result: dict[str, Any] = {
        "pairs": [list(pair) for pair in pairs], "samples": samples, "width": width, "cycles": cycles, "seed": seed,
        "scale": scale, "starts": starts, "task_names": [task.name for task in tasks],
        "indices": np.arange(cycles * len(tasks)) % len(tasks), "runs": {},
    }  # fmt: skip
    for done, activation in enumerate(activations):
        model = mp.networks.FullyConnected((64, width, 1), activation)
        trajectory = mp.sequential_projections(
            model, tasks, "cyclic", model.initialize(seed, scale=scale), num_steps=cycles * len(tasks), seed=seed,
            measure="sets", starts=starts, progress=part_of(progress, done, len(activations)),
        )  # fmt: skip
        result["runs"][activation] = _arrays(trajectory)
    return result


def _arrays(trajectory: Any) -> dict[str, Any]:
    points = trajectory.points[0]
    return {
        "distances": trajectory.distances[0],
        "distance_lower_bounds": trajectory.distance_lower_bounds[0],
        "forgetting": trajectory.forgetting[0],
        "statuses": [str(name) for name in trajectory.statuses[0]],
        "steps": np.linalg.norm(np.diff(points, axis=0), axis=1),
        "lower_bounds": trajectory.lower_bounds[0],
        "points": points,
        "multipliers": trajectory.multipliers[0],
    }


def draw(data: Mapping[str, Any]) -> Figure:
    """Distances above, forgetting below; one column for each activation."""
    runs = data["runs"]
    with style():
        figure = new_figure(PAGE, 3.6)
        grid = figure.subplots(2, len(runs), sharex=True, sharey="row", squeeze=False)
        for column, (activation, run) in enumerate(runs.items()):
            upper, lower = grid[0, column], grid[1, column]
            name = activation.replace("_relu", " ReLU").replace("relu", "ReLU")
            _draw_lines(upper, data, np.asarray(run["distances"]), _top(data, "distances"))
            _draw_lines(lower, data, np.asarray(run["forgetting"]), _top(data, "forgetting"))
            _draw_statuses(lower, run["statuses"], _top(data, "forgetting"))
            panel_title(upper, "abcdefgh"[column], f"distance to each $C_m$, {name}")
            panel_title(lower, "abcdefgh"[column + len(runs)], f"forgetting, {name}")
            lower.set_xlabel("iterate $t$")
        grid[0, 0].set_ylabel(r"$d(\theta_t, C_m)$")
        grid[1, 0].set_ylabel(r"$F_m(\theta_t)$")
        figure.legend(handles=_legend(data), loc="outside lower center", ncols=6, columnspacing=1.4)
    return figure


def _top(data: Mapping[str, Any], key: str) -> float:
    """A height above every curve of ``key``, in all columns."""
    largest = max(float(np.nanmax(np.where(np.isfinite(run[key]), run[key], 0.0))) for run in data["runs"].values())
    return 1.08 * largest if largest > 0.0 else 1.0


def _draw_lines(axes: Axes, data: Mapping[str, Any], values: np.ndarray, top: float) -> None:
    indices = np.asarray(data["indices"])
    for task in range(values.shape[1]):
        color, marker, line = LOOKS[task % len(LOOKS)]
        axes.plot(np.arange(len(values)), values[:, task], linestyle=line, color=color, marker=marker, markersize=3.2)
    for step, task in enumerate(indices, start=1):
        axes.axvspan(step - 0.5, step + 0.5, color=LOOKS[task % len(LOOKS)][0], alpha=0.1, linewidth=0.0, zorder=0)
    axes.set(xlim=(-0.3, len(values) - 0.5), xticks=np.arange(0, len(values), max(1, len(values) // 8)))
    axes.set_ylim(-0.04 * top, top)


def _draw_statuses(axes: Axes, statuses: Sequence[str], top: float) -> None:
    """One mark a projection, below the curves."""
    axes.set_ylim(bottom=-0.15 * top)
    axes.axhline(0.0, color=BLACK, linewidth=0.5)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0.0 <= tick <= top])
    for step, status in enumerate(statuses, start=1):
        marker = STATUS_MARKS.get(status, "x")
        axes.plot(step, -0.09 * top, marker=marker, color=GREY, markerfacecolor="white", markersize=3.4, clip_on=False)


def _legend(data: Mapping[str, Any]) -> list[Line2D]:
    handles = []
    for task, name in enumerate(data["task_names"]):
        color, marker, line = LOOKS[task % len(LOOKS)]
        handles.append(Line2D([], [], color=color, marker=marker, linestyle=line, label=str(name)))
    for status in dict.fromkeys(status for run in data["runs"].values() for status in run["statuses"]):
        look: dict[str, Any] = {"color": GREY, "markerfacecolor": "white", "linestyle": "none"}
        look["marker"] = STATUS_MARKS.get(status, "x")
        handles.append(Line2D([], [], label=f"projection: {_words(status)}", **look))
    return handles


def _words(status: str) -> str:
    return status.lower().replace("_", " ")


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows, with the run's own numbers."""
    endings = {
        name: ", ".join(f"{run['statuses'].count(each)} {_words(each)}" for each in dict.fromkeys(run["statuses"]))
        for name, run in data["runs"].items()
    }
    first, second = [*data["runs"], "", ""][:2]
    missing = sum(int((~np.isfinite(np.asarray(run["distances"], dtype=float))).sum()) for run in data["runs"].values())
    gaps = f" Gaps: {missing} distances were not found." if missing else ""
    text = CAPTION.format(
        tasks=", ".join(data["task_names"]), samples=data["samples"], cycles=data["cycles"], scale=data["scale"],
        widths=(64, data["width"], 1), seed=data["seed"], first=first, second=second,
        statuses="; ".join(f"{name}: {text}" for name, text in endings.items()),
    )  # fmt: skip
    return text.rstrip() + gaps


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    runs = {name: {key: run[key] for key in run if key not in _BULKY} for name, run in data["runs"].items()}
    return save_figure(draw(data), out_dir, NAME, {**data, "runs": runs}, caption(data))

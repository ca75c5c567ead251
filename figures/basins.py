"""Basins of attraction over initial points: reached, slowly reached, trapped; and where projections branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLACK, GREY, ORANGE, PAGE, SKY, new_figure, panel_title, save_figure, style

NAME = "basins"
_NEAR = 0.02  # a point counts as in C* where its worst forgetting is below this
_REACH = 1.5
CAPTION = """
Initial points and what sequential projections make of them. (a) Theorem 5's tasks (eps = 0.005), starts (u[1], u[2],
0, v[2]) with v[2] = 0.4: the number of steps until the worst forgetting is below 0.02, at most {steps} (white: not
within these; the line u[1] = 0 is trapped for ever, which is proved). (b) Two units [w_1 x]_+ + [w_2 x]_+ with the
tasks x = 2 and x = -2, labels +1: C* has two pieces (dashed edges), and colours tell which one is reached; grey:
trapped, going to and fro between (1/4, 1/4) and (-1/4, -1/4) for ever; dots: one of the first two projections has
several minimizers, so that the trajectory branches. {points} x {points} and {planar} x {planar} starts.
"""


def compute(
    points: int = 61, steps: int = 2000, planar: int = 25, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Both maps.

    Args:
        points: starts along each axis of (a) (default 61).
        steps: at most (default 2000).
        planar: starts along each axis of (b) (default 25).
        progress: called with the share done, in (0, 1].
    """
    axis = np.linspace(-_REACH, _REACH, points)
    counts = _steps_needed(axis, steps)
    if progress is not None:
        progress(0.7)
    small = np.linspace(-_REACH, _REACH, planar)
    pieces, branching = _pieces(small)
    if progress is not None:
        progress(1.0)
    return {
        "points": points, "steps": steps, "axis": axis, "counts": counts, "small": small, "pieces": pieces,
        "branching": branching,
    }  # fmt: skip


def _steps_needed(axis: np.ndarray, steps: int) -> np.ndarray:
    """(len, len) steps until the forgetting is small, 0 where it never was; rows are u[2]."""
    model, tasks = mp.networks.SquaredLinear(2), mp.tasks.catastrophic_pair()
    u, y = np.meshgrid(axis, axis)
    state = np.stack([u.ravel(), y.ravel(), np.zeros(u.size), np.full(u.size, 0.4)], axis=1)
    counts = np.zeros(u.size)
    block, done = 20, 0
    while done < steps:
        run = mp.sequential_projections(model, tasks, "cyclic", state, num_steps=block, measure="none")
        for k in range(1, block + 1):
            margins = [np.asarray(task.y) * model(run.points[:, k], task.X) for task in tasks]
            good = np.max([1.0 - margin.min(axis=1) for margin in margins], axis=0) < _NEAR
            counts[(counts == 0) & good] = done + k
        state, done = run.points[:, -1], done + block
    return counts.reshape(u.shape)


def _pieces(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which piece of C* is reached (1: w_1 > 0 > w_2; 2: the other; 0: none), and whether the first step branches."""
    model = mp.networks.SimplifiedReLU(2, 1)
    tasks = [mp.Task([[2.0]], [1.0]), mp.Task([[-2.0]], [1.0])]
    sets = [mp.MarginSet(model, task) for task in tasks]
    pieces, branching = np.zeros((axis.size, axis.size)), np.zeros((axis.size, axis.size))
    for i, second in enumerate(axis):
        for j, first in enumerate(axis):
            point = np.array([first, second])
            for step in range(6):
                found = mp.project(point, sets[step % 2], all_minimizers=step < 2)
                if step < 2 and len(found.minimizers) > 1:
                    branching[i, j] = 1.0
                point = found.point
            forgotten = max(1.0 - float((np.asarray(task.y) * model(point, task.X)).min()) for task in tasks)
            pieces[i, j] = 0.0 if forgotten > _NEAR else 1.0 if point[0] > point[1] else 2.0
    return pieces, branching


def draw(data: Mapping[str, Any]) -> Figure:
    """Two maps."""
    with style():
        figure = new_figure(PAGE, 3.2)
        left, right = figure.subplots(1, 2)
        _draw_counts(figure, left, data)
        _draw_pieces(right, data)
        panel_title(left, "a", "Theorem 5: steps to C*")
        panel_title(right, "b", "two ReLU units: which piece of C*")
    return figure


def _draw_counts(figure: Figure, axes: Axes, data: Mapping[str, Any]) -> None:
    counts = np.asarray(data["counts"], dtype=float)
    shown = np.ma.masked_where(counts == 0, counts)
    edge = _REACH
    image = axes.imshow(
        shown, origin="lower", extent=(-edge, edge, -edge, edge), cmap="cividis", norm=LogNorm(2, data["steps"]),
        interpolation="nearest", aspect="auto",
    )  # fmt: skip
    figure.colorbar(image, ax=axes, label="steps")
    axes.axvline(0.0, color=BLACK, linewidth=0.8)
    axes.set(xlabel="u[1] at the start", ylabel="u[2] at the start")


def _draw_pieces(axes: Axes, data: Mapping[str, Any]) -> None:
    edge = _REACH
    axes.imshow(
        np.asarray(data["pieces"]), origin="lower", extent=(-edge, edge, -edge, edge), vmin=0, vmax=2,
        cmap=ListedColormap([GREY, SKY, ORANGE]), interpolation="nearest", aspect="auto", alpha=0.6,
    )  # fmt: skip
    small, branching = np.asarray(data["small"]), np.asarray(data["branching"])
    rows, columns = np.nonzero(branching)
    axes.plot(small[columns], small[rows], color=BLACK, marker=".", linestyle="none", markersize=2.5)
    for sign in (1.0, -1.0):
        corner = ([sign * 0.5, sign * 0.5, sign * edge], [-sign * edge, -sign * 0.5, -sign * 0.5])
        axes.plot(*corner, color=BLACK, linestyle="--", linewidth=0.8)
    axes.set(xlabel="$w_1$ at the start", ylabel="$w_2$ at the start", xlim=(-edge, edge), ylim=(-edge, edge))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(steps=data["steps"], points=data["points"], planar=len(data["small"]))


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

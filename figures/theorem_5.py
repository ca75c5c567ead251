"""Theorem 5 and Lemma 14 of Schliserman et al. 2026: a trajectory that never comes near the joint set C*.

The squared linear model f = <u^2 - v^2, x> with d = 2 meets two one-sample tasks in turn. Projections keep
u[1] = v[1] = 0, and in the plane of (u[2], v[2]) that is left the two margin sets have no point in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import margin_projection as mp
from figures.progress import part_of
from figures.style import BLACK, BLUE, GREEN, ORANGE, PAGE, VERMILLION, new_figure, panel_title, save_figure, style

NAME = "theorem_5"
KINDS = ("classification", "regression")
LOOKS = {"classification": (BLUE, "o", "-"), "regression": (VERMILLION, "^", "--")}
CLAIMED_DISTANCE = 2.0
CLAIMED_FORGETTING = {"classification": 1.5, "regression": 3.0}
_STRETCH = 1.7  # width of the slice picture over its height
CAPTION = """
Theorem 5 (classification) and Lemma 14 (regression), eps = {eps}, cyclic ordering, {num_steps} projections from
0. (a) The trajectory: u[1] and v[1] stay 0, u[2] and v[2] grow slowly and alternate. (b) The plane u[1] = v[1]
= 0: the trajectory goes back and forth between the two margin sets, which have no point in common there, since
task 1 needs u[2]^2 > v[2]^2 and task 2 the opposite. (c) The largest forgetting over both tasks. The bounds of
the statements (dotted) hold from the first projection on; at t = 0 (ringed) the forgetting of 0 is 1, below
both. (d) The distance to C* stays above the bound 2 (dotted); it cannot fall below (1/9 + eps^2)^(-1/2) =
{floor:.4f} (dash-dotted) while u[1] = 0. Certified as global minimizers: {certified} of {num_steps} projections
(classification), {certified_regression} (regression).
"""


def compute(
    num_steps: int = 1000, eps: float = 0.005, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """The trajectories from 0, one a kind, with forgetting and the distance to C* at every iterate.

    Args:
        num_steps: projections, at least 1 (default 1000).
        eps: in (0, 0.01) (default 0.005).
        progress: called with the share done, in (0, 1] (default None).

    Returns:
        num_steps, eps, and for each kind: points (K + 1, 4) as (u[1], u[2], v[1], v[2]), indices (K,) of the tasks,
        forgetting (K + 1, 2), joint_distances and joint_lower_bounds (K + 1,), set_distances (K + 1, 2), multipliers
        (K,), lower_bounds (K,), gaps (K,) and statuses (K names) of the projections.
    """
    result: dict[str, Any] = {"num_steps": num_steps, "eps": eps}
    for done, kind in enumerate(KINDS):
        result[kind] = _trajectory(num_steps, eps, kind, part_of(progress, done, len(KINDS)))
    return result


def _trajectory(num_steps: int, eps: float, kind: str, progress: Callable[[int, int], None]) -> dict[str, Any]:
    model, tasks = mp.networks.SquaredLinear(2), mp.tasks.catastrophic_pair(eps, kind)
    trajectory = mp.sequential_projections(model, tasks, "cyclic", num_steps=num_steps, progress=progress)
    return {
        "points": trajectory.points[0],
        "indices": trajectory.indices,
        "forgetting": trajectory.forgetting[0],
        "joint_distances": trajectory.joint_distances[0],
        "joint_lower_bounds": trajectory.joint_lower_bounds[0],
        "set_distances": trajectory.distances[0],
        "multipliers": trajectory.multipliers[0, :, 0],
        "lower_bounds": trajectory.lower_bounds[0],
        "gaps": trajectory.gaps[0],
        "statuses": [str(name) for name in trajectory.statuses[0]],
    }


def joint_floor(eps: float) -> float:
    """A bound on |u[1]| over C*, (1/9 + eps^2)^{-1/2}: add 1 + eps times margin 1 to 1 - eps times margin 2."""
    return float((1 / 9 + eps**2) ** -0.5)


def draw(data: Mapping[str, Any]) -> Figure:
    """The four panels from what `compute` returns."""
    with style():
        figure = new_figure(PAGE, 4.3)
        grid = figure.subplots(2, 2)
        _draw_coordinates(grid[0, 0], data)
        _draw_slice(grid[0, 1], data)
        _draw_forgetting(grid[1, 0], data)
        _draw_distances(grid[1, 1], data)
        for axes in (grid[0, 0], grid[1, 0], grid[1, 1]):
            _steps_axis(axes, int(data["num_steps"]))
    return figure


def _steps_axis(axes: Axes, num_steps: int) -> None:
    """Iterates 0..K: linear up to 1, logarithmic from there."""
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.35)
    powers = [10**power for power in range(int(np.log10(num_steps)) + 1)]
    axes.set_xticks([0, *powers], ["0", *(str(power) for power in powers)])
    between = [each * power for power in powers for each in range(2, 10)]
    axes.set_xticks([tick for tick in between if tick <= num_steps], minor=True)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="iterate $t$", xlim=(-0.15, num_steps * 1.15))


def _draw_coordinates(axes: Axes, data: Mapping[str, Any]) -> None:
    points = np.asarray(data["classification"]["points"])
    iterates = np.arange(len(points))
    axes.plot(iterates, points[:, 1], color=BLUE, linewidth=0.8, label="$u[2]$")
    axes.plot(iterates, points[:, 3], color=ORANGE, linewidth=0.8, linestyle="--", label="$v[2]$")
    axes.plot(iterates, points[:, 0], color=BLACK, linewidth=2.0, label="$u[1]$")
    axes.plot(iterates, points[:, 2], color="white", linestyle=(0, (2, 2)), linewidth=0.9, label="_v1")
    axes.plot([], [], color=BLACK, linestyle=(0, (2, 2)), linewidth=2.0, label="$v[1]$")
    axes.set_ylim(bottom=-0.25)
    axes.legend(loc="upper left", ncols=2, columnspacing=1.2)
    panel_title(axes, "a", "coordinates, classification")


def _draw_slice(axes: Axes, data: Mapping[str, Any]) -> None:
    points = np.asarray(data["classification"]["points"])[:13]
    reach = 1.12 * float(points.max())
    _draw_sets(axes, float(data["eps"]), reach)
    axes.plot(points[:, 1], points[:, 3], color=BLACK, linewidth=0.8, zorder=3)
    for first, marker in ((0, "s"), (1, "o")):
        chosen = points[first::2]
        look: dict[str, Any] = {"color": BLACK, "markerfacecolor": "white", "zorder": 4, "clip_on": False}
        axes.plot(chosen[:, 1], chosen[:, 3], marker, **look)
    for index in range(min(5, len(points))):
        offset = ((4, 5), (6, 4), (-9, 3), (5, -7), (-9, 3))[index]
        axes.annotate(f"{index}", (points[index, 1], points[index, 3]), xytext=offset, textcoords="offset points")
    axes.set(xlabel="$u[2]$", ylabel="$v[2]$", xlim=(0, _STRETCH * reach), ylim=(0, reach), aspect="equal")
    axes.set(xticks=[0, 1, 2], yticks=[0, 1])
    panel_title(axes, "b", "the slice $u[1] = v[1] = 0$")


def _draw_sets(axes: Axes, eps: float, reach: float) -> None:
    """C_1 = {b (y^2 - z^2) >= 1} and C_2 = {c (z^2 - y^2) >= 1} with b = 1 - eps, c = 1 + eps."""
    along = np.linspace(0.0, _STRETCH * reach, 301)
    looks = ((1 - eps, BLUE, "////", r"$C_1$"), (1 + eps, GREEN, "....", r"$C_2$"))
    for curvature, color, hatch, name in looks:
        edge = np.sqrt(1.0 / curvature + along**2)
        outside = np.maximum(edge, 2.0 * reach)
        fill = axes.fill_betweenx if name == r"$C_1$" else axes.fill_between
        fill(along, edge, outside, facecolor=color, alpha=0.18, linewidth=0.0)
        fill(along, edge, outside, facecolor="none", edgecolor=color, hatch=hatch, alpha=0.3, linewidth=0.0)
        curve = (edge, along) if name == r"$C_1$" else (along, edge)
        axes.plot(*curve, color=color, linewidth=1.4)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
    axes.text(1.25 * reach, 0.5 * reach, r"$C_1$", ha="center", va="center", color=BLUE, bbox=box, fontsize=9)
    axes.text(0.3 * reach, 0.85 * reach, r"$C_2$", ha="center", va="center", color=GREEN, bbox=box, fontsize=9)


def _draw_forgetting(axes: Axes, data: Mapping[str, Any]) -> None:
    for kind in KINDS:
        worst = np.asarray(data[kind]["forgetting"]).max(1)
        bound = CLAIMED_FORGETTING[kind]
        color, marker, line = LOOKS[kind]
        every = _marked(len(worst))
        axes.plot(np.arange(len(worst)), worst, line, color=color, marker=marker, markevery=every, label=kind)
        axes.axhline(bound, color=color, linestyle=":", linewidth=1.0)
        axes.annotate(
            f"claimed {bound:g}", (1, bound), xycoords=("axes fraction", "data"), xytext=(-2, 2), ha="right",
            textcoords="offset points", color=color, fontsize=7,
        )  # fmt: skip
    failing = float(np.asarray(data["classification"]["forgetting"])[0].max())
    axes.plot(0, failing, "o", markersize=9, markerfacecolor="none", markeredgecolor=BLACK, zorder=5)
    axes.annotate("$t = 0$: both claims fail", (0, failing), xytext=(9, -3), textcoords="offset points")
    axes.set(ylabel=r"$\max_m F_m$", ylim=(0, 4.7))
    axes.legend(loc="upper right", ncols=2)
    panel_title(axes, "c", "forgetting")


def _draw_distances(axes: Axes, data: Mapping[str, Any]) -> None:
    for kind in KINDS:
        distances = np.asarray(data[kind]["joint_distances"])
        color, marker, line = LOOKS[kind]
        every = _marked(len(distances))
        size = 3.5 if kind == "classification" else 5.5
        filled = color if kind == "classification" else "none"
        axes.plot(
            np.arange(len(distances)), distances, line, color=color, marker=marker, markevery=every, label=kind,
            markersize=size, markerfacecolor=filled,
        )  # fmt: skip
    floor = joint_floor(float(data["eps"]))
    axes.axhline(floor, color=BLACK, linestyle="-.", linewidth=0.8)
    axes.axhline(CLAIMED_DISTANCE, color=BLACK, linestyle=":", linewidth=1.0)
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
    axes.annotate("claimed 2", (1, CLAIMED_DISTANCE), xytext=(-2, 2), fontsize=7, **place)
    axes.annotate(r"$(1/9 + \epsilon^2)^{-1/2}$", (0.82, floor), xytext=(0, -11), fontsize=7, **place)
    axes.set(ylabel=r"$d(\theta_t, C^*)$", ylim=(1.8, 3.5))
    axes.legend(loc="upper right", ncols=2)
    panel_title(axes, "d", "distance to $C^*$")


def _marked(count: int) -> list[int]:
    """Iterates that get a marker, evenly spaced on the logarithmic axis."""
    spaced = np.geomspace(1, max(count - 1, 1), 10).round().astype(int)
    return sorted({0, *spaced.tolist()} & set(range(count)))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows, with the run's own numbers."""
    certified, certified_regression = (list(data[kind]["statuses"]).count("GLOBAL") for kind in KINDS)
    return CAPTION.format(
        eps=data["eps"], num_steps=data["num_steps"], floor=joint_floor(float(data["eps"])),
        certified=certified, certified_regression=certified_regression,
    )  # fmt: skip


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

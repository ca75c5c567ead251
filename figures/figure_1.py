"""Figure 1 of Schliserman et al. 2026: three feasible sets in the (w1, w2) plane, with projections onto them.

(a) a linear model, a convex polyhedron; (b) f = [w1 x]_+ + [w2 x]_+, whose set is not convex; (c) f = (w1^2 - w2^2) x,
whose set has two convex pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import margin_projection as mp
from figures.style import BLACK, BLUE, PAGE, SKY, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection.networks.base import Model

NAME = "figure_1"
WIDTH, HEIGHT = 1.5, 1.0  # half the axes: w1 in [-1.5, 1.5], w2 in [-1, 1]
TITLES = {"a": "linear", "b": "sum of two ReLUs", "c": "squared linear"}
STARTS = {
    "a": [[-1.0, -0.5], [-0.75, 0.25], [-0.25, 0.8], [0.1, -0.85]],
    "b": [[-0.15, -0.15], [-0.7, -0.7], [-1.1, 0.0], [0.15, -0.45]],
    "c": [[0.0, 0.0], [0.0, 0.6], [0.35, -0.7], [-0.2, -0.45]],
}
CAPTION = """
Figure 1. Feasible sets of one task (shaded, with their boundaries) in the (w1, w2) plane, and projections onto
them, each drawn from its start (circle or square) to every nearest point (triangle). (a) A linear model: the
set is convex and every projection is unique. (b) f = [w1 x]_+ + [w2 x]_+: the set is not convex, and starts on
the line w1 = w2 with w1 < -sqrt(2)/4 have two nearest points (square, dashed). (c) f = (w1^2 - w2^2) x: the set
is the union of two convex pieces, and starts with w1 = 0 have two nearest points, one on each. The drawn points
are proved to be all nearest points for {proved} of the {total} starts.
"""


def model_of(panel: str) -> Model:
    """The network of a panel."""
    makers: dict[str, Callable[[], Model]] = {
        "a": lambda: mp.networks.Linear(2),
        "b": lambda: mp.networks.SimplifiedReLU(2),
        "c": lambda: mp.networks.SquaredLinear(1),
    }
    return makers[panel]()


def compute(progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """The projections of every panel's starts, with all their minimizers.

    Args:
        progress: called with the share done, in (0, 1] (default None).

    Returns:
        For each panel "a", "b", "c": starts (S, 2), minimizers (N, 2), owners (N,) the start of each minimizer,
        distances (S,), lower_bounds (S,), counts (S,) of minimizers, complete (S,), verified (S,), statuses (S names).
    """
    result: dict[str, Any] = {}
    for done, (panel, starts) in enumerate(STARTS.items(), start=1):
        margin_set = mp.MarginSet(model_of(panel), mp.tasks.figure1(panel))
        found = [mp.project(np.array(start), margin_set, all_minimizers=True, throw=False) for start in starts]
        result[panel] = _arrays(np.array(starts), found)
        if progress is not None:
            progress(done / len(STARTS))
    return result


def _arrays(starts: np.ndarray, found: list[mp.Projection]) -> dict[str, Any]:
    counts = np.array([len(each.minimizers) for each in found])
    return {
        "starts": starts,
        "minimizers": np.concatenate([np.stack(each.minimizers) for each in found]),
        "owners": np.repeat(np.arange(len(found)), counts),
        "distances": np.array([each.distance for each in found]),
        "lower_bounds": np.array([each.certificate.lower_bound for each in found]),
        "counts": counts,
        "complete": np.array([each.complete for each in found]),
        "verified": np.array([each.certificate.verified for each in found]),
        "statuses": [each.status.name for each in found],
    }


def regions(panel: str) -> list[np.ndarray]:
    """Polygons (k, 2) that cover the feasible set inside the axes; exact except for the hyperbola's sampling."""
    if panel == "a":  # 5 w1 - w2 >= 1 and 2 w1 + 2 w2 >= 1, with corner (1/4, 1/4)
        corners = [(0.4, 1.0), (0.25, 0.25), (1.5, -1.0), (1.5, 1.0)]
        return [np.array(corners)]
    if panel == "b":  # [w1]_+ + [w2]_+ >= 1/2
        corners = [(-1.5, 0.5), (0.0, 0.5), (0.5, 0.0), (0.5, -1.0), (1.5, -1.0), (1.5, 1.0), (-1.5, 1.0)]
        return [np.array(corners)]
    height = np.linspace(-HEIGHT, HEIGHT, 201)  # |w1| >= sqrt(1/2 + w2^2)
    branch = np.column_stack([np.sqrt(0.5 + height**2), height])
    right = np.vstack([branch, [(WIDTH, HEIGHT), (WIDTH, -HEIGHT)]])
    return [right, right * [-1.0, 1.0]]


def boundaries(panel: str) -> list[np.ndarray]:
    """The boundary of the feasible set inside the axes, as polylines (k, 2)."""
    edges = {"a": 3, "b": 4, "c": 201}[panel]
    return [polygon[:edges] for polygon in regions(panel)]


def draw(data: Mapping[str, Any]) -> Figure:
    """The three panels from what `compute` returns."""
    with style():
        figure = new_figure(PAGE, 2.15)
        for axes, panel in zip(figure.subplots(1, 3, sharey=True), TITLES, strict=True):
            _draw_set(axes, panel)
            _draw_projections(axes, data[panel])
            panel_title(axes, panel, TITLES[panel])
            axes.set(xlabel="$w_1$", xlim=(-WIDTH, WIDTH), ylim=(-HEIGHT, HEIGHT), aspect="equal")
            axes.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
            if panel == "a":
                axes.set_ylabel("$w_2$")
        figure.legend(handles=_legend(), loc="outside lower center", ncols=4, columnspacing=1.6)
    return figure


def _draw_set(axes: Axes, panel: str) -> None:
    for polygon in regions(panel):
        axes.fill(*polygon.T, facecolor=SKY, alpha=0.35, edgecolor="none")
        axes.fill(*polygon.T, facecolor="none", edgecolor=BLUE, hatch="////", alpha=0.25, linewidth=0.0)
    for boundary in boundaries(panel):
        axes.plot(*boundary.T, color=BLUE, linewidth=1.4, solid_joinstyle="miter")
    axes.axhline(0.0, color=BLACK, linewidth=0.4, alpha=0.4, zorder=0)
    axes.axvline(0.0, color=BLACK, linewidth=0.4, alpha=0.4, zorder=0)


def _draw_projections(axes: Axes, panel: Mapping[str, Any]) -> None:
    counts = np.asarray(panel["counts"])
    for point, owner in zip(panel["minimizers"], panel["owners"], strict=True):
        color, line, _ = _look(counts[owner] > 1)
        start = panel["starts"][owner]
        axes.plot(*np.column_stack([start, point]), color=color, linestyle=line, linewidth=0.9)
        axes.plot(*point, marker="^", color=color, markersize=4.0, clip_on=False, zorder=4)
    for start, count in zip(panel["starts"], counts, strict=True):
        color, _, marker = _look(count > 1)
        axes.plot(*start, marker=marker, markerfacecolor="white", markeredgecolor=color, markersize=4.2, zorder=5)


def _look(nonunique: bool) -> tuple[str, Any, str]:
    """Colour, line style and marker of a projection."""
    return (VERMILLION, (0, (3, 1.2)), "s") if nonunique else (BLACK, "-", "o")


def _legend() -> list[Any]:
    patch = Patch(facecolor="#C6E4F6", edgecolor=BLUE, hatch="////", linewidth=0.8, label="feasible set")
    handles: list[Any] = [patch]
    for nonunique, label in ((False, "start, one nearest point"), (True, "start, two nearest points")):
        color, line, marker = _look(nonunique)
        handle = Line2D([], [], color=color, linestyle=line, marker=marker, markerfacecolor="white", label=label)
        handles.append(handle)
    handles.append(Line2D([], [], color=BLACK, marker="^", linestyle="none", label="nearest point"))
    return handles


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows, with the run's own numbers."""
    complete = np.concatenate([data[panel]["complete"] for panel in TITLES])
    return CAPTION.format(proved=int(complete.sum()), total=complete.size)


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

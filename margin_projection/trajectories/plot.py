"""A picture of a trajectory: distances and forgetting over the steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, MARKERS, new_figure, save_picture
from margin_projection.trajectories.trajectory import Trajectory

_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_ROUNDING = 1e-14  # relative to the largest value: below, a distance counts as 0
_MARKS = 12


def plot_trajectory(trajectory: Trajectory, path: Any) -> None:
    """Draw distances to each C_m and to C* (upper panel) and forgetting of each task (lower one) over the steps k.

    Both axes are logarithmic; values that are 0 are left out. For several runs the line is the median of
    the values shown, the band reaches from the smallest to the largest. The file is written atomically.

    Args:
        trajectory: what `sequential_projections` returned.
        path: of the picture; its suffix names the format (.png, .svg, .pdf, ...).

    Raises:
        InputError: the suffix names no known format, or the directory does not exist.
    """
    save_picture("path", path, lambda: _draw(trajectory))


def _draw(trajectory: Trajectory) -> Figure:
    figure = new_figure(7.0, 6.4, trajectory.model_name)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for index, name in enumerate(trajectory.task_names):
        _line(upper, trajectory.distances[:, :, index], f"to set {index}: {name}", index)
        _line(lower, trajectory.forgetting[:, :, index], f"task {index}: {name}", index)
    _line(upper, trajectory.joint_distances, "to the joint set C*", None)
    _finish(upper, "distance")
    _finish(lower, "forgetting")
    lower.set_xlabel("step k")
    lower.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _line(axes: Axes, values: np.ndarray, label: str, index: int | None) -> None:
    """Draw (R, K + 1) values; those that are 0, infinite or unknown are left out."""
    finite = values[np.isfinite(values)]
    floor = _ROUNDING * float(finite.max()) if finite.size else 0.0
    shown = np.where(np.isfinite(values) & (values > floor), values, np.nan)
    steps = np.flatnonzero(np.isfinite(shown).any(0))
    if steps.size == 0:
        return
    middle, low, high = (reduce(shown[:, steps], axis=0) for reduce in (np.nanmedian, np.nanmin, np.nanmax))
    colour, style, marker = _look(index)
    every = max(1, steps.size // _MARKS)
    look = {"color": colour, "linestyle": style, "marker": marker, "markevery": every, "markersize": 4}
    axes.plot(steps, middle, label=label, linewidth=1.5, **look)
    if len(values) > 1:
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)


def _look(index: int | None) -> tuple[str, Any, str]:
    """Colour, line style and marker; the joint set is drawn in black."""
    if index is None:
        return "#000000", "-", "*"
    return COLOURS[index % len(COLOURS)], _STYLES[index % len(_STYLES)], MARKERS[index % len(MARKERS)]


def _finish(axes: Axes, label: str) -> None:
    """Labels, scale and legend."""
    lines = axes.get_lines()
    if lines:
        axes.set_yscale("log")
        axes.legend(fontsize="small", ncols=1 + len(lines) // 6)
        axes.set_ylabel(label + " (zeros left out)")
    else:
        axes.set_ylabel(label)
        axes.text(0.5, 0.5, "zero or not measured", ha="center", va="center", transform=axes.transAxes)
    axes.grid(True, color="0.85", linewidth=0.5)

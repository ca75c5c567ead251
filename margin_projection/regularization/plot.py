"""A picture of a regularized path: errors against s with the predicted law, and the implied multipliers."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, MARKERS, new_figure, save_picture
from margin_projection.regularization.path import RegularizedPath

_ROUNDING = 1e-15
_MOST_LINES = 12


def plot_path(path: RegularizedPath, file: Any) -> None:
    """Draw ||iterate - limit|| against s for each step, with the predicted law, and the multipliers below.

    Both axes are logarithmic; zeros are left out. Markers are computed, lines predicted; of the multipliers at most the
    twelve largest at the largest s are drawn, with dashes at those of the projection. The file is written atomically.

    Args:
        path: what `regularized_path` returned.
        file: of the picture; its suffix names the format (.png, .svg, .pdf, ...).

    Raises:
        InputError: the suffix names no known format, or the directory does not exist.
    """
    save_picture("file", file, lambda: _draw(path))


def _draw(path: RegularizedPath) -> Figure:
    figure = new_figure(7.0, 7.2, path.model_name)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for step in range(path.num_steps):
        _errors(upper, path, step)
    _multipliers(lower, path)
    for axes, label in ((upper, "distance to the limit"), (lower, "implied multipliers |mu|")):
        axes.set_xscale("log")
        axes.set_ylabel(label)
        axes.grid(True, color="0.85", linewidth=0.5)
        if axes.get_lines():
            axes.set_yscale("log")
            axes.legend(fontsize="small", ncols=1 + len(axes.get_lines()) // 8)
        else:
            axes.text(0.5, 0.5, "zero", ha="center", va="center", transform=axes.transAxes)
    lower.set_xlabel("s = log(1 / lambda)")
    return figure


def _errors(axes: Axes, path: RegularizedPath, step: int) -> None:
    s, errors = path.log_inverse_lambda, path.distances[step]
    colour, marker = COLOURS[step % len(COLOURS)], MARKERS[step % len(MARKERS)]
    shown = errors > _ROUNDING
    if shown.any():
        axes.plot(s[shown], errors[shown], marker, color=colour, markersize=4, label=f"step {step + 1}")
    if not path.has_expansion(step) or path.weighted:
        return
    predicted = np.linalg.norm(path.predicted_errors()[step], axis=1)
    drawn = predicted > _ROUNDING
    if drawn.any():
        axes.plot(s[drawn], predicted[drawn], color=colour, linewidth=1.0, label=f"law of step {step + 1}")


def _multipliers(axes: Axes, path: RegularizedPath) -> None:
    s, last = path.log_inverse_lambda, path.num_steps - 1
    values = np.abs(np.nan_to_num(path.multipliers[last]))
    largest = np.argsort(-values[-1], kind="stable")[:_MOST_LINES]
    for number, sample in enumerate(largest):
        shown = values[:, sample] > _ROUNDING
        if not shown.any():
            continue
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(s[shown], values[shown, sample], color=colour, label=f"step {last + 1}, sample {sample}")
        limit = abs(float(np.nan_to_num(path.limit_multipliers[last, sample])))
        if limit > _ROUNDING:
            axes.axhline(limit, color=colour, linestyle="--", linewidth=0.7)

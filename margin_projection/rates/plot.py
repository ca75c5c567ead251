"""A picture of an observed rate: the distance to C* over the steps, the fit and rates to compare it with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from margin_projection._pictures import new_figure, save_picture
from margin_projection._validation import InputError, check_real
from margin_projection.rates.observed import LinearRate, ObservedRate
from margin_projection.rates.predicted import PredictedRate

# Okabe and Ito's colours, told apart by the colour-blind; styles tell the lines apart in grey.
_FIT, _SQUARED = "#D55E00", "#CC79A7"
_COLOURS = ("#0072B2", "#009E73", "#E69F00", "#56B4E9")
_STYLES: tuple[Any, ...] = ("-.", ":", (0, (5, 1, 1, 1)), (0, (5, 1, 1, 1, 1, 1)))


def plot_rates(observed: ObservedRate, path: Any, predicted: Sequence[tuple[str, float] | PredictedRate] = ()) -> None:
    """Draw d(Theta_k, C*) over k on a logarithmic axis, with the fit and its window, and reference rates.

    Distances within the noise are left out. A reference rate starts at the first distance shown, as the bounds of
    Theorems 6 and 15 do: d_k <= factor^k d_0. The file is written atomically.

    Args:
        observed: what `observed_rate` returned.
        path: of the picture; its suffix names the format (.png, .svg, .pdf, ...).
        predicted: reference rates: results of `predicted_rate` (those without a factor in (0, 1] are left out), or
            pairs (label, factor per step), factors in (0, 1].

    Raises:
        InputError: the suffix names no known format, the directory does not exist, or a reference rate is no pair of a
            label and a factor.
    """
    references = _check_references(predicted)
    save_picture("path", path, lambda: _draw(observed, references))


def _check_references(predicted: Any) -> list[tuple[str, float]]:
    if isinstance(predicted, str) or not isinstance(predicted, Sequence):
        raise InputError("predicted", predicted, "a sequence of pairs (label, factor per step)")
    references = []
    for index, pair in enumerate(predicted):
        name = f"predicted[{index}]"
        if isinstance(pair, PredictedRate):
            if 0.0 < pair.per_step <= 1.0:
                references.append((pair.bound, pair.per_step))
            continue
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise InputError(name, pair, "a pair (label, factor per step)")
        references.append((str(pair[0]), check_real(name, pair[1], 0.0, 1.0, open_below=True)))
    return references


def _draw(observed: ObservedRate, references: list[tuple[str, float]]) -> Figure:
    figure = new_figure(7.0, 4.6, "")
    axes = figure.subplots()
    axes.set_title(str(observed).split(":")[0], fontsize="medium")
    axes.set_xlabel("step k")
    axes.grid(True, color="0.85", linewidth=0.5)
    shown = np.isfinite(observed.distances) & (observed.distances > observed.noise_floor)
    if not shown.any():
        axes.set_ylabel("distance to C*")
        axes.text(0.5, 0.5, "within rounding of 0, or infinite", ha="center", va="center", transform=axes.transAxes)
        return figure
    mean = "mean " if observed.num_samples > 1 else ""
    bound = "" if observed.certified else " (upper bound)"
    steps, distances = observed.steps[shown], observed.distances[shown]
    axes.plot(steps, distances, "o", color="#000000", markersize=3, label=f"{mean}distance to C*{bound}")
    if observed.squared_rate is not None:
        roots = np.sqrt(observed.squared_distances[shown])
        axes.plot(steps, roots, "s", color="0.5", markersize=2.5, label="root of the mean square")
        _fit(axes, observed.squared_rate, 0.5, _SQUARED, "fit to the mean square")
    if observed.rate is not None:
        low, high = observed.rate.per_step_interval
        _fit(axes, observed.rate, 1.0, _FIT, f"fit: {observed.rate.per_step:.4g} a step [{low:.4g}, {high:.4g}]")
    bottom, top = distances.min(), distances.max()
    for index, (label, factor) in enumerate(references):
        values = distances[0] * np.exp((steps - steps[0]) * math.log(factor))
        look = {"color": _COLOURS[index % len(_COLOURS)], "linestyle": _STYLES[index % len(_STYLES)]}
        axes.plot(steps, values, label=f"{label}: {factor:.4g} a step", linewidth=1.5, **look)
    axes.set_yscale("log")
    axes.set_ylim(bottom / 3.0, top * 3.0)
    axes.set_ylabel("distance (values within rounding left out)")
    axes.legend(fontsize="small")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _fit(axes: Axes, rate: LinearRate, power: float, colour: str, label: str) -> None:
    """The fitted line, through the late half of its window, which is shaded."""
    steps = np.array(rate.window, dtype=float)
    logs = power * (math.log(rate.constant) + steps * math.log(rate.per_step))
    axes.plot(steps, np.exp(logs), "-", color=colour, linewidth=1.5, label=label)
    axes.axvspan(*rate.window, color=colour, alpha=0.08, linewidth=0)

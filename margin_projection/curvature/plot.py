"""A picture of a spectral measure: its distribution function with bounds, and the threshold of the epsilon-rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, new_figure, save_picture
from margin_projection.curvature.epsilon_rank import epsilon_rank
from margin_projection.curvature.smoothed import smoothed_density, smoothed_epsilon_rank
from margin_projection.curvature.spectral_measure import SpectralMeasure


def plot_spectrum(measure: SpectralMeasure, path: Any, *, eps: float) -> None:
    """Nodes and weights with the smoothed density (left), and the share of |eigenvalues| above a threshold (right).

    Args:
        measure: see `spectral_measure`.
        path: its suffix names the format; written atomically.
        eps: the threshold that is marked, above 0.

    Raises:
        InputError: an unknown format, a missing folder, or eps out of range.
    """
    save_picture("path", path, lambda: _draw(measure, eps))


def _draw(measure: SpectralMeasure, eps: float) -> Figure:
    figure = new_figure(9.0, 3.6, "")
    density, ranks = figure.subplots(1, 2)
    smoothed = smoothed_epsilon_rank(measure, eps)
    nodes, weights = np.concatenate(measure.nodes), np.concatenate(measure.weights) / measure.num_probes
    kept = weights > 1e-14
    density.vlines(nodes[kept], 1e-14, weights[kept], color=COLOURS[0], linewidth=0.8, label="quadrature")
    grid = np.linspace(nodes.min() - 5 * smoothed.width, nodes.max() + 5 * smoothed.width, 2000)
    values = smoothed_density(measure, grid, smoothed.width)
    density.plot(grid, np.maximum(values, 1e-14), color=COLOURS[1], linewidth=1.0, label="smoothed density")
    density.set(yscale="log", xlabel="eigenvalue", ylabel="weight, density")
    density.legend(frameon=False)
    top = max(float(np.abs(nodes).max()), 2.0 * eps)
    thresholds = np.geomspace(min(eps / 30.0, top / 1e6), top * 1.001, 60)
    found = [epsilon_rank(measure, float(threshold)) for threshold in thresholds]
    low, high = ([getattr(each, end) / measure.size for each in found] for end in ("lower", "upper"))
    ranks.fill_between(thresholds, low, high, color=COLOURS[0], alpha=0.25, linewidth=0.0, label="95 % interval")
    ranks.plot(thresholds, [each.share for each in found], color=COLOURS[0], label="from the measure")
    published = [smoothed_epsilon_rank(measure, float(threshold)).share for threshold in thresholds]
    ranks.plot(thresholds, published, color=COLOURS[1], linestyle="--", label="from the smoothed density")
    ranks.axvline(eps, color="0.4", linewidth=0.8, linestyle=":")
    ranks.set(xscale="log", xlabel="threshold", ylabel="share of |eigenvalues| above it", ylim=(-0.02, 1.02))
    ranks.legend(frameon=False)
    return figure

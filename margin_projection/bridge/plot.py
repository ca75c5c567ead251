"""A picture of the bridge: what the Gram matrix says at task starts against what training then achieves."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, MARKERS, new_figure, save_picture
from margin_projection.plasticity.comparison import Rows, runs

_PANELS = (
    ("least_singular", "least singular value of J"),
    ("mfcq_margin", "MFCQ margin"),
    ("epsilon_rank", "epsilon-rank"),
    ("cycle_rate", "rate per cycle, cos^2"),
)


def plot_bridge(rows: Rows, path: Any) -> None:
    """Success after training against four readings of the Gram matrix at the start, a point a task.

    Raises:
        InputError: an unknown format or a missing folder.
    """
    save_picture("path", path, lambda: _draw(rows))


def _draw(rows: Rows) -> Figure:
    figure = new_figure(3.0 * len(_PANELS), 3.0, "")
    axes = figure.subplots(1, len(_PANELS), sharey=True)
    methods = list(dict.fromkeys(method for method, _ in runs(rows)))
    for axis, (name, label) in zip(axes, _PANELS, strict=True):
        for index, method in enumerate(methods):
            chosen = [row for row in rows if row["learner"] == method and row.get(name) is not None]
            points = np.array([(row[name], row["success"]) for row in chosen], dtype=float)
            axis.scatter(
                points[:, 0], points[:, 1], s=9, alpha=0.5, label=method, color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)], linewidths=0,
            )  # fmt: skip
        axis.set_xlabel(label)
    axes[0].set_ylabel("success (1 - final loss)")
    axes[0].legend(fontsize=7)
    return figure

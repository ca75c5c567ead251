"""A picture of an experiment: accuracy and what is measured at task starts, over the tasks, for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, new_figure, save_picture
from margin_projection.plasticity.comparison import Rows, runs

_STYLES = ("-", "--", ":", "-.")
_PANELS = ("epsilon_rank", "feature_effective_rank", "dead_units")


def plot_results(rows: Rows, path: Any, *, column: str = "online_accuracy") -> None:
    """Means over the seeds with bands from the least to the largest; columns that were not measured are left out.

    Args:
        rows: see `table.read_table`.
        path: its suffix names the format; written atomically.
        column: the first panel.

    Raises:
        InputError: an unknown format or a missing folder.
    """
    save_picture("path", path, lambda: _draw(rows, column))


def _draw(rows: Rows, column: str) -> Figure:
    found = runs(rows)
    measured = {name for run in found.values() for row in run for name, value in row.items() if value is not None}
    panels = [name for name in (column, *_PANELS) if name in measured]
    figure = new_figure(3.4 * len(panels), 3.4, "")
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    methods = list(dict.fromkeys(method for method, _ in found))
    for axis, name in zip(axes, panels, strict=True):
        for index, method in enumerate(methods):
            series = [_series(run, name) for (owner, _), run in found.items() if owner == method]
            tasks = sorted(set.intersection(*(set(each) for each in series)))
            values = np.array([[each[task] for task in tasks] for each in series])
            style = {"color": COLOURS[index % len(COLOURS)], "linestyle": _STYLES[index // len(COLOURS) % len(_STYLES)]}
            axis.plot(tasks, values.mean(0), label=method, linewidth=1.1, **style)
            axis.fill_between(tasks, values.min(0), values.max(0), color=style["color"], alpha=0.12, linewidth=0.0)
        axis.set(xlabel="task", title=name.replace("_", " "))
    axes[-1].legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _series(run: list[dict[str, Any]], name: str) -> dict[int, float]:
    return {row["task"]: float(row[name]) for row in run if row.get(name) is not None}

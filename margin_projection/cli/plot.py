"""The picture of one projection: constraints and multipliers by sample, and the plane for two parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from margin_projection._pictures import new_figure

if TYPE_CHECKING:
    from margin_projection.cli.build import Setting
    from margin_projection.projections import Projection
    from margin_projection.sets import ConstraintSystem

_GRID = 241  # points along each axis of the plane
_START, _POINT, _SET = "tab:orange", "tab:blue", "tab:green"
_FIXED_METADATA = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same result gives the same file


def plot_projection(setting: Setting, system: ConstraintSystem, projection: Projection, path: Path) -> None:
    """Draw constraint values c_i and multipliers by sample, and for p = 2 the set with start and minimizers.

    Args:
        setting: model, tasks and the start (p,).
        system: what was projected onto.
        projection: the result.
        path: a .png, .svg or .pdf file.
    """
    planar = setting.model.num_parameters == 2
    figure = new_figure(13.5 if planar else 9.0, 4.2, "")
    axes = figure.subplots(1, 3 if planar else 2)
    _draw_constraints(axes[0], setting, system, projection)
    _draw_multipliers(axes[1], system, projection)
    if planar:
        _draw_plane(axes[2], setting, system, projection)
    title = f"{setting.model!r}: {projection.status.name}, distance {projection.distance:.6g}"
    figure.suptitle(title, parse_math=False)
    suffix = path.suffix.lower()
    figure.savefig(path, format=suffix[1:], dpi=150, metadata=_FIXED_METADATA.get(suffix))


def _draw_constraints(axes: Any, setting: Setting, system: ConstraintSystem, projection: Projection) -> None:
    samples = np.arange(system.num_constraints)
    for name, theta, color in (("start", setting.start, _START), ("projection", projection.point, _POINT)):
        axes.plot(samples, system.constraints(theta), "o", color=color, markersize=4, label=name)
    axes.axhline(0.0, color="black", linewidth=0.8)
    _separate_tasks(axes, system)
    axes.set(xlabel="sample", ylabel="constraint value $c_i$", title="Constraints")
    axes.legend()


def _draw_multipliers(axes: Any, system: ConstraintSystem, projection: Projection) -> None:
    axes.bar(np.arange(system.num_constraints), projection.multipliers, color=_POINT, width=0.8)
    axes.axhline(0.0, color="black", linewidth=0.8)
    _separate_tasks(axes, system)
    axes.set(xlabel="sample", ylabel=r"multiplier $\lambda_i$", title="Multipliers at the projection")


def _separate_tasks(axes: Any, system: ConstraintSystem) -> None:
    for boundary in np.flatnonzero(np.diff(system.task_index)):
        axes.axvline(boundary + 0.5, color="grey", linewidth=0.8, linestyle=":")


def _draw_plane(axes: Any, setting: Setting, system: ConstraintSystem, projection: Projection) -> None:
    points = np.array([setting.start, *projection.minimizers])
    center, reach = setting.start, 1.5 * max(projection.distance, 1e-3, float(np.abs(points - points[0]).max()))
    first, second = (np.linspace(middle - reach, middle + reach, _GRID) for middle in center)
    horizontal, vertical = np.meshgrid(first, second)
    values = np.asarray(system.constraints(np.stack([horizontal.ravel(), vertical.ravel()], axis=1)))
    _draw_set(axes, horizontal, vertical, values.reshape(_GRID, _GRID, -1), system.is_equality)
    angles = np.linspace(0.0, 2 * np.pi, 241)
    around = center + projection.distance * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    axes.plot(*around.T, color="grey", linewidth=0.8, linestyle="--")
    axes.plot(*points[1:].T, "o", color=_POINT, label="minimizers found")
    axes.plot(*center, "s", color=_START, label="start")
    axes.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$", title="Margin set", aspect="equal")
    axes.legend()


def _draw_set(axes: Any, horizontal: np.ndarray, vertical: np.ndarray, values: np.ndarray, equal: np.ndarray) -> None:
    """Shade where every inequality holds; draw the curve of each equality."""
    for index in np.flatnonzero(equal):
        if values[..., index].min() < 0.0 < values[..., index].max():
            axes.contour(horizontal, vertical, values[..., index], levels=[0.0], colors=_SET)
    if not equal.all():
        worst = values[..., ~equal].min(-1)
        if worst.max() > 0.0:
            axes.contourf(horizontal, vertical, worst, levels=[0.0, worst.max()], colors=[_SET], alpha=0.3)

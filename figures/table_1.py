"""Table 1 measured: the four regimes of the predecessors, each by its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLUE, GREY, PAGE, VERMILLION, new_figure, panel_title, save_figure, style

NAME = "table_1"
CAPTION = """
The regimes of Table 1, measured. (a) One task, linear (Rosset et al. 2004) and (b) one task, homogeneous, a two-layer
ReLU network (Wei et al. 2019): distance of the regularized minimizer, divided by s^(1/r), from the projection of the
start onto the margin set, over s = log(1/lambda). (c) Continual linear classification (Evron et al. 2023): d(theta_k,
C*) over the steps of a cyclic ordering of two tasks, against exp(-k / (4 M^2 kappa^2)) and (1 - 1/(M
kappa^2))^{{k/2M}}, which is proved. (d) Continual linear regression (Evron et al. 2022): the worst forgetting at the
ends of cycles, two tasks at an angle of {angle} degrees; line: cos^2 of the angle a cycle, for errors.
"""


def compute(steps: int = 24, angle: float = 20.0, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """The four measurements.

    Args:
        steps: of the sequences (default 24).
        angle: between the two regression tasks, in degrees (default 20).
        progress: called with the share done, in (0, 1].
    """
    rng = np.random.default_rng(0)
    linear = _directions(mp.networks.Linear(4), mp.Task(rng.standard_normal((3, 4)) + 0.5, np.ones(3)), None)
    if progress is not None:
        progress(0.3)
    network = mp.networks.FullyConnected((3, 4, 1), "relu")
    start = network.initialize(1)
    homogeneous = _directions(network, mp.Task(rng.standard_normal((2, 3)), np.array([1.0, 1.0])), start)
    if progress is not None:
        progress(0.7)
    return {
        "angle": angle, "linear": linear, "homogeneous": homogeneous, "classification": _classification(steps),
        "regression": _regression(steps, np.deg2rad(angle)),
    }  # fmt: skip


def _directions(model: mp.networks.Model, task: mp.Task, start: np.ndarray | None) -> dict[str, Any]:
    path = mp.regularized_path(model, [task], start=start, num_steps=1)
    return {"s": path.log_inverse_lambda, "distance": path.distances[0]}


def _classification(steps: int) -> dict[str, Any]:
    """Two one-sample tasks with nearly opposite samples: C* is a narrow wedge."""
    tasks = [mp.Task([[1.0, 2.0]], [1.0]), mp.Task([[1.0, -2.0]], [1.0])]
    run = mp.sequential_projections(mp.networks.Linear(2), tasks, "cyclic", np.array([-4.0, 0.5]), num_steps=steps)
    kappa2 = 5.0  # G^2 ||theta*||^2 with theta* = (1, 0)
    k = np.arange(steps + 1)
    distances = run.joint_distances[0]
    return {
        "distance": distances, "printed": distances[0] * np.exp(-k / (16.0 * kappa2)),
        "proved": distances[0] * (1.0 - 1.0 / (2.0 * kappa2)) ** (k / 4.0),
    }  # fmt: skip


def _regression(steps: int, angle: float) -> dict[str, Any]:
    tasks = [
        mp.Task([[1.0, 0.0]], [1.0], kind="regression"),
        mp.Task([[float(np.cos(angle)), float(np.sin(angle))]], [1.0], kind="regression"),
    ]
    run = mp.sequential_projections(mp.networks.Linear(2), tasks, "cyclic", np.array([0.0, -2.0]), num_steps=steps)
    model = mp.networks.Linear(2)
    worst = [max(float(((model(point, task.X) - task.y) ** 2).max()) for task in tasks) for point in run.points[0]]
    ends = np.arange(2, steps + 1, 2)
    line = worst[2] * np.cos(angle) ** (4 * (ends / 2 - 1))
    return {"ends": ends, "forgetting": np.array(worst)[ends], "line": line}


def draw(data: Mapping[str, Any]) -> Figure:
    """Four panels."""
    with style():
        figure = new_figure(PAGE, 2.0)
        panels = figure.subplots(1, 4)
        for axes, letter, name in zip(panels, "ab", ("linear", "homogeneous"), strict=False):
            axes.plot(data[name]["s"], data[name]["distance"], color=BLUE, marker="o", markersize=2.0)
            axes.set(xscale="log", yscale="log", xlabel="s")
            panel_title(axes, letter, name)
        panels[0].set_ylabel("distance to the limit")
        found = data["classification"]
        k = np.arange(len(found["distance"]))
        shown = np.asarray(found["distance"]) > 1e-14
        panels[2].plot(k[shown], np.asarray(found["distance"])[shown], color=BLUE, marker="o", markersize=2.0)
        panels[2].plot(k, found["printed"], color=GREY, linestyle=":", label="printed")
        panels[2].plot(k, found["proved"], color=VERMILLION, label="proved")
        panels[2].set(yscale="log", xlabel="step $k$")
        panels[2].legend()
        panel_title(panels[2], "c", "classification")
        ends = data["regression"]["ends"]
        panels[3].plot(ends, data["regression"]["forgetting"], color=BLUE, marker="o", linestyle="none", markersize=2.0)
        panels[3].plot(ends, data["regression"]["line"], color=VERMILLION)
        panels[3].set(yscale="log", xlabel="step $k$")
        panel_title(panels[3], "d", "regression")
    return figure


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(angle=f"{data['angle']:g}")


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

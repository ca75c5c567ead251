"""Does Algorithm 1's path end at `project`'s point, to the expansion's next order? Random instances by model class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

import margin_projection as mp
from benchmarks.row import Row
from benchmarks.settings import Settings
from margin_projection import tasks
from margin_projection.networks import Convolutional, FullyConnected, Linear, SimplifiedReLU, SquaredLinear

_GRID = np.geomspace(100.0, 1e6, 9)
_LAMBDAS = np.linspace(4.0, 24.0, 9)  # in regression the error is e^{-s}: rounding comes soon
_ORDER = 10.0  # |remainder| s^2 / (1 + log^2 s) may vary by this factor over the last two values of s
_FLOOR = 1e-10  # remainders below are rounding
_SAME = 1e-7  # relative distance within which the limit counts as `project`'s point
_CASES: dict[str, tuple[Callable[[], mp.networks.Model], str]] = {
    "Linear": (lambda: Linear(5), "classification"),
    "SquaredLinear": (lambda: SquaredLinear(3), "classification"),
    "SimplifiedReLU": (lambda: SimplifiedReLU(3, 3), "classification"),
    "ReLU": (lambda: FullyConnected((4, 5, 1), "relu"), "classification"),
    "squared ReLU": (lambda: FullyConnected((4, 4, 1), "squared_relu"), "classification"),
    "deep linear": (lambda: FullyConnected((4, 3, 3, 1), "identity"), "classification"),
    "Convolutional": (lambda: Convolutional((1, 4, 4), (2,), activation="relu"), "classification"),
    "Linear, regression": (lambda: Linear(5), "regression"),
    "SquaredLinear, regression": (lambda: SquaredLinear(3), "regression"),
    "deep linear, regression": (lambda: FullyConnected((4, 3, 3, 1), "identity"), "regression"),
    "ReLU, regression": (lambda: FullyConnected((4, 5, 1), "relu"), "regression"),
}


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """A row a class: of the instances whose expansion applies, how many end within the next order; others counted."""
    count = settings.pick(50, 8, 1)
    rows = []
    for name, (make, kind) in list(_CASES.items())[: settings.pick(len(_CASES), len(_CASES), 2)]:
        outcomes = Counter(_instance(make(), kind, seed) for seed in range(count))
        applicable = outcomes["within the next order"] + outcomes["beyond the next order"]
        details = dict(outcomes)
        report(f"limits, {name}: {details}")
        met = outcomes["beyond the next order"] == 0
        requirement = "every limit is project's point, to the next order"
        within = float(outcomes["within the next order"])
        title = f"limits, {name}, {count} instances"
        rows.append(Row(title, "instances", within, None, within / max(applicable, 1), requirement, met, details))
    return rows


def _instance(model: mp.networks.Model, kind: str, seed: int) -> str:
    """What became of one instance, in words."""
    (task,), _ = tasks.teacher_tasks(model, 1, 3, seed=seed, kind=kind)
    start = model.initialize(seed + 1000, scale=0.4)
    grid = _GRID if kind == "classification" else _LAMBDAS
    try:
        path = mp.regularized_path(model, [task], "cyclic", grid, num_steps=1, start=start)
    except mp.ProjectionError:
        return "project found no feasible point"
    except mp.RegularizedPathError:
        return "no stationary point at some s"
    status = path.expansion_statuses[0]
    if status != mp.regularization.ExpansionStatus.HOLDS.name:
        return f"no expansion: {status}"
    remainders = np.linalg.norm(path.points[0] - path.limits[0] - path.predicted_errors()[0], axis=1)
    point = mp.project(start, mp.MarginSet(model, task)).point
    apart = float(np.linalg.norm(path.limits[0] - point)) > _SAME * (1.0 + float(np.linalg.norm(point)))
    if apart:
        nearer = np.linalg.norm(path.limits[0] - start) < np.linalg.norm(point - start)
        return "a nearer point than project's local one" if nearer else "beyond the next order"
    return "within the next order" if _is_next_order(remainders, grid, kind) else "beyond the next order"


def _is_next_order(remainders: np.ndarray, grid: np.ndarray, kind: str) -> bool:
    """Whether remainders fall like log^2(s) / s^2 (e^{-2 s} in regression) up to the last s, or down to rounding."""
    scale = (1.0 + np.log(grid) ** 2) / grid**2 if kind == "classification" else np.exp(-2.0 * grid)
    constants = np.maximum(remainders - _FLOOR, 0.0) / scale
    return bool(constants[-1] <= _ORDER * max(constants[len(grid) // 2], constants[0]) or remainders[-1] <= _FLOOR)

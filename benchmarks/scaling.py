"""How the time of one projection grows with p, n, depth and M, with fitted exponents: no requirement, for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

import margin_projection as mp
from benchmarks.row import Row
from benchmarks.settings import Settings
from benchmarks.timing import alternate, timed
from margin_projection import tasks
from margin_projection.networks import FullyConnected

_ACTIVATIONS = ("squared_relu", "relu")


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """One row a size: seconds of the projection (ours), of one Jacobian-equivalent pass (peer), and their quotient.

    Then one row for each variable that was varied: the least-squares slope of log seconds over the logarithm of p, n,
    the depth or M.
    """
    rows = []
    for label, widths, samples, count, activation in _sizes(settings):
        rows.append(_measure(label, widths, samples, count, activation))
        report(f"{rows[-1].name}: {rows[-1].ours:.3f} s")
    return rows + _exponents(rows)


def _sizes(settings: Settings) -> Iterator[tuple[str, tuple[int, ...], int, int, str]]:
    """Width, samples, depth and tasks, each varied alone around (64, 64, 1) with 50 samples and one task."""
    if settings.tiny:
        yield "parameters", (5, 3, 1), 4, 1, "relu"
        return
    for activation in _ACTIVATIONS:
        for width in (32, 64, 256) if settings.quick else (32, 128, 512, 2048, 8192, 16384):
            yield "parameters", (64, width, 1), 50, 1, activation
        for samples in (25, 100) if settings.quick else (12, 25, 50, 100, 200, 400):
            yield "samples", (64, 64, 1), samples, 1, activation
        for depth in (3,) if settings.quick else (3, 4, 5):
            yield "depth", (64, *[64] * (depth - 1), 1), 50, 1, activation
        for count in (2,) if settings.quick else (2, 4, 8):
            yield "tasks", (64, 64, 1), 25, count, activation


def _exponents(rows: Sequence[Row]) -> list[Row]:
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        key = str(row.details["activation"]), str(row.details["varied"])
        found.setdefault(key, []).append((float(row.details[key[1]]), float(row.ours or 0.0)))
    fitted = []
    for (activation, varied), points in found.items():
        if len(points) > 1:
            logs = np.log(np.array(points))
            slope = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
            name = f"scaling: {activation}, fitted exponent in {varied}"
            fitted.append(Row(name, "", slope, None, None, "informational", None, {"points": len(points)}))
    return fitted


def _measure(label: str, widths: Sequence[int], samples: int, count: int, activation: str) -> Row:
    model = FullyConnected(widths, activation)
    found, _ = tasks.teacher_tasks(model, num_tasks=count, samples=samples, seed=1)
    start, target = model.initialize(0, scale=0.5), mp.intersection([mp.MarginSet(model, task) for task in found])
    theta, X = torch.as_tensor(start), torch.as_tensor(np.concatenate([task.X for task in found]))
    projection, seconds = timed(lambda: mp.project(start, target, starts=1, throw=False))
    (one_pass,) = alternate([lambda: model.linearize(theta, X).gram()], 11)
    effort = projection.counts.jacobian_equivalents
    details = {
        "varied": label, "activation": activation, "parameters": model.num_parameters, "samples": samples,
        "depth": len(widths) - 1, "tasks": count,
        "status": projection.status.name, "jacobian_equivalents": effort,
        "share_of_time_in_passes": effort * one_pass / seconds,
    }  # fmt: skip
    name = f"scaling: {activation}, widths {tuple(widths)}, {count} x {samples} samples"
    return Row(name, "s", seconds, one_pass, seconds / one_pass, "informational (peer: one pass)", None, details)

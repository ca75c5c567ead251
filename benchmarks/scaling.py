"""How the time of one projection grows with p, n and depth, in passes over the samples: no requirement, for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

import margin_projection as mp
from benchmarks.row import Row
from benchmarks.settings import Settings
from benchmarks.timing import alternate, timed
from margin_projection import tasks
from margin_projection.networks import FullyConnected

_ACTIVATIONS = ("squared_relu", "relu")


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """One row a size: seconds of the projection (ours), of one Jacobian-equivalent pass (peer), and their quotient."""
    rows = []
    for label, widths, samples, activation in _sizes(settings):
        rows.append(_measure(label, widths, samples, activation))
        report(f"{rows[-1].name}: {rows[-1].ours:.3f} s")
    return rows


def _sizes(settings: Settings) -> Iterator[tuple[str, tuple[int, ...], int, str]]:
    """Width, samples and depth, each varied alone around (64, 64, 1) with 50 samples."""
    if settings.tiny:
        yield "width", (5, 3, 1), 4, "relu"
        return
    for activation in _ACTIVATIONS:
        for width in (32, 64, 256) if settings.quick else (32, 64, 128, 256, 512, 1024):
            yield "width", (64, width, 1), 50, activation
        for samples in (25, 100) if settings.quick else (12, 25, 100, 200):
            yield "samples", (64, 64, 1), samples, activation
        for depth in (3,) if settings.quick else (3, 4, 5):
            yield "depth", (64, *[64] * (depth - 1), 1), 50, activation


def _measure(label: str, widths: Sequence[int], samples: int, activation: str) -> Row:
    model = FullyConnected(widths, activation)
    (task,), _ = tasks.teacher_tasks(model, num_tasks=1, samples=samples, seed=1)
    start, target = model.initialize(0, scale=0.5), mp.MarginSet(model, task)
    theta, X = torch.as_tensor(start), torch.as_tensor(task.X.copy())
    projection, seconds = timed(lambda: mp.project(start, target, starts=1, throw=False))
    (one_pass,) = alternate([lambda: model.linearize(theta, X).gram()], 11)
    effort = projection.counts.jacobian_equivalents
    details = {
        "varied": label, "parameters": model.num_parameters, "samples": samples, "depth": len(widths) - 1,
        "status": projection.status.name, "jacobian_equivalents": effort,
        "share_of_time_in_passes": effort * one_pass / seconds,
    }  # fmt: skip
    name = f"scaling: {activation}, widths {tuple(widths)}, {samples} samples"
    return Row(name, "s", seconds, one_pass, seconds / one_pass, "informational (peer: one pass)", None, details)

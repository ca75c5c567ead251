"""One diagnosis of a network of about 100,000 parameters on 500 digits, a user's torch module: seconds of the call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import margin_projection as mp
from benchmarks.row import Row, at_most
from benchmarks.settings import Settings
from benchmarks.timing import timed

_WIDTH, _SAMPLES = 1540, 250  # 100,100 parameters; two tasks
_STEPS = 200


class SquaredReLU(nn.Module):
    """The square of a ReLU."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Elementwise."""
        return torch.relu(z) ** 2


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """A row for each activation: the module is trained until it separates the tasks (not timed), then diagnosed."""
    torch.set_num_threads(settings.threads)
    rows = []
    for name, activation in (("relu", nn.ReLU()), ("squared_relu", SquaredReLU())):
        width, samples = (4, 4) if settings.tiny else (_WIDTH, _SAMPLES)
        tasks = mp.tasks.digits([(0, 1), (2, 3)], samples, 0)
        module = _trained(activation, width, tasks)
        diagnosis, seconds = timed(lambda module=module, tasks=tasks: mp.diagnose(module, tasks))  # type: ignore[misc]
        details = {
            "parameters": diagnosis.num_parameters, "samples": diagnosis.num_samples,
            "separation": diagnosis.separation.status.name,
            "conditions": {each.name: each.verdict.name for each in diagnosis.conditions},
        }  # fmt: skip
        row = at_most(f"diagnosis, {name}, {diagnosis.num_parameters} parameters", "s", seconds, 60.0, details)
        report(f"{row.name}: {seconds:.1f} s, {details['separation']}")
        rows.append(row if diagnosis.report is not None or settings.tiny else Row(**{**vars(row), "met": False}))
    return rows


def _trained(activation: nn.Module, width: int, tasks: list[mp.Task]) -> nn.Module:
    """A bias-free network that separates the tasks, by Adam on the logistic loss from a fixed seed."""
    torch.manual_seed(0)
    layers = [nn.Linear(64, width, bias=False), activation, nn.Linear(width, 1, bias=False), nn.Flatten(0)]
    module = nn.Sequential(*layers).double()
    X = torch.as_tensor(np.concatenate([task.X for task in tasks]))
    y = torch.as_tensor(np.concatenate([task.y for task in tasks]))
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        margins = y * module(X)
        if float(margins.detach().min()) > 0.1:
            break
        nn.functional.softplus(-margins).mean().backward()
        optimizer.step()
    return module

"""One network over a sequence of random tasks, measured at every task start and scored after training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._validation import check_choice, check_integer, check_real
from margin_projection.bridge.measure import bridge
from margin_projection.networks import FullyConnected
from margin_projection.plasticity.side_by_side import run_side_by_side
from margin_projection.tasks import Task

METHODS = ("bp", "l2", "reset")


@dataclass(frozen=True)
class BridgeSettings:
    """A sequence of tasks with Gaussian samples and random labels +-1, learned by Adam on the mean squared error.

    Attributes:
        inputs, hidden, layers: of the ReLU network without biases (defaults 16, 24, 2 hidden layers).
        samples: of a task (default 64).
        num_tasks: at least 1 (default 60).
        steps: full-batch steps a task, at least 1 (default 100).
        rate: of Adam, above 0 (default 0.03).
        weight_decay: of "l2", decoupled (default 0.02).
        eps: of the epsilon-rank (default 0.01).
    """

    inputs: int = 16
    hidden: int = 24
    layers: int = 2
    samples: int = 64
    num_tasks: int = 60
    steps: int = 100
    rate: float = 0.03
    weight_decay: float = 0.02
    eps: float = 0.01

    def __post_init__(self) -> None:
        for name in ("inputs", "hidden", "layers", "samples", "num_tasks", "steps"):
            check_integer(name, getattr(self, name), 1)
        for name in ("rate", "weight_decay", "eps"):
            check_real(name, getattr(self, name), 0.0)


def run_bridge(
    settings: BridgeSettings, method: str, seed: int, *, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Train on one task after another; one row a task.

    Args:
        settings: see there.
        method: "bp" (Adam alone), "l2" (with weight decay) or "reset" (a new initialization for every task).
        seed: a nonnegative integer: of tasks and initializations.
        progress: called with (tasks done, tasks).

    Returns:
        Rows with learner, seed, task; the measurements of `Bridge.row` at the task's start with those of the task
        before; dead_units (share of units inactive on all samples); and after training loss (mean squared
        error), success (1 - loss, the labels' variance being 1) and accuracy (of the signs).

    Raises:
        InputError: an unknown method or a negative seed.
    """
    check_choice("method", method, METHODS)
    check_integer("seed", seed, 0)
    model = FullyConnected((settings.inputs, *[settings.hidden] * settings.layers, 1), "relu")
    theta = torch.tensor(model.initialize(seed))
    previous: Task | None = None
    rows = []
    for number in range(settings.num_tasks):
        task = _task(settings, seed, number)
        if method == "reset":
            theta = torch.tensor(model.initialize(seed + 1000 * (number + 1)))
        found = bridge(model, theta, task, eps=settings.eps, previous=previous)
        dead = _dead_units(model, theta, task)
        theta = _train(settings, model, theta, task, settings.weight_decay if method == "l2" else 0.0)
        outputs, labels = model.forward(theta, torch.tensor(np.array(task.X))), torch.tensor(np.array(task.y))
        loss = float(((outputs - labels) ** 2).mean())
        rows.append(
            {
                "learner": method, "seed": seed, "task": number, **found.row(), "dead_units": dead, "loss": loss,
                "success": 1.0 - loss, "accuracy": float((torch.sign(outputs) == labels).double().mean()),
            }
        )  # fmt: skip
        previous = task
        if progress is not None:
            progress(number + 1, settings.num_tasks)
    return rows


def run_bridges(
    settings: BridgeSettings,
    methods: Iterable[str],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """`run_bridge` for every method and seed, side by side in ``workers`` processes; the rows of all runs, in order."""
    chosen = [check_choice("method", method, METHODS) for method in methods]
    return run_side_by_side(run_bridge, settings, chosen, seeds, workers=workers, progress=progress)


def _task(settings: BridgeSettings, seed: int, number: int) -> Task:
    rng = np.random.default_rng([seed, number])
    X = rng.standard_normal((settings.samples, settings.inputs))
    return Task(X, rng.choice([-1.0, 1.0], settings.samples))


def _dead_units(model: FullyConnected, theta: Tensor, task: Task) -> float:
    """The share of hidden units that are inactive on every sample."""
    module, active = model.to_module(theta.numpy()), []
    features = torch.tensor(np.array(task.X))
    for layer in [each for each in module.modules() if isinstance(each, torch.nn.Linear)][:-1]:
        features = torch.relu(features @ layer.weight.T)
        active.append((features > 0.0).any(0))
    return 1.0 - float(torch.cat(active).double().mean())


def _train(settings: BridgeSettings, model: FullyConnected, theta: Tensor, task: Task, decay: float) -> Tensor:
    X, y = torch.tensor(np.array(task.X)), torch.tensor(np.array(task.y))
    parameter = theta.clone().requires_grad_()
    optimizer = torch.optim.AdamW([parameter], lr=settings.rate, weight_decay=decay)
    for _ in range(settings.steps):
        optimizer.zero_grad()
        ((model.forward(parameter, X) - y) ** 2).mean().backward()
        optimizer.step()
    return parameter.detach()

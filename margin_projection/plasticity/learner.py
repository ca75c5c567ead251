"""Learners: plain backpropagation, and the places where a method may do something else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from margin_projection._validation import check_choice, check_real
from margin_projection.plasticity.network import MultilayerPerceptron
from margin_projection.plasticity.stream import Stream, StreamTask

OPTIMIZERS = ("sgd", "adam")
_APART = 1_234_567_891  # the method draws other numbers than the initialization of the same seed


@dataclass(frozen=True)
class OptimizerSettings:
    """Which optimizer. ``rate``: learning rate, above 0; ``momentum`` in [0, 1) is for "sgd"."""

    name: str = "sgd"
    rate: float = 1e-2
    momentum: float = 0.0

    def __post_init__(self) -> None:
        check_choice("optimizer", self.name, OPTIMIZERS)
        check_real("rate", self.rate, 0.0, open_below=True)
        check_real("momentum", self.momentum, 0.0, 1.0)

    def build(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """The optimizer of all parameters of a network."""
        if self.name == "adam":
            return torch.optim.Adam(network.parameters(), lr=self.rate)
        return torch.optim.SGD(network.parameters(), lr=self.rate, momentum=self.momentum)


class Learner:
    """Plain backpropagation (BP): minibatch steps on the data loss, nothing else. Methods derive from it.

    Args:
        network: trained in place.
        stream: tells the loss.
        optimizer: see there.
        seed: of whatever is random in the method.
    """

    name = "bp"

    def __init__(
        self, network: MultilayerPerceptron, stream: Stream, optimizer: OptimizerSettings, seed: int
    ) -> None:
        self.network, self.kind = network, stream.kind
        self.settings = optimizer
        self.optimizer = optimizer.build(network)
        self.generator = torch.Generator().manual_seed(seed + _APART)
        self.updates = 0

    def start_task(self, task: StreamTask) -> None:
        """Called before the first step on a task (and before it is measured); BP does nothing."""

    def penalty(self) -> Tensor:
        """What is added to the data loss; BP adds 0."""
        return torch.zeros((), dtype=torch.float64)

    def after_step(self, X: Tensor, features: list[Tensor]) -> None:
        """Called after every update with its inputs and hidden features (detached); BP does nothing."""

    def step(self, X: Tensor, y: Tensor, task: StreamTask) -> tuple[float, int]:
        """One update; returns the data loss before it, and how many samples were predicted right (0 in regression).

        Raises:
            FloatingPointError: the loss is not finite.
        """
        outputs, features = self.network.with_features(X)
        loss = data_loss(self.kind, outputs, y, task)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} in task {task.name!r}; lower the learning rate")
        self.optimizer.zero_grad()
        (loss + self.penalty()).backward()
        self.optimizer.step()
        self.updates += 1
        self.after_step(X, [feature.detach() for feature in features])
        return value, correct(self.kind, outputs.detach(), y, task)

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs, tensors and numbers only; methods add their own."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "updates": self.updates,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.updates = int(state["updates"])


def masked(outputs: Tensor, task: StreamTask) -> Tensor:
    """Outputs with those that do not count at -infinity (classification only)."""
    if len(task.active_outputs) == outputs.shape[1]:
        return outputs
    hidden = torch.full_like(outputs, -math.inf)
    chosen = list(task.active_outputs)
    hidden[:, chosen] = outputs[:, chosen]
    return hidden


def data_loss(kind: str, outputs: Tensor, y: Tensor, task: StreamTask) -> Tensor:
    """Mean cross-entropy over the active outputs, or mean squared error."""
    return F.cross_entropy(masked(outputs, task), y) if kind == "classification" else F.mse_loss(outputs, y)


def correct(kind: str, outputs: Tensor, y: Tensor, task: StreamTask) -> int:
    """How many samples are classified right; 0 in regression."""
    return int((masked(outputs, task).argmax(1) == y).sum()) if kind == "classification" else 0

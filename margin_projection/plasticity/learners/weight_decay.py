"""L2 regularization, and L2 towards the initialization."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from margin_projection._validation import check_real
from margin_projection.plasticity.learner import Learner


class L2(Learner):
    """L2: ``weight_decay`` times every parameter is added to its gradient (before Adam's scaling, if that is used)."""

    name = "l2"

    def __init__(self, *arguments: Any, weight_decay: float = 1e-4, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.weight_decay = check_real("weight_decay", weight_decay, 0.0)
        for group in self.optimizer.param_groups:
            group["weight_decay"] = self.weight_decay


class L2Init(Learner):
    """L2-init (Kumar et al. 2023): a penalty strength * ||theta - theta_0||^2 with theta_0 the initial parameters."""

    name = "l2_init"

    def __init__(self, *arguments: Any, strength: float = 1e-3, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.strength = check_real("strength", strength, 0.0)
        self.initial = [parameter.detach().clone() for parameter in self.network.parameters()]

    def penalty(self) -> Tensor:
        """strength * ||theta - theta_0||^2."""
        pairs = zip(self.network.parameters(), self.initial, strict=True)
        return self.strength * torch.stack([(now - then).square().sum() for now, then in pairs]).sum()

    def state(self) -> dict[str, Any]:
        """With theta_0."""
        return {**super().state(), "initial": self.initial}

    def restore(self, state: dict[str, Any]) -> None:
        """With theta_0."""
        super().restore(state)
        self.initial = list(state["initial"])

"""ER and L2-ER (Prakash et al. 2026): gradient steps that raise the effective rank of the hidden features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from margin_projection._validation import check_integer, check_real
from margin_projection.curvature.ranks import effective_rank
from margin_projection.plasticity.learners.weight_decay import L2
from margin_projection.plasticity.network import MultilayerPerceptron


class EffectiveRank(L2):
    """L2-ER; with ``weight_decay=0`` it is ER.

    After every ``er_batch`` minibatches, ``er_step`` plain gradient steps of size ``er_lr`` on the ER objective, minus
    the mean over the hidden layers of the effective rank of the post-activation features, on those samples.
    """

    name = "l2_er"

    def __init__(
        self,
        *arguments: Any,
        weight_decay: float = 1e-3,
        er_batch: int = 100,
        er_step: int = 1,
        er_lr: float = 1e-2,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, weight_decay=weight_decay, **settings)
        self.er_batch, self.er_step = check_integer("er_batch", er_batch, 1), check_integer("er_step", er_step, 1)
        self.er_lr = check_real("er_lr", er_lr, 0.0)
        self.recent: list[Tensor] = []

    def after_step(self, X: Tensor, features: list[Tensor]) -> None:
        """Collect the samples; on every ``er_batch``-th update, take the steps."""
        self.recent.append(X)
        if len(self.recent) < self.er_batch:
            return
        samples, self.recent = torch.cat(self.recent), []
        for _ in range(self.er_step):
            parameters = list(self.network.parameters())
            gradients = torch.autograd.grad(rank_objective(self.network, samples), parameters, allow_unused=True)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    if gradient is not None and bool(torch.isfinite(gradient).all()):
                        parameter.sub_(gradient, alpha=self.er_lr)

    def state(self) -> dict[str, Any]:
        """With the samples collected so far."""
        return {**super().state(), "recent": self.recent}

    def restore(self, state: dict[str, Any]) -> None:
        """With the samples collected so far."""
        super().restore(state)
        self.recent = list(state["recent"])


class EffectiveRankAlone(EffectiveRank):
    """ER: no weight decay."""

    name = "er"

    def __init__(self, *arguments: Any, er_lr: float = 1e-4, **settings: Any) -> None:
        super().__init__(*arguments, weight_decay=0.0, er_lr=er_lr, **settings)


def rank_objective(network: MultilayerPerceptron, X: Tensor) -> Tensor:
    """Minus the mean over the hidden layers of the features' effective rank; to be minimized."""
    _, features = network.with_features(X)
    return -torch.stack([effective_rank(each) for each in features]).mean()

"""The ER part of L2-ER for PPO: gradient steps that raise the effective rank of the hidden features, between updates.

The paper steps after every ``er_batch`` minibatches; stable-baselines3 has no callback between minibatches, so the
steps are taken once a rollout, on a sample of its observations. The L2 part is the optimizer's weight decay, added to
the gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor, nn

from margin_projection._validation import check_integer, check_real
from margin_projection.curvature import dead_units, effective_rank


class EffectiveRankCallback(BaseCallback):
    """``er_steps`` plain gradient steps of size ``er_rate`` on minus the mean effective rank, after every rollout.

    Args:
        er_rate: at least 0; with 0 features are measured and nothing is changed.
        er_steps: at least 0 (default 1).
        samples: observations of the rollout that are used, at least 2 (default 256).
        seed: of their choice.

    Attributes:
        history: one row a rollout: steps so far, effective_rank (mean over hidden layers of actor and critic) and
            dead_units (share), both before the steps.
    """

    def __init__(self, er_rate: float, *, er_steps: int = 1, samples: int = 256, seed: int = 0) -> None:
        super().__init__()
        self.er_rate = check_real("er_rate", er_rate, 0.0)
        self.er_steps = check_integer("er_steps", er_steps, 0)
        self.samples = check_integer("samples", samples, 2)
        self.generator = torch.Generator().manual_seed(check_integer("seed", seed, 0))
        self.history: list[dict[str, float]] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        observations = torch.as_tensor(self.locals["rollout_buffer"].observations).flatten(0, 1)
        chosen = torch.randperm(len(observations), generator=self.generator)[: self.samples]
        batch = observations[chosen].to(self.model.device, torch.float32)
        with torch.no_grad():
            features = hidden_features(self.model.policy, batch)
        self.history.append(
            {
                "steps": float(self.num_timesteps),
                "effective_rank": float(torch.stack([effective_rank(each) for each in features]).mean()),
                "dead_units": float(torch.cat([dead_units(each) for each in features]).double().mean()),
            }
        )
        for _ in range(self.er_steps if self.er_rate > 0.0 else 0):
            ascend(self.model.policy, batch, self.er_rate)


def hidden_features(policy: Any, observations: Tensor) -> list[Tensor]:
    """Post-activation features (n, width) of every hidden layer, actor first."""
    found = []
    extractor = policy.mlp_extractor
    for network in (extractor.policy_net, extractor.value_net):
        values = observations.flatten(1)
        for layer in network:
            values = layer(values)
            if not isinstance(layer, nn.Linear):
                found.append(values)
    return found


def ascend(policy: Any, observations: Tensor, rate: float) -> None:
    """One plain gradient step on minus the mean effective rank of the hidden features."""
    features = hidden_features(policy, observations)
    objective = -torch.stack([effective_rank(each) for each in features]).mean()
    parameters = [each for each in policy.mlp_extractor.parameters() if each.requires_grad]
    slopes = torch.autograd.grad(objective, parameters, allow_unused=True)
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            if slope is not None and bool(torch.isfinite(slope).all()):
                parameter -= rate * slope

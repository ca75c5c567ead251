"""PPO on an environment whose physics change: returns and features by period."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.monitor import Monitor

from margin_projection._validation import check_choice, check_integer
from margin_projection.plasticity.side_by_side import run_side_by_side
from margin_projection.reinforcement.environments import ENVIRONMENTS, changing_environment
from margin_projection.reinforcement.regularization import EffectiveRankCallback

METHODS = ("ppo", "l2", "l2_er")


@dataclass(frozen=True)
class ReinforcementSettings:
    """PPO with the settings of Prakash et al. 2026 (rollouts of 2048 steps, 10 epochs of 128 minibatches).

    Attributes:
        environment: "cart" (default) or "ant".
        change_every: steps between changes of the physics (default 8192; the paper's Ant: 2,000,000).
        periods: how many values of physics are met (default 5).
        hidden: units of actor and critic (default 256).
        rate: of Adam (default 3e-4; the paper: 1e-4).
        weight_decay: of "l2" and "l2_er" (default 1e-5; 1e-3 keeps PPO from learning to balance).
        er_rate: of "l2_er" (default 1e-2).
        rollout: steps a rollout, at least 128 (default 2048).
    """

    environment: str = "cart"
    change_every: int = 8192
    periods: int = 5
    hidden: int = 256
    rate: float = 3e-4
    weight_decay: float = 1e-5
    er_rate: float = 1e-2
    rollout: int = 2048

    def __post_init__(self) -> None:
        check_choice("environment", self.environment, ENVIRONMENTS)
        for name in ("change_every", "periods", "hidden"):
            check_integer(name, getattr(self, name), 1)
        check_integer("rollout", self.rollout, 128)


def run_reinforcement(
    settings: ReinforcementSettings, method: str, seed: int, *, progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Train through all periods.

    Args:
        settings: see there.
        method: "ppo", "l2" (weight decay) or "l2_er" (weight decay and effective-rank steps after every rollout).
        seed: a nonnegative integer: of the environment, the network and the sampling.
        progress: called with (steps, all steps).

    Returns:
        One row a period: learner, seed, task (the period), physics, episodes, return (mean over its episodes),
        last_return (mean over its last tenth), effective_rank and dead_units (at its first rollout).

    Raises:
        InputError: an unknown method, or a negative seed.
    """
    check_choice("method", method, METHODS)
    check_integer("seed", seed, 0)
    environment = changing_environment(settings.environment, settings.change_every)
    decay = 0.0 if method == "ppo" else settings.weight_decay
    policy = {
        "net_arch": {"pi": [settings.hidden], "vf": [settings.hidden]}, "activation_fn": torch.nn.ReLU,
        "optimizer_kwargs": {"weight_decay": decay},
    }  # fmt: skip
    agent = PPO(
        "MlpPolicy", Monitor(environment), learning_rate=settings.rate, n_steps=settings.rollout,
        batch_size=max(2, settings.rollout // 128), n_epochs=10, gamma=0.99, gae_lambda=0.95, clip_range=0.2,
        vf_coef=1.0, ent_coef=0.01, policy_kwargs=policy, seed=seed, device="cpu",
    )  # fmt: skip
    features = EffectiveRankCallback(settings.er_rate if method == "l2_er" else 0.0, seed=seed)
    returns = _Returns(settings.periods * settings.change_every, progress)
    agent.learn(settings.periods * settings.change_every, callback=CallbackList([features, returns]))
    periods = range(settings.periods)
    return [_row(settings, method, seed, period, returns, features, environment.values) for period in periods]


def run_all(
    settings: ReinforcementSettings,
    methods: Iterable[str],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """`run_reinforcement` for every method and seed, side by side in ``workers`` processes; rows in order."""
    chosen = [check_choice("method", method, METHODS) for method in methods]
    return run_side_by_side(_alone, settings, chosen, seeds, workers=workers, progress=progress)


def _alone(settings: ReinforcementSettings, method: str, seed: int) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    return run_reinforcement(settings, method, seed)


class _Returns(BaseCallback):
    """Keeps (step, return) of every episode."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        super().__init__()
        self.total, self.progress = total, progress
        self.episodes: list[tuple[int, float]] = []

    def _on_step(self) -> bool:
        for each in self.locals["infos"]:
            if "episode" in each:
                self.episodes.append((self.num_timesteps, float(each["episode"]["r"])))
        return True

    def _on_rollout_end(self) -> None:
        if self.progress is not None:
            self.progress(min(self.num_timesteps, self.total), self.total)


def _row(
    settings: ReinforcementSettings, method: str, seed: int, period: int, returns: _Returns,
    features: EffectiveRankCallback, values: Any,
) -> dict[str, Any]:  # fmt: skip
    low, high = period * settings.change_every, (period + 1) * settings.change_every
    found = np.array([value for step, value in returns.episodes if low < step <= high])
    rollouts = [row for row in features.history if low < row["steps"] <= high] or features.history[-1:]
    late = found[-max(1, len(found) // 10) :]
    return {
        "learner": method, "seed": seed, "task": period, "physics": str(values[period % len(values)]),
        "episodes": len(found), "return": float(found.mean()) if len(found) else None,
        "last_return": float(late.mean()) if len(found) else None,
        "effective_rank": rollouts[0]["effective_rank"], "dead_units": rollouts[0]["dead_units"],
    }  # fmt: skip

"""Changing physics, the ER callback and a short run; skipped where the extra ``rl`` is not installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("gymnasium")
pytest.importorskip("stable_baselines3")

from margin_projection import InputError
from margin_projection.curvature import effective_rank
from margin_projection.reinforcement import (
    ReinforcementSettings,
    changing_environment,
    run_reinforcement,
)
from margin_projection.reinforcement.environments import ANT_FRICTIONS, CART_PHYSICS
from margin_projection.reinforcement.regularization import ascend, hidden_features

SHORT = ReinforcementSettings(change_every=256, periods=2, rollout=128, hidden=16)


def test_physics_change_at_the_reset_after_the_schedule():
    environment = changing_environment("cart", 10)
    environment.reset(seed=0)
    assert (environment.unwrapped.force_mag, environment.unwrapped.length) == CART_PHYSICS[0]
    for _ in range(25):
        _, _, over, cut, _ = environment.step(0)
        if over or cut:
            environment.reset()
    environment.reset()
    assert environment.period == 2
    assert (environment.unwrapped.force_mag, environment.unwrapped.length) == CART_PHYSICS[2]
    assert environment.unwrapped.polemass_length == environment.unwrapped.masspole * CART_PHYSICS[2][1]


def test_the_ant_slips():
    environment = changing_environment("ant", 5)
    environment.reset(seed=0)
    assert np.all(environment.unwrapped.model.geom_friction[:, 0] == ANT_FRICTIONS[0])


def test_the_er_step_raises_the_effective_rank_and_leaves_the_heads_alone():
    from stable_baselines3 import PPO

    agent = PPO("MlpPolicy", changing_environment("cart", 1000).env, seed=0, device="cpu")
    observations = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    heads = [each.clone() for each in agent.policy.action_net.parameters()]

    def rank():
        with torch.no_grad():
            features = hidden_features(agent.policy, observations)
        return float(torch.stack([effective_rank(each) for each in features]).mean())

    before = rank()
    for _ in range(5):
        ascend(agent.policy, observations, 1e-2)
    assert rank() > before
    assert all(torch.equal(a, b) for a, b in zip(heads, agent.policy.action_net.parameters(), strict=True))


def test_a_short_run_is_reproducible():
    rows = run_reinforcement(SHORT, "l2_er", 1)
    assert [row["task"] for row in rows] == [0, 1] and rows[0]["episodes"] > 0
    assert rows == run_reinforcement(SHORT, "l2_er", 1)


def test_bad_input():
    with pytest.raises(InputError, match="environment"):
        ReinforcementSettings(environment="moon")
    with pytest.raises(InputError, match="method"):
        run_reinforcement(SHORT, "magic", 0)
    with pytest.raises(InputError, match="change_every"):
        changing_environment("cart", 0)

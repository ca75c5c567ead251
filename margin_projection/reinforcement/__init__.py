"""Plasticity in reinforcement learning: environments whose physics change, PPO, and L2-ER through a callback.

Needs the extra ``rl`` (gymnasium, stable-baselines3, mujoco); nothing else imports this package.
"""

from margin_projection.reinforcement.environments import ENVIRONMENTS, ChangingPhysics, changing_environment
from margin_projection.reinforcement.regularization import EffectiveRankCallback
from margin_projection.reinforcement.run import METHODS, ReinforcementSettings, run_all, run_reinforcement

__all__ = [
    "ENVIRONMENTS",
    "METHODS",
    "ChangingPhysics",
    "EffectiveRankCallback",
    "ReinforcementSettings",
    "changing_environment",
    "run_all",
    "run_reinforcement",
]

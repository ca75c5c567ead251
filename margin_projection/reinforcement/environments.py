"""Environments whose physics change on a schedule: a slippery Ant (friction), a cart with a pole (force, length)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium

from margin_projection._validation import InputError, check_choice, check_integer

ANT_FRICTIONS = (0.296, 0.240, 0.0387, 0.353, 0.083)  # Prakash et al. 2026, public configuration
CART_PHYSICS = ((10.0, 0.5), (4.0, 1.0), (14.0, 0.25), (5.0, 1.5), (8.0, 0.35))  # force, half the pole's length


@dataclass(frozen=True)
class _Kind:
    """A gymnasium environment, its values of physics, and how one is set."""

    identifier: str
    values: Sequence[Any]
    apply: Callable[[Any, Any], None]


def _set_friction(environment: Any, friction: float) -> None:
    """Sliding friction of every geometry, as in the slippery-ant experiments."""
    environment.model.geom_friction[:, 0] = friction


def _set_cart(environment: Any, physics: tuple[float, float]) -> None:
    environment.force_mag, environment.length = physics
    environment.polemass_length = environment.masspole * environment.length


ENVIRONMENTS: Mapping[str, _Kind] = {
    "ant": _Kind("Ant-v5", ANT_FRICTIONS, _set_friction),
    "cart": _Kind("CartPole-v1", CART_PHYSICS, _set_cart),
}


class ChangingPhysics(gymnasium.Wrapper):
    """Sets the next value of physics every ``change_every`` steps, at the reset that follows.

    Attributes:
        period: how many changes there were; ``physics`` is the present value.
        steps: taken so far, over all episodes.
    """

    def __init__(self, environment: Any, values: Sequence[Any], apply: Callable[[Any, Any], None], change_every: int):
        super().__init__(environment)
        if not values:
            raise InputError("values", values, "at least one value of physics")
        self.values, self.apply = tuple(values), apply
        self.change_every = check_integer("change_every", change_every, 1)
        self.steps = 0
        self.period = 0

    @property
    def physics(self) -> Any:
        """The present value; after the last one the schedule begins again."""
        return self.values[self.period % len(self.values)]

    def reset(self, **options: Any) -> Any:
        """Begin an episode, with the physics that are due."""
        self.period = self.steps // self.change_every
        self.apply(self.unwrapped, self.physics)
        return super().reset(**options)

    def step(self, action: Any) -> Any:
        """One step, counted."""
        self.steps += 1
        return super().step(action)


def changing_environment(name: str, change_every: int, values: Sequence[Any] | None = None) -> ChangingPhysics:
    """An environment by name.

    Args:
        name: "ant" (MuJoCo's Ant, frictions .296, .240, .0387, .353, .083) or "cart" (a pole on a cart; pairs of force
            and half length).
        change_every: steps between changes, at least 1 (the paper's Ant: 2,000,000).
        values: of the physics instead of the default ones.

    Raises:
        InputError: an unknown name, or a count out of range.
    """
    kind = ENVIRONMENTS[check_choice("name", name, ENVIRONMENTS)]
    return ChangingPhysics(gymnasium.make(kind.identifier), values or kind.values, kind.apply, change_every)

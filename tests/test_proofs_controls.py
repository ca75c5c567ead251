"""What is known to hold is never refuted: the controls, and fifty true statements made from them at random."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from proofs_checks import Constant, Status, verify
from proofs_checks.registry import registered

CONTROLS = {key: each for key, each in registered().items() if key.startswith("controls/")}


def weakened(statement, draw, number):
    """The statement with every constant made weaker by a random factor of up to 8: a consequence of it."""
    constants = {}
    for name, constant in statement.constants.items():
        factor = Fraction(draw.randint(10, 80), 10)
        value = constant.value / factor if constant.stronger == "up" else constant.value * factor
        constants[name] = Constant(value, constant.stronger)
    identifier = f"{statement.id}-weakened-{number}"
    return replace(statement, id=identifier, constants=constants, own_proof=(), fates={})


@pytest.mark.parametrize("key", sorted(CONTROLS))
def test_controls_are_proved(key):
    verdict = verify(key, budget="quick", seed=3)
    assert verdict.status is Status.PROVED, verdict
    assert not verdict.mutation.mistakes


@pytest.mark.parametrize("number", range(50))
def test_weakened_controls_survive(number):
    draw = random.Random(number)
    statement = weakened(CONTROLS[draw.choice(sorted(CONTROLS))], draw, number)
    verdict = verify(statement, budget="quick", seed=number)
    assert verdict.counterexample is None, verdict
    assert verdict.status is Status.SUPPORTED or "cases could be tried" in verdict.because, verdict

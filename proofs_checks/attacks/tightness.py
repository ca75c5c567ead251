"""Tightness: between which values of a constant the best possible one lies, by exact evaluation at known instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from proofs_checks.attacks.exactification import refutes
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement
from proofs_checks.verdict import Tightness

_OCTAVES = 6
_HALVINGS = 5


def tightness(statement: Statement, instances: Sequence[Instance]) -> tuple[Tightness, ...]:
    """One interval for each constant that has a stronger direction; see `Tightness`.

    The constant is multiplied by 2^j: by stronger and stronger multiples, j = 1 to 6, where the printed one is not
    refuted, and else by weaker and weaker ones, j = -1 to -6, until that changes; then five halvings in the logarithm.
    """
    found = []
    for name, constant in statement.constants.items():
        if isinstance(constant, Constant) and constant.stronger is not None and constant.value != 0:
            found.append(_bracket(statement, name, constant, instances))
    return tuple(found)


def _bracket(statement: Statement, name: str, constant: Constant, instances: Sequence[Instance]) -> Tightness:
    def refuted(octave: Fraction) -> bool:
        changed = Constant(_multiple(constant, octave), constant.stronger)
        mutant = replace(statement, constants={**statement.constants, name: changed})
        return any(refutes(mutant, instance) for instance in instances)

    low: Fraction | None
    high: Fraction | None  # the strongest not refuted, the weakest refuted
    steps = [Fraction(j) for j in range(1, _OCTAVES + 1)]
    if refuted(Fraction(0)):
        low = next((-j for j in steps if not refuted(-j)), None)
        high = -steps[-1] if low is None else low + 1
    else:
        high = next((j for j in steps if refuted(j)), None)
        low = steps[-1] if high is None else high - 1
    if low is not None and high is not None:
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if refuted(middle) else (middle, high)
    ends = [None if octave is None else _written(_multiple(constant, octave)) for octave in (low, high)]
    assert constant.stronger is not None
    return Tightness(name, _written(constant.value), constant.stronger, ends[0], ends[1])


def _multiple(constant: Constant, octave: Fraction) -> Fraction:
    sign = 1 if (constant.stronger == "up") == (constant.value > 0) else -1
    factor = Fraction(2.0 ** float(sign * octave)).limit_denominator(10**4)
    return constant.value * factor


def _written(value: Fraction) -> str:
    return str(value) if value.denominator <= 1000 else f"{float(value):.5g}"

"""The constants of a statement, named: what mutations change and what tightness brackets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Literal

from margin_projection import InputError
from proofs_checks.arithmetic import Arithmetic

Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Constant:
    """A number of a statement, such as the 4 of exp(-k r^2 / (4 M^2 G^2 ||theta*||^2)).

    Attributes:
        value: the printed value, exact (text such as "3/2" is read).
        stronger: the direction in which the claim becomes stronger: "up", "down", or None where it is neither.
        meaning: what it is, in words; also the name under which mutants are reported where it is given.
    """

    value: Fraction
    stronger: Direction | None = None
    meaning: str = ""

    def __init__(self, value: int | str | Fraction, stronger: Direction | None = None, meaning: str = "") -> None:
        if stronger not in (None, "up", "down"):
            raise InputError("stronger", stronger, "'up', 'down' or None")
        for name, entry in (("value", Fraction(value)), ("stronger", stronger), ("meaning", meaning)):
            object.__setattr__(self, name, entry)

    def mutants(self) -> dict[str, Constant]:
        """Halved and doubled."""
        factors = {"halved": Fraction(1, 2), "doubled": Fraction(2)}
        return {word: Constant(self.value * factor, self.stronger, self.meaning) for word, factor in factors.items()}

    def bound(self, arithmetic: Arithmetic) -> Any:
        """What the statement's formulas see."""
        return arithmetic.number(self.value)


@dataclass(frozen=True)
class Count:
    """A count that enters a formula as itself, such as the number of tasks M: formulas write ``c.M(x.M)``.

    Attributes:
        transform: what becomes of the count (printed: itself).
        meaning: what it counts.
    """

    transform: Callable[[int], int] = int
    meaning: str = ""

    def mutants(self) -> dict[str, Count]:
        """One less, and squared."""
        return {"less one": Count(_less_one, self.meaning), "squared": Count(_squared, self.meaning)}

    def bound(self, arithmetic: Arithmetic) -> Any:
        """What the statement's formulas see: a function of the count."""
        return self.transform


def _less_one(count: int) -> int:
    return count - 1


def _squared(count: int) -> int:
    return count * count


def bound_constants(constants: Mapping[str, Constant | Count], arithmetic: Arithmetic) -> SimpleNamespace:
    """The constants as numbers of an arithmetic, by name."""
    return SimpleNamespace(**{name: constant.bound(arithmetic) for name, constant in constants.items()})

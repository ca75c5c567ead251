"""Instances: what a statement is about, as data that is exact, printable and hashable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from margin_projection import InputError
from proofs_checks.arithmetic import Arithmetic

Leaf = Any  # Fraction (continuous), int or bool (discrete), str (a choice), or nested tuples of these


class Instance(Mapping[str, Leaf]):
    """Named exact values, immutable; also read as attributes.

    `Fraction` leaves are continuous parameters, which searches move; int, bool and str leaves are discrete. Text that
    reads as a number becomes a Fraction: ``Instance(M=2, eps="1/200", start=("0", "1/2"), loss="squared")``.

    Raises:
        InputError: a value is a float (which is not what was meant, exactly) or of another kind.
    """

    def __init__(self, /, **values: Any) -> None:
        self._values = {name: _freeze(name, value) for name, value in values.items()}

    def __getitem__(self, name: str) -> Leaf:
        return self._values[name]

    def __getattr__(self, name: str) -> Leaf:
        if name.startswith("_"):  # also where copies are made, before there are values
            raise AttributeError(name)
        if name not in self._values:
            raise AttributeError(f"the instance has no {name!r}; it has {', '.join(self._values)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and self._values == other._values

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return "Instance(" + ", ".join(f"{name}={to_words(value)}" for name, value in self._values.items()) + ")"

    def converted(self, arithmetic: Arithmetic) -> SimpleNamespace:
        """The values with every Fraction as a number of ``arithmetic``; other leaves as they are."""
        return SimpleNamespace(**{name: _convert(value, arithmetic) for name, value in self._values.items()})

    def with_values(self, **values: Any) -> Instance:
        """The same instance with some values replaced."""
        return Instance(**{**self._values, **values})

    def continuous(self) -> tuple[Fraction, ...]:
        """All Fraction leaves, in order."""
        return tuple(_fractions(tuple(self._values.values())))

    def with_continuous(self, numbers: Sequence[Fraction]) -> Instance:
        """The same instance with its Fraction leaves replaced, in the order of `continuous`."""
        rest = iter(numbers)
        return Instance(**{name: _refill(value, rest) for name, value in self._values.items()})

    def to_json(self) -> dict[str, Any]:
        """Fractions as text ("1/9"), everything else as it is: ``Instance(**values)`` reverses it."""
        return {name: _jsonable(value) for name, value in self._values.items()}

    def digest(self, *context: str) -> str:
        """Eight hexadecimal digits that name the instance in a context."""
        text = json.dumps([*context, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def size(self) -> int:
        """The digits needed to write the values down; shrinking makes it smaller."""
        return sum(map(_digits, self._values.values()))


def _freeze(name: str, value: Any) -> Leaf:
    if isinstance(value, bool | int | Fraction):
        return value
    if isinstance(value, str):
        try:
            return Fraction(value)
        except ValueError:
            return value
    if isinstance(value, Sequence):
        return tuple(_freeze(name, entry) for entry in value)
    raise InputError(name, value, "a Fraction, an int, a text or a sequence of these (floats are not exact)")


def _digits(value: Leaf) -> int:
    if isinstance(value, tuple):
        return sum(map(_digits, value))
    if isinstance(value, Fraction):
        return value.numerator.bit_length() + value.denominator.bit_length()
    return 1 + value.bit_length() if isinstance(value, int) else 1


def _convert(value: Leaf, arithmetic: Arithmetic) -> Any:
    if isinstance(value, Fraction):
        return arithmetic.number(value)
    return tuple(_convert(entry, arithmetic) for entry in value) if isinstance(value, tuple) else value


def _fractions(value: Leaf) -> Iterator[Fraction]:
    if isinstance(value, Fraction):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _fractions(entry)


def _refill(value: Leaf, rest: Iterator[Fraction]) -> Leaf:
    if isinstance(value, Fraction):
        return next(rest)
    return tuple(_refill(entry, rest) for entry in value) if isinstance(value, tuple) else value


def _jsonable(value: Leaf) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    return [_jsonable(entry) for entry in value] if isinstance(value, tuple) else value


def to_words(value: Leaf) -> str:
    """A leaf as a reader writes it: 1/9 instead of Fraction(1, 9)."""
    if isinstance(value, tuple):
        return "(" + ", ".join(to_words(entry) for entry in value) + ("," if len(value) == 1 else "") + ")"
    return str(value)

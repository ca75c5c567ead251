"""Orderings tau(1), tau(2), ... of the tasks (7): which task each iteration projects onto, counted from 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from margin_projection._validation import InputError, check_choice, check_integer


class Ordering(ABC):
    """A rule that names the task of every iteration.

    A longer run of indices extends a shorter one, so that a trajectory can be resumed from its ordering and its length.
    """

    name: ClassVar[str]

    def indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        """The tasks of the first ``num_steps`` iterations, (num_steps,) integers in 0..num_tasks - 1.

        Args:
            num_tasks: M >= 1.
            num_steps: k >= 0.

        Raises:
            InputError: an argument is out of range, or a given ordering is too short or names a task that is not there.
        """
        check_integer("num_tasks", num_tasks, 1)
        check_integer("num_steps", num_steps, 0)
        return self._indices(int(num_tasks), int(num_steps))

    @abstractmethod
    def _indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        """Unchecked `indices`."""

    def to_dict(self) -> dict[str, Any]:
        """A dictionary for JSON: the ordering's name and its fields. `from_dict` reads it back."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Ordering:
        """The ordering that `to_dict` described.

        Raises:
            InputError: no mapping, an unknown name, or a key that is missing or unknown.

        >>> Ordering.from_dict(iid(seed=3).to_dict()) == iid(seed=3)
        True
        """
        if not isinstance(data, Mapping) or "name" not in data:
            raise InputError("ordering", data, "a mapping with the key 'name'")
        kind = _BY_NAME[check_choice("ordering name", data["name"], _BY_NAME)]
        values = {key: value for key, value in data.items() if key != "name"}
        expected = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        if sorted(values, key=str) != sorted(expected):
            raise InputError("ordering", dict(data), f"a mapping with exactly the keys {['name', *expected]}")
        return kind(**values)


@dataclass(frozen=True)
class Cyclic(Ordering):
    """tau(t) = ((t - 1) mod M) + 1, in the paper's count from 1."""

    name: ClassVar[str] = "cyclic"

    def _indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        return np.arange(num_steps, dtype=np.int64) % num_tasks


@dataclass(frozen=True)
class _Seeded(Ordering):
    """An ordering drawn from PCG64's raw stream, which numpy keeps the same from version to version."""

    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_integer("seed", self.seed, 0))

    def _raw(self, count: int) -> np.ndarray:
        return np.random.PCG64(self.seed).random_raw(count)


@dataclass(frozen=True)
class IndependentRandom(_Seeded):
    """tau(t) independent and uniform over the tasks."""

    name: ClassVar[str] = "iid"

    def _indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        uniform = (self._raw(num_steps) >> np.uint64(11)) * 2.0**-53
        return (uniform * num_tasks).astype(np.int64)


@dataclass(frozen=True)
class WithoutReplacement(_Seeded):
    """A fresh uniform permutation of the tasks every M iterations."""

    name: ClassVar[str] = "without_replacement"

    def _indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        epochs = -(-num_steps // num_tasks)
        keys = self._raw(epochs * num_tasks).reshape(epochs, num_tasks)
        return np.argsort(keys, axis=1, kind="stable").reshape(-1)[:num_steps].astype(np.int64)


@dataclass(frozen=True)
class Given(Ordering):
    """The tasks listed by the user, one an iteration, counted from 0."""

    name: ClassVar[str] = "given"
    listed: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "listed", _check_listed(self.listed))

    def _indices(self, num_tasks: int, num_steps: int) -> np.ndarray:
        if num_steps > len(self.listed):
            raise InputError("num_steps", num_steps, f"at most {len(self.listed)}, the length of the given ordering")
        for position, index in enumerate(self.listed[:num_steps]):
            check_integer(f"ordering[{position}]", index, 0, num_tasks - 1)
        return np.array(self.listed[:num_steps], dtype=np.int64)


def _check_listed(indices: Any) -> tuple[int, ...]:
    try:
        entries = [entry for entry in indices] if not isinstance(indices, str | Mapping) else None
    except TypeError:
        entries = None
    if not entries:
        raise InputError("ordering", indices, "a nonempty sequence of task numbers, counted from 0")
    return tuple(check_integer(f"ordering[{position}]", entry, 0) for position, entry in enumerate(entries))


_BY_NAME: dict[str, type[Ordering]] = {
    kind.name: kind for kind in (Cyclic, IndependentRandom, WithoutReplacement, Given)
}


def cyclic() -> Ordering:
    """Tasks in turn, 0, 1, ..., M - 1, 0, 1, ... (7).

    >>> cyclic().indices(num_tasks=3, num_steps=5).tolist()
    [0, 1, 2, 0, 1]
    """
    return Cyclic()


def iid(seed: int) -> Ordering:
    """Tasks drawn independently and uniformly (7); ``seed`` is a nonnegative integer.

    >>> iid(seed=0).indices(num_tasks=1, num_steps=3).tolist()
    [0, 0, 0]
    """
    return IndependentRandom(seed)


def without_replacement(seed: int) -> Ordering:
    """A fresh uniform permutation of all tasks in each epoch of M iterations; ``seed`` is a nonnegative integer.

    >>> sorted(without_replacement(seed=0).indices(num_tasks=4, num_steps=4).tolist())
    [0, 1, 2, 3]
    """
    return WithoutReplacement(seed)


def given(indices: Sequence[int] | np.ndarray) -> Ordering:
    """The user's own list of task numbers, counted from 0, one an iteration; a run may be no longer than the list.

    Raises:
        InputError: empty, or an entry that is no nonnegative integer.

    >>> given([1, 1, 0]).indices(num_tasks=2, num_steps=2).tolist()
    [1, 1]
    """
    return Given(indices)  # type: ignore[arg-type]


def as_ordering(spec: str | Sequence[int] | np.ndarray | Ordering, seed: int = 0) -> Ordering:
    """An ordering from what a user may write for one.

    Args:
        spec: "cyclic", "iid", "without_replacement", a list of task numbers counted from 0, or an `Ordering`.
        seed: for the two random names (default 0); the others make no use of it.

    Raises:
        InputError: an unknown name, or a list that is empty or holds anything but nonnegative integers.

    >>> as_ordering("cyclic") == cyclic() and as_ordering([0, 1]) == given((0, 1))
    True
    """
    if isinstance(spec, Ordering):
        return spec
    if not isinstance(spec, str):
        return given(spec)
    check_choice("ordering", spec, [name for name in _BY_NAME if name != Given.name])
    return Cyclic() if spec == Cyclic.name else _BY_NAME[spec](seed)  # type: ignore[call-arg]

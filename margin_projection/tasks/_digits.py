"""Pairs of handwritten digits (scikit-learn's 1797 images of 8 x 8 pixels) as binary tasks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from margin_projection._validation import InputError, check_choice, check_integer
from margin_projection.tasks.task import KINDS, Task

_BRIGHTEST = 16.0


def digits(
    pairs: Iterable[tuple[int, int]] = ((0, 1),),
    samples: int = 100,
    seed: int = 0,
    kind: str = "classification",
    center: bool = False,
) -> list[Task]:
    """One task for each pair (a, b): tell digit a (label +1) from digit b (label -1).

    The 64 pixels, whole numbers from 0 to 16, are divided by 16. A task has (samples + 1) // 2 images of a and
    samples // 2 of b, all distinct, in random order. It depends on its own pair, ``samples`` and ``seed`` alone, not on
    the other pairs; pairs that share a digit may share images.

    Args:
        pairs: nonempty, each of two different digits in 0..9 (default: 0 against 1).
        samples: images a task, 2 (default 100) or more, at most twice the images of the rarer digit (174 to 183).
        seed: a nonnegative integer (default 0).
        kind: "classification" (default), or "regression", where the same +1.0 and -1.0 are the real targets.
        center: subtract the mean image of the whole data set, the same for every task (default False).

    Returns:
        A list with one task a pair, X of shape (samples, 64), y of shape (samples,).

    Raises:
        InputError: no pair, no digit, the same digit twice in a pair, or more samples than there are.

    >>> task, = digits(pairs=[(3, 8)], samples=10)
    >>> task.X.shape, float(task.y.sum())
    ((10, 64), 0.0)
    """
    checked = _check_pairs(pairs)
    check_integer("samples", samples, 2)
    check_integer("seed", seed, 0)
    check_choice("kind", kind, KINDS)
    if not isinstance(center, bool):
        raise InputError("center", center, "True or False")
    images, target = _data()
    offset = images.mean(axis=0) if center else 0.0
    tasks = []
    for first, second in checked:
        chosen, labels = _draw(target, first, second, samples, seed)
        tasks.append(Task(images[chosen] - offset, labels, kind, f"digits {first} vs {second}"))
    return tasks


def _check_pairs(pairs: Any) -> list[tuple[int, int]]:
    """The pairs as tuples of two different digits."""
    requirement = "a nonempty sequence of pairs of digits such as [(0, 1), (2, 3)]"
    try:
        listed = [tuple(pair) for pair in pairs]
    except TypeError as error:
        raise InputError("pairs", pairs, requirement) from error
    if not listed:
        raise InputError("pairs", pairs, requirement)
    return [_check_pair(f"pairs[{index}]", pair) for index, pair in enumerate(listed)]


def _check_pair(name: str, pair: tuple[Any, ...]) -> tuple[int, int]:
    if len(pair) != 2:
        raise InputError(name, pair, "a pair of two digits")
    first, second = (check_integer(f"{name}[{position}]", digit, 0, 9) for position, digit in enumerate(pair))
    if first == second:
        raise InputError(name, (first, second), "two different digits")
    return first, second


@cache
def _data() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 64) in [0, 1] and their digits (1797,)."""
    from sklearn.datasets import load_digits  # here: scikit-learn takes a second to import, and few callers need it

    bunch = load_digits()
    return bunch.data / _BRIGHTEST, bunch.target


def _draw(target: np.ndarray, first: int, second: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers and labels of a balanced, shuffled draw without replacement."""
    generator = np.random.default_rng((seed, first, second))
    rows, labels = [], []
    for digit, label, count in ((first, 1.0, (samples + 1) // 2), (second, -1.0, samples // 2)):
        available = np.flatnonzero(target == digit)
        if count > available.size:
            raise InputError("samples", samples, f"fewer: there are {available.size} images of {digit}")
        rows.append(generator.choice(available, count, replace=False))
        labels.append(np.full(count, label))
    order = generator.permutation(samples)
    return np.concatenate(rows)[order], np.concatenate(labels)[order]

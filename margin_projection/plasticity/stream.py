"""Streams of tasks: what a learner meets, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from margin_projection._validation import check_integer


@dataclass(frozen=True)
class StreamTask:
    """One task of a stream.

    Attributes:
        name: which one, in words.
        X_train, X_test: (n, *input_shape) float64.
        y_train, y_test: (n,) int64 classes, or (n, outputs) float64 values.
        active_outputs: which outputs count, ascending; all of them unless classes arrive in turns.
    """

    name: str
    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor
    active_outputs: tuple[int, ...]


class Stream(ABC):
    """A sequence of tasks, fixed by a seed: ``task(t)`` is the same whenever it is asked for.

    Attributes:
        name: as configurations write it.
        kind: "classification" (cross-entropy, accuracy) or "regression" (mean squared error).
        num_tasks, num_features, num_outputs: sizes.
        seed: of everything random in it.
    """

    name: str
    kind: Literal["classification", "regression"] = "classification"
    num_features: int
    num_outputs: int

    def __init__(self, num_tasks: int, seed: int) -> None:
        self.num_tasks = check_integer("num_tasks", num_tasks, 1)
        self.seed = check_integer("seed", seed, 0)

    def task(self, index: int) -> StreamTask:
        """Task ``index``, in 0..num_tasks - 1.

        Raises:
            InputError: there is no such task.
        """
        check_integer("index", index, 0, self.num_tasks - 1)
        return self.build(index, torch.Generator().manual_seed(self.seed * 1_000_003 + index))

    @abstractmethod
    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """The task, with the generator that belongs to it."""

"""Classes arrive in turns: every task adds some, and all that arrived so far count."""

from __future__ import annotations

import torch

from margin_projection._validation import InputError, check_integer
from margin_projection.plasticity.stream import Stream, StreamTask
from margin_projection.plasticity.streams.digits import digits_split


class ClassIncrementalDigits(Stream):
    """Digits in a random order, ``classes_per_task`` new ones a task; when all ten are there, a new round begins.

    A task's samples are those of all classes of its round that arrived so far, as in incremental CIFAR-100; the inputs
    of every round are permuted anew, so that later rounds are new to the network.
    """

    name = "class_incremental_digits"
    num_features, num_outputs = 64, 10

    def __init__(self, num_tasks: int, seed: int, classes_per_task: int = 2) -> None:
        super().__init__(num_tasks, seed)
        if 10 % check_integer("classes_per_task", classes_per_task, 1, 10):
            raise InputError("classes_per_task", classes_per_task, "a divisor of 10")
        self.classes_per_task = classes_per_task

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """The classes of the round up to this task."""
        tasks_per_round = 10 // self.classes_per_task
        round_number, position = divmod(index, tasks_per_round)
        shared = torch.Generator().manual_seed(self.seed * 1_000_003 + 500_009 + round_number)
        order, pixels = torch.randperm(10, generator=shared), torch.randperm(64, generator=shared)
        active = sorted(order[: (position + 1) * self.classes_per_task].tolist())
        X_train, y_train, X_test, y_test = digits_split()
        train, test = (torch.isin(y, torch.tensor(active)) for y in (y_train, y_test))
        return StreamTask(
            f"round {round_number}, {len(active)} classes",
            X_train[train][:, pixels],
            y_train[train],
            X_test[test][:, pixels],
            y_test[test],
            tuple(active),
        )

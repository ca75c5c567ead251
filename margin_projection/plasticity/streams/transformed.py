"""Streams that make their tasks from one data set: its features permuted, or its labels."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from margin_projection._validation import check_integer
from margin_projection.plasticity.stream import Stream, StreamTask

Split = tuple[Tensor, Tensor, Tensor, Tensor]  # training inputs and labels, test inputs and labels


class _OneDataSet(Stream):
    """Classification of one data set, ``samples`` training samples a task.

    Args:
        num_tasks, seed: see `Stream`.
        samples: drawn anew for every task, at least 1; all of them by default.
    """

    def __init__(self, num_tasks: int, seed: int, samples: int | None = None) -> None:
        super().__init__(num_tasks, seed)
        self.samples = samples if samples is None else check_integer("samples", samples, 1)

    @abstractmethod
    def data(self) -> Split:
        """The data set, split for good."""

    def _drawn(self, generator: torch.Generator) -> Split:
        X_train, y_train, X_test, y_test = self.data()
        if self.samples is None:
            return X_train, y_train, X_test, y_test
        chosen = torch.randperm(len(X_train), generator=generator)[: self.samples]
        return X_train[chosen], y_train[chosen], X_test, y_test


class PermutedFeatures(_OneDataSet):
    """Each task permutes the features of all samples anew; task 0, too."""

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One permutation for training and test samples."""
        order = torch.randperm(self.num_features, generator=generator)
        X_train, y_train, X_test, y_test = self._drawn(generator)
        active = tuple(range(self.num_outputs))
        return StreamTask(f"permutation {index}", X_train[:, order], y_train, X_test[:, order], y_test, active)


class ShuffledLabels(_OneDataSet):
    """Each task renames the classes by a permutation; the inputs stay."""

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One renaming for training and test samples."""
        names = torch.randperm(self.num_outputs, generator=generator)
        X_train, y_train, X_test, y_test = self._drawn(generator)
        active = tuple(range(self.num_outputs))
        return StreamTask(f"renaming {index}", X_train, names[y_train], X_test, names[y_test], active)

"""scikit-learn's handwritten digits (8 x 8), with pixels permuted or labels shuffled for every task."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from margin_projection.plasticity.stream import Stream, StreamTask

_TEST_SHARE = 0.2


class PermutedDigits(Stream):
    """Each task permutes the 64 pixels anew; task 0 too. 1437 training and 360 test samples."""

    name = "permuted_digits"
    num_features, num_outputs = 64, 10

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One permutation for training and test samples."""
        X_train, y_train, X_test, y_test = digits_split()
        order = torch.randperm(64, generator=generator)
        return StreamTask(f"permutation {index}", X_train[:, order], y_train, X_test[:, order], y_test, _ALL)


class ShuffledLabelDigits(Stream):
    """Each task relabels the classes by a permutation of the ten labels; inputs stay."""

    name = "shuffled_digits"
    num_features, num_outputs = 64, 10

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One relabelling for training and test samples."""
        X_train, y_train, X_test, y_test = digits_split()
        labels = torch.randperm(10, generator=generator)
        return StreamTask(f"relabelling {index}", X_train, labels[y_train], X_test, labels[y_test], _ALL)


class RandomLabelDigits(Stream):
    """Each task gives ``samples`` images labels drawn at random: memorization, which needs plasticity most.

    The test samples are the training samples: there is nothing to generalize.
    """

    name = "random_label_digits"
    num_features, num_outputs = 64, 10

    def __init__(self, num_tasks: int, seed: int, samples: int = 256) -> None:
        super().__init__(num_tasks, seed)
        self.samples = samples

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """The same images in every task, labels anew."""
        X = digits_split()[0][: self.samples]
        y = torch.randint(0, 10, (len(X),), generator=generator)
        return StreamTask(f"labels {index}", X, y, X, y, _ALL)


_ALL = tuple(range(10))


@functools.cache
def digits_split() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training inputs and labels, test inputs and labels: pixels divided by 16, split once by a fixed permutation."""
    from sklearn.datasets import load_digits

    data = load_digits()
    X = torch.as_tensor(data.data / 16.0, dtype=torch.float64)
    y = torch.as_tensor(data.target, dtype=torch.int64)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    split = round(len(X) * _TEST_SHARE)
    test, train = order[:split], order[split:]
    return X[train], y[train], X[test], y[test]

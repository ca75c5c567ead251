"""scikit-learn's handwritten digits (8 x 8): pixels permuted, labels shuffled, or labels at random, for every task."""

from __future__ import annotations

import functools

import torch

from margin_projection._validation import check_integer
from margin_projection.plasticity.stream import Stream, StreamTask
from margin_projection.plasticity.streams.transformed import PermutedFeatures, ShuffledLabels, Split

_TEST_SHARE = 0.2


@functools.cache
def digits_split() -> Split:
    """1437 training and 360 test samples: pixels divided by 16, split once by a fixed permutation."""
    from sklearn.datasets import load_digits

    data = load_digits()
    X = torch.as_tensor(data.data / 16.0, dtype=torch.float64)
    y = torch.as_tensor(data.target, dtype=torch.int64)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    split = round(len(X) * _TEST_SHARE)
    test, train = order[:split], order[split:]
    return X[train], y[train], X[test], y[test]


class PermutedDigits(PermutedFeatures):
    """The 64 pixels permuted."""

    name = "permuted_digits"
    num_features, num_outputs = 64, 10

    def data(self) -> Split:
        """The digits."""
        return digits_split()


class ShuffledLabelDigits(ShuffledLabels):
    """The ten labels renamed."""

    name = "shuffled_digits"
    num_features, num_outputs = 64, 10

    def data(self) -> Split:
        """The digits."""
        return digits_split()


class RandomLabelDigits(Stream):
    """Each task gives ``samples`` images labels drawn at random: memorization, which needs plasticity most.

    The test samples are the training samples: there is nothing to generalize.
    """

    name = "random_label_digits"
    num_features, num_outputs = 64, 10

    def __init__(self, num_tasks: int, seed: int, samples: int = 256) -> None:
        super().__init__(num_tasks, seed)
        self.samples = check_integer("samples", samples, 1)

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """The same images in every task, labels anew."""
        X = digits_split()[0][: self.samples]
        y = torch.randint(0, 10, (len(X),), generator=generator)
        return StreamTask(f"labels {index}", X, y, X, y, tuple(range(10)))

"""mnist1d (Greydanus and Kobak 2024): ten classes of signals of 40 points, generated, not downloaded."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from margin_projection.plasticity.stream import Stream, StreamTask

_ALL = tuple(range(10))


class PermutedMnist1d(Stream):
    """Each task permutes the 40 points of the signals anew. 4000 training and 1000 test samples."""

    name = "permuted_mnist1d"
    num_features, num_outputs = 40, 10

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One permutation for training and test samples."""
        X_train, y_train, X_test, y_test = _mnist1d()
        order = torch.randperm(40, generator=generator)
        return StreamTask(f"permutation {index}", X_train[:, order], y_train, X_test[:, order], y_test, _ALL)


class ShuffledLabelMnist1d(Stream):
    """Each task relabels the ten classes; ``samples`` training samples, drawn anew for every task."""

    name = "shuffled_mnist1d"
    num_features, num_outputs = 40, 10

    def __init__(self, num_tasks: int, seed: int, samples: int = 1000) -> None:
        super().__init__(num_tasks, seed)
        self.samples = samples

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """One relabelling for training and test samples."""
        X_train, y_train, X_test, y_test = _mnist1d()
        labels = torch.randperm(10, generator=generator)
        chosen = torch.randperm(len(X_train), generator=generator)[: self.samples]
        return StreamTask(
            f"relabelling {index}", X_train[chosen], labels[y_train[chosen]], X_test, labels[y_test], _ALL
        )


@functools.cache
def _mnist1d() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The data set of the default arguments (seed 42)."""
    from mnist1d.data import get_dataset_args, make_dataset

    data = make_dataset(get_dataset_args())
    inputs = (torch.as_tensor(data[key], dtype=torch.float64) for key in ("x", "x_test"))
    labels = (torch.as_tensor(data[key], dtype=torch.int64) for key in ("y", "y_test"))
    (X_train, X_test), (y_train, y_test) = inputs, labels
    return X_train, y_train, X_test, y_test

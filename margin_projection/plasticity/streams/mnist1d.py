"""mnist1d (Greydanus and Kobak 2024): ten classes of signals of 40 points, generated, not downloaded."""

from __future__ import annotations

import functools

import torch

from margin_projection.plasticity.streams.transformed import PermutedFeatures, ShuffledLabels, Split


@functools.cache
def _mnist1d() -> Split:
    """4000 training and 1000 test samples: the data set of the default arguments (seed 42)."""
    from mnist1d.data import get_dataset_args, make_dataset

    data = make_dataset(get_dataset_args())
    X_train, X_test = (torch.as_tensor(data[key], dtype=torch.float64) for key in ("x", "x_test"))
    y_train, y_test = (torch.as_tensor(data[key], dtype=torch.int64) for key in ("y", "y_test"))
    return X_train, y_train, X_test, y_test


class PermutedMnist1d(PermutedFeatures):
    """The 40 points of the signals permuted."""

    name = "permuted_mnist1d"
    num_features, num_outputs = 40, 10

    def data(self) -> Split:
        """The signals."""
        return _mnist1d()


class ShuffledLabelMnist1d(ShuffledLabels):
    """The ten labels renamed."""

    name = "shuffled_mnist1d"
    num_features, num_outputs = 40, 10

    def data(self) -> Split:
        """The signals."""
        return _mnist1d()

"""Streams on the user's own MNIST or CIFAR files."""

from __future__ import annotations

from pathlib import Path

import torch

from margin_projection._validation import InputError, check_integer
from margin_projection.plasticity.stream import Stream, StreamTask
from margin_projection.plasticity.streams.image_files import load_cifar, load_mnist
from margin_projection.plasticity.streams.transformed import PermutedFeatures, Split


class PermutedMnist(PermutedFeatures):
    """Pixel permutations of MNIST (Prakash et al. 2026: 800 tasks).

    Args:
        num_tasks, seed: see `Stream`.
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each as it is or with .gz.
        samples: training samples a task, drawn anew for each (default: all).
    """

    name = "permuted_mnist"
    num_features, num_outputs = 784, 10

    def __init__(self, num_tasks: int, seed: int, folder: str, samples: int | None = None) -> None:
        super().__init__(num_tasks, seed, samples)
        train, test = (
            load_mnist(_found(folder, f"{part}-images-idx3-ubyte"), _found(folder, f"{part}-labels-idx1-ubyte"))
            for part in ("train", "t10k")
        )
        self.split: Split = (*train, *test)

    def data(self) -> Split:
        """The user's files."""
        return self.split


class IncrementalCifar(Stream):
    """CIFAR-100, ``classes_per_task`` more classes a task, all that arrived so far in it (20 tasks of 5 by default).

    Args:
        num_tasks, seed: see `Stream`; at most 100 / classes_per_task tasks.
        archive: cifar-100-binary.tar.gz.
        classes_per_task: default 5.
    """

    name = "incremental_cifar100"
    num_features, num_outputs = 3072, 100

    def __init__(self, num_tasks: int, seed: int, archive: str, classes_per_task: int = 5) -> None:
        super().__init__(num_tasks, seed)
        check_integer("num_tasks", num_tasks, 1, 100 // check_integer("classes_per_task", classes_per_task, 1, 100))
        self.classes_per_task = classes_per_task
        self.train, self.test = load_cifar(archive, train=True), load_cifar(archive, train=False)
        self.order = torch.randperm(100, generator=torch.Generator().manual_seed(seed)).tolist()

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """All classes up to this task."""
        active = sorted(self.order[: (index + 1) * self.classes_per_task])
        wanted = torch.tensor(active)
        train, test = (torch.isin(part[1], wanted) for part in (self.train, self.test))
        return StreamTask(
            f"{len(active)} classes",
            self.train[0][train],
            self.train[1][train],
            self.test[0][test],
            self.test[1][test],
            tuple(active),
        )


def _found(folder: str, name: str) -> Path:
    for candidate in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise InputError("folder", folder, f"a folder with the file {name} or {name}.gz")

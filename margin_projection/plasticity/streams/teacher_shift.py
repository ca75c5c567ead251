"""Regression on a teacher network that changes from task to task."""

from __future__ import annotations

import torch

from margin_projection._validation import check_integer
from margin_projection.plasticity.network import MultilayerPerceptron
from margin_projection.plasticity.stream import Stream, StreamTask


class TeacherShift(Stream):
    """Standard normal inputs; outputs of a random ReLU teacher, drawn anew for every task and scaled to variance 1.

    Args:
        num_tasks, seed: see `Stream`.
        samples: for training; as many for testing (default 256).
        features: dimension of the inputs (default 20).
        units: of the teacher's hidden layer (default 10).
    """

    name = "teacher_shift"
    kind = "regression"
    num_outputs = 1

    def __init__(self, num_tasks: int, seed: int, samples: int = 256, features: int = 20, units: int = 10) -> None:
        super().__init__(num_tasks, seed)
        self.samples, self.units = check_integer("samples", samples, 2), check_integer("units", units, 1)
        self.num_features = check_integer("features", features, 1)

    def build(self, index: int, generator: torch.Generator) -> StreamTask:
        """A new teacher and new inputs."""
        teacher = MultilayerPerceptron((self.num_features, self.units, 1), int(self.seed * 7_919 + index))
        X = torch.randn(2 * self.samples, self.num_features, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            y = teacher(X)
        spread = y.std()
        y = (y - y.mean()) / (spread if bool(spread > 0) else 1.0)
        split = self.samples
        return StreamTask(f"teacher {index}", X[:split], y[:split], X[split:], y[split:], (0,))

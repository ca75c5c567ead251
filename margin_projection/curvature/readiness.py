"""Optimization readiness: how strong the gradient is, and how well minibatch gradients agree."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from margin_projection._validation import check_integer
from margin_projection.curvature.problem import CurvatureProblem


@dataclass(frozen=True)
class Readiness:
    """Gradients of the risk at the parameters.

    Attributes:
        strength: the norm of the full gradient.
        agreement: ||mean of minibatch gradients||^2 / mean of ||minibatch gradient||^2, in [0, 1]: 1 where all agree,
            about 1 / (number of minibatches) where they are unrelated.
    """

    strength: float
    agreement: float


def readiness(problem: CurvatureProblem, *, batch_size: int = 16) -> Readiness:
    """Gradients over consecutive minibatches of ``batch_size`` samples (the last one may be smaller)."""
    check_integer("batch_size", batch_size, 1)
    gradients, sizes = [], []
    for X, y in problem.batches:
        for begin in range(0, len(X), batch_size):
            part = slice(begin, begin + batch_size)
            loss = problem.loss(problem.module(X[part]), y[part])
            found = torch.autograd.grad(loss, problem.parameters)
            gradients.append(torch.cat([each.reshape(-1) for each in found]))
            sizes.append(len(X[part]))
    stacked, shares = torch.stack(gradients), torch.tensor(sizes, dtype=gradients[0].dtype) / sum(sizes)
    mean = shares @ stacked
    square = float(shares @ stacked.square().sum(1))
    return Readiness(float(mean.norm()), float(mean.square().sum()) / square if square > 0.0 else 1.0)

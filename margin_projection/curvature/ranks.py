"""Ranks of matrices from their singular values: effective (entropy), stable, approximate."""

from __future__ import annotations

import torch
from torch import Tensor

from margin_projection._validation import InputError, check_real


def effective_rank(matrix: Tensor) -> Tensor:
    """exp(entropy(sigma / sum sigma)), sigma the singular values (Roy and Vetterli 2007); differentiable; 0 for 0.

    Between 0 and min(shape); equal singular values reach it.
    """
    sigma = _singular_values(matrix)
    total = sigma.sum()
    if not bool(total > 0):
        return total
    shares = sigma / total
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def stable_rank(matrix: Tensor) -> Tensor:
    """||A||_F^2 / ||A||_2^2; 0 for 0."""
    sigma = _singular_values(matrix)
    return sigma.square().sum() / sigma[0].square() if bool(sigma[0] > 0) else sigma[0]


def approximate_rank(matrix: Tensor, share: float = 0.99) -> int:
    """How many leading singular values hold ``share`` (in (0, 1], default 0.99) of their sum; 0 for 0."""
    check_real("share", share, 0.0, 1.0, open_below=True)
    sigma = _singular_values(matrix)
    total = sigma.sum()
    if not bool(total > 0):
        return 0
    return int((sigma.cumsum(0) < share * total * (1.0 - 1e-12)).sum()) + 1


def _singular_values(matrix: Tensor) -> Tensor:
    if matrix.ndim != 2 or not matrix.numel():
        raise InputError("matrix", matrix, "two-dimensional and not empty")
    if not bool(torch.isfinite(matrix).all()):
        raise InputError("matrix", matrix, "finite (no NaN, no infinity)")
    return torch.linalg.svdvals(matrix)

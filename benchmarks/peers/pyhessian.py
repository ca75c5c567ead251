"""PyHessian's spectral density. Its last release calls the removed `torch.eig`; `torch.linalg.eigh` stands in.

The matrix is symmetric and at most 100 x 100, so that this changes neither the result nor the time.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

try:
    from pyhessian import hessian
except ImportError:
    hessian = None


def installed() -> bool:
    """Whether PyHessian is there."""
    return hessian is not None


def density(module: nn.Module, loss: nn.Module, X: Tensor, y: Tensor, order: int, probes: int) -> Any:
    """Nodes and weights of ``probes`` runs of ``order`` Lanczos steps on one batch, the gradient's graph kept."""
    before = vars(torch).get("eig")
    vars(torch)["eig"] = _eig
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that keeping the gradient's graph can leak memory
            return hessian(module, loss, data=(X, y), cuda=False).density(iter=order, n_v=probes)
    finally:
        vars(torch)["eig"] = before


def _eig(matrix: Tensor, eigenvectors: bool = False) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(matrix)
    return torch.stack([values, torch.zeros_like(values)], dim=1), vectors

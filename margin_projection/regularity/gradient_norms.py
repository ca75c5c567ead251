"""The norms of the gradients of all samples, without holding all gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.base import Model
from margin_projection.networks.module import ModuleModel

CHUNK = 1e7  # numbers in the gradients that are held at once


def gradient_norms(model: Model, X: Tensor, theta: Tensor) -> np.ndarray:
    """(n,) the norms ||grad f(x_i; theta)||.

    Large modules go through the gradients of some samples at a time, all else through the diagonal of J J^T.

    >>> from margin_projection.networks import Linear
    >>> gradient_norms(Linear(2), torch.tensor([[3.0, 4.0]]).double(), torch.zeros(2).double())
    array([5.])
    """
    if isinstance(model, ModuleModel) and X.shape[0] * theta.numel() > CHUNK:
        size = max(1, int(CHUNK / theta.numel()))
        parts = [model.linearize(theta, chunk).jacobian().detach().square().sum(1) for chunk in X.split(size)]
        squares = torch.cat(parts)
    else:
        squares = model.linearize(theta, X).gram().detach().diagonal()
    return np.sqrt(np.maximum(to_numpy(squares), 0.0))

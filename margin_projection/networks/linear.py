"""The linear model f(x; theta) = <x, theta>."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import Array, parameters_to_tensor, to_tensor
from margin_projection._validation import InputError, check_integer
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.dense import DenseLinearization

_STATE_KEY = "0.weight"


class Linear(Model):
    """f(x; theta) = <x, theta> for x, theta in R^d: degree 1, its margin sets are polyhedra (Figure 1a).

    Args:
        dimension: d, at least 1.

    Raises:
        InputError: ``dimension`` is no positive integer.

    >>> Linear(2)(np.array([1.0, 2.0]), np.array([[5.0, -1.0], [2.0, 2.0]]))
    array([3., 6.])
    """

    degree = 1.0
    structure = Structure.LINEAR
    smooth = True

    def __init__(self, dimension: int) -> None:
        self.num_parameters = check_integer("dimension", dimension, 1)
        self.input_shape = (self.num_parameters,)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        return theta @ X.T

    def linearize(self, theta: Tensor, X: Tensor) -> DenseLinearization:
        return DenseLinearization(X @ theta, X)

    def coefficients(self, X: Tensor) -> Tensor:
        return X

    def fan_in(self) -> np.ndarray:
        return np.full(self.num_parameters, float(self.num_parameters))

    def to_module(self, theta: Array) -> nn.Module:
        weight = parameters_to_tensor("theta", theta, self.num_parameters, batched=False)
        layer = nn.Linear(self.num_parameters, 1, bias=False, dtype=torch.float64, device=weight.device)
        with torch.no_grad():
            layer.weight.copy_(weight[None])
        return nn.Sequential(layer, nn.Flatten(0))

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        if set(state) != {_STATE_KEY}:
            raise InputError("state", sorted(state), f"a state dictionary with the one key {_STATE_KEY!r}")
        weight = to_tensor(f"state[{_STATE_KEY!r}]", state[_STATE_KEY]).cpu()
        if tuple(weight.shape) != (1, self.num_parameters):
            raise InputError(f"state[{_STATE_KEY!r}]", weight, f"of shape (1, {self.num_parameters})")
        return weight.flatten().numpy().copy()

    def __repr__(self) -> str:
        return f"Linear({self.num_parameters})"

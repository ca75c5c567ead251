"""The squared linear model of Definition 4: a diagonal quadratic form in the parameters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import Array, parameters_to_tensor, to_tensor
from margin_projection._validation import InputError, check_integer
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.dense import DenseLinearization
from margin_projection.networks.linearization import Linearization


class SquaredLinear(Model):
    """f(x; u, v) = <u^2 - v^2, x> with theta = (u, v) in R^{2d}, squares elementwise (Definition 4); degree 2.

    Args:
        dimension: d >= 1, the length of a sample.

    Raises:
        InputError: the dimension is no positive integer.

    >>> SquaredLinear(2)(np.array([1.0, 2.0, 0.0, 1.0]), np.array([[1.0, 10.0]]))
    array([31.])
    """

    degree = 2.0
    structure = Structure.DIAGONAL_QUADRATIC
    smooth = True

    def __init__(self, dimension: int) -> None:
        self.dimension = check_integer("dimension", dimension, 1)
        self.num_parameters = 2 * self.dimension
        self.input_shape = (self.dimension,)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        u, v = theta[..., : self.dimension], theta[..., self.dimension :]
        return (u.square() - v.square()) @ X.T

    def linearize(self, theta: Tensor, X: Tensor) -> Linearization:
        coefficients = self.coefficients(X)
        return DenseLinearization(
            self.forward(theta, X),
            2.0 * coefficients * theta,
            lambda weights, vector: 2.0 * (weights @ coefficients) * vector,
        )

    def coefficients(self, X: Tensor) -> Tensor:
        """q (n, 2d) = [X, -X], with f(x_i; theta) = <q_i, theta^2>."""
        return torch.cat([X, -X], dim=1)

    def fan_in(self) -> np.ndarray:
        return np.full(self.num_parameters, float(self.dimension))

    def to_module(self, theta: Array) -> nn.Module:
        tensor = parameters_to_tensor("theta", theta, self.num_parameters, batched=False)
        return SquaredLinearModule(tensor[: self.dimension], tensor[self.dimension :])

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        if set(state) != {"u", "v"}:
            raise InputError("state", sorted(state), "a state dictionary with the keys 'u' and 'v'")
        for key in ("u", "v"):
            if tuple(state[key].shape) != (self.dimension,):
                raise InputError(f"state[{key!r}]", state[key], f"of shape ({self.dimension},)")
        return torch.cat([to_tensor(f"state[{key!r}]", state[key]) for key in ("u", "v")]).cpu().numpy()

    def __repr__(self) -> str:
        return f"SquaredLinear({self.dimension})"


class SquaredLinearModule(nn.Module):
    """`SquaredLinear` as a torch module with the parameters ``u`` and ``v``, (d,) each: (n, d) -> (n,)."""

    def __init__(self, u: Tensor, v: Tensor) -> None:
        super().__init__()
        self.u, self.v = nn.Parameter(u.clone()), nn.Parameter(v.clone())

    def forward(self, X: Tensor) -> Tensor:
        return X @ (self.u.square() - self.v.square())

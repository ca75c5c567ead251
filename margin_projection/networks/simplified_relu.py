"""One hidden layer of rectifiers with fixed output signs (Figure 1b): piecewise linear in theta."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import Array, parameters_to_tensor, to_tensor
from margin_projection._validation import InputError, check_array, check_integer, check_real
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.dense import DenseLinearization
from margin_projection.networks.linearization import Kinks, Linearization


def _rectify(preactivations: Tensor, slope: float) -> Tensor:
    return torch.where(preactivations > 0, preactivations, slope * preactivations)


class _SimplifiedReLUModule(nn.Module):
    """f(x) = sum_j g_j phi(<w_j, x>) with the rows w_j of ``weight`` (units, dimension) as the only parameters."""

    output_signs: Tensor

    def __init__(self, weight: Tensor, output_signs: Tensor, slope: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.register_buffer("output_signs", output_signs, persistent=False)
        self.slope = slope

    def forward(self, X: Tensor) -> Tensor:
        return _rectify(X @ self.weight.T, self.slope) @ self.output_signs


class SimplifiedReLU(Model):
    """f(x; theta) = sum_j g_j phi(<w_j, x>), theta = (w_1, ..., w_units), phi(z) = z for z > 0, slope * z for z <= 0.

    Figure 1b of Schliserman et al. 2026 is ``SimplifiedReLU(2)`` with x = 2, y = +1. The degree is 1.

    Args:
        units: at least 1.
        dimension: d >= 1, the length of a sample (default 1).
        output_signs: (units,) numbers g_j in {-1, +1}, fixed (default: all +1).
        slope: of phi on the left, in [0, 1) (default 0).

    Raises:
        InputError: an argument is outside its range.

    >>> model = SimplifiedReLU(2)
    >>> model(np.array([0.5, -1.0]), np.array([[2.0]])).tolist()
    [1.0]
    """

    degree = 1.0
    structure = Structure.RIDGE_SUM
    smooth = False

    def __init__(
        self, units: int, dimension: int = 1, output_signs: Sequence[float] | None = None, slope: float = 0.0
    ) -> None:
        self.units = check_integer("units", units, 1)
        self.dimension = check_integer("dimension", dimension, 1)
        self.slope = check_real("slope", slope, 0.0, 1.0)
        if self.slope == 1.0:
            raise InputError("slope", slope, "below 1 (at 1 the model is linear: use Linear)")
        signs = np.ones(self.units) if output_signs is None else check_array("output_signs", output_signs, ndim=1)
        if signs.shape != (self.units,) or not np.isin(signs, (-1.0, 1.0)).all():
            raise InputError("output_signs", output_signs, f"{self.units} numbers, each -1 or +1")
        signs.setflags(write=False)
        self.output_signs = signs
        self.num_parameters = self.units * self.dimension
        self.input_shape = (self.dimension,)

    def _signs(self, like: Tensor) -> Tensor:
        return torch.tensor(self.output_signs, dtype=like.dtype, device=like.device)

    def _weights(self, theta: Tensor) -> Tensor:
        return theta.reshape(*theta.shape[:-1], self.units, self.dimension)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        preactivations = X @ self._weights(theta).transpose(-1, -2)
        return _rectify(preactivations, self.slope) @ self._signs(theta)

    def linearize(self, theta: Tensor, X: Tensor) -> Linearization:
        preactivations = X @ self._weights(theta).T
        slopes = torch.where(preactivations > 0, theta.new_tensor(1.0), theta.new_tensor(self.slope))
        jacobian = ((self._signs(theta) * slopes)[:, :, None] * X[:, None, :]).reshape(X.shape[0], -1)
        return DenseLinearization(
            self.forward(theta, X),
            jacobian,
            kinks=lambda: self._kinks(preactivations, X),
            kink_gradients=lambda kinks: self._kink_gradients(kinks, X),
        )

    def _kinks(self, preactivations: Tensor, X: Tensor) -> Kinks:
        samples = torch.arange(X.shape[0], device=X.device).repeat_interleave(self.units)
        units = torch.arange(self.units, device=X.device).repeat(X.shape[0])
        jumps = (1.0 - self.slope) * self._signs(preactivations)
        return Kinks(samples, torch.zeros_like(samples), units, preactivations.reshape(-1), jumps[units])

    def _kink_gradients(self, kinks: Kinks, X: Tensor) -> Tensor:
        gradients = torch.zeros(len(kinks), self.units, self.dimension, dtype=X.dtype, device=X.device)
        gradients[torch.arange(len(kinks), device=X.device), kinks.units] = X[kinks.samples]
        return gradients.reshape(len(kinks), -1)

    def fan_in(self) -> np.ndarray:
        return np.full(self.num_parameters, float(self.dimension))

    def to_module(self, theta: Array) -> nn.Module:
        tensor = parameters_to_tensor("theta", theta, self.num_parameters, batched=False)
        return _SimplifiedReLUModule(self._weights(tensor).clone(), self._signs(tensor), self.slope)

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        if set(state) != {"weight"}:
            raise InputError("state", sorted(state), "a state dictionary with the one key 'weight'")
        weight = to_tensor("state['weight']", state["weight"]).cpu()
        if tuple(weight.shape) != (self.units, self.dimension):
            raise InputError("state['weight']", weight, f"of shape ({self.units}, {self.dimension})")
        return weight.reshape(-1).numpy().copy()

    def __repr__(self) -> str:
        signs = "" if (self.output_signs > 0).all() else f", output_signs={self.output_signs.astype(int).tolist()}"
        slope = f", slope={self.slope}" if self.slope else ""
        return f"SimplifiedReLU({self.units}, dimension={self.dimension}{signs}{slope})"

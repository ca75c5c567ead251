"""Feedforward networks of bias-free layers with one activation: the shared engine of dense and convolutional ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor
from margin_projection._validation import InputError, check_array
from margin_projection.networks.activations import Activation
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.layered_linearization import LayeredLinearization, Pass
from margin_projection.networks.layers import Layer


class LayeredNetwork(Model):
    """f(x; theta) = W_L phi(W_{L-1} ... phi(W_1 x)), biases none, theta the weights flattened layer by layer.

    The degree is r_1 = 1, r_{l+1} = k r_l + 1 for an activation of degree k: r = L for ReLU-like ones (6).
    """

    def __init__(self, layers: Sequence[Layer], phi: Activation, input_shape: tuple[int, ...]) -> None:
        self.layers, self.activation, self.input_shape = tuple(layers), phi, input_shape
        self.sizes = [layer.outputs * layer.inputs for layer in self.layers]
        self.num_parameters = sum(self.sizes)
        degree = 1
        for _ in self.layers[1:]:
            degree = phi.power * degree + 1
        self.degree = degree
        self.smooth = len(self.layers) == 1 or phi.twice_differentiable
        self.structure = self._find_structure()

    def _find_structure(self) -> Structure:
        if len(self.layers) == 1:
            return Structure.LINEAR
        linear = self.activation.power == 1 and self.activation.left == 1.0
        return Structure.QUADRATIC if linear and len(self.layers) == 2 else Structure.GENERAL

    def weights(self, theta: Tensor) -> list[Tensor]:
        """Views of theta (..., p) as the weight matrices (..., outputs, inputs)."""
        pairs = zip(theta.split(self.sizes, -1), self.layers, strict=True)
        return [part.unflatten(-1, (layer.outputs, layer.inputs)) for part, layer in pairs]

    def features(self, X: Tensor) -> Tensor:
        """Samples as (n, positions, channels), the layout layers work on."""
        return X.unsqueeze(-2)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        h = self.features(X)
        for index, (layer, weight) in enumerate(zip(self.layers, self.weights(theta), strict=True)):
            if index:
                h = self.activation.value(h)
            matrix = weight.transpose(-1, -2)
            h = layer.patches(h) @ (matrix if theta.ndim == 1 else matrix.unsqueeze(-3))
        return h[..., 0, 0]

    def linearize(self, theta: Tensor, X: Tensor) -> LayeredLinearization:
        return LayeredLinearization(Pass(self.layers, self.activation, self.weights(theta), self.features(X)))

    def coefficients(self, X: Tensor) -> Tensor:
        if self.structure is Structure.LINEAR:
            return self.layers[0].patches(self.features(X)).sum(-2)
        if self.structure is Structure.QUADRATIC:
            return self._bilinear_forms(X)
        return super().coefficients(X)

    def _bilinear_forms(self, X: Tensor) -> Tensor:
        """A_i with f = theta^T A_i theta, read off the (linear in theta) gradient: 2 A_i e_j = grad f(x_i; e_j)."""
        basis = torch.eye(self.num_parameters, dtype=X.dtype, device=X.device)
        columns = torch.stack([self.linearize(each, X).jacobian() for each in basis], -1)
        return columns / 2.0

    def fan_in(self) -> np.ndarray:
        return np.repeat([float(layer.inputs) for layer in self.layers], self.sizes)

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        reference = self.to_module(np.zeros(self.num_parameters)).state_dict()
        expected = {name: tuple(value.shape) for name, value in reference.items()}
        if set(state) != set(expected):
            raise InputError("state", sorted(state), f"a state dictionary with the keys {sorted(expected)}")
        for name, shape in expected.items():
            if tuple(state[name].shape) != shape:
                raise InputError(f"state[{name!r}]", state[name], f"of shape {shape}")
        return np.concatenate([check_array(name, state[name].detach().cpu().numpy()).ravel() for name in expected])

    def _fill(self, module: torch.nn.Module, theta: Array) -> None:
        """Write theta into the parameters of ``module``, which lists the layers in order."""
        parts = parameters_to_tensor("theta", theta, self.num_parameters, batched=False).split(self.sizes)
        with torch.no_grad():
            for parameter, part in zip(module.parameters(), parts, strict=True):
                parameter.copy_(part.reshape(parameter.shape))

    def output_change_bound(self, theta: Tensor, X: Tensor) -> Callable[[float], Tensor]:
        """A function b of the radius with |f(x_i; theta + d) - f(x_i; theta)| <= b(radius)_i for all ||d|| <= radius.

        With h the features at theta, e their change, rho_l the norm of layer l's share of d and K = sqrt(overlap):
        ||z' - z|| <= K (||W_l||_2 + rho_l) ||e|| + rho_l ||patches(h)||, and, for the activation of degree k,
        ||phi(z') - phi(z)|| <= k max(1, |left|) max(||z||, ||z'||)^{k-1} ||z' - z||. The split of the radius between
        the first layer and the others is maximized over cells, each bounded by its corner.
        """
        forward = Pass(self.layers, self.activation, self.weights(theta), self.features(X))
        operators = [_spectral_norm(weight) for weight in forward.weights]
        sizes = [inputs.flatten(1).norm(dim=1) for inputs in forward.inputs]
        responses = [z.flatten(1).norm(dim=1) for z in forward.preactivations]

        def bound(radius: float) -> Tensor:
            corners = torch.linspace(0.0, 1.0, 17 if len(self.layers) > 1 else 2, dtype=X.dtype, device=X.device)
            first, others = radius * corners[1:].sqrt(), radius * (1.0 - corners[:-1]).sqrt()
            return self._change(first[:, None], others[:, None], operators, sizes, responses).amax(0)

        return bound

    def _change(
        self, first: Tensor, others: Tensor, operators: list[float], sizes: list[Tensor], responses: list[Tensor]
    ) -> Tensor:
        """(cells, n) the bound for fixed radii (cells, 1) of the first layer and of each other one."""
        phi, change = self.activation, torch.zeros_like(sizes[0])
        for index, layer in enumerate(self.layers):
            radius = others if index else first
            change = math.sqrt(layer.overlap) * (operators[index] + radius) * change + radius * sizes[index]
            if index < len(self.layers) - 1:
                largest = responses[index] + change
                change = phi.power * max(1.0, abs(phi.left)) * largest ** (phi.power - 1) * change
        return change


def _spectral_norm(weight: Tensor) -> float:
    """An upper bound on ||W||_2, tight up to rounding, from the smaller of W W^T and W^T W."""
    gram = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
    return math.sqrt(max(0.0, float(torch.linalg.eigvalsh(gram)[-1]))) * (1.0 + 1e-9)

"""Bias-free fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from margin_projection._arrays import Array
from margin_projection._validation import InputError, check_integer
from margin_projection.networks import activations
from margin_projection.networks.activations import Activation
from margin_projection.networks.homogeneity import verify_model
from margin_projection.networks.layered import LayeredNetwork
from margin_projection.networks.layers import DenseLayer


class FullyConnected(LayeredNetwork):
    """f(x; theta) = W_L phi(... phi(W_1 x)) with scalar output and no biases (Schliserman et al. 2026, Section 1, (6)).

    Args:
        widths: (d, h_1, ..., h_{L-1}, 1): input dimension, hidden widths, and the output, which must be 1.
        activation: "relu", "leaky_relu", "squared_relu", "identity" (deep linear), "relu^k" or "power^k" (z^k).
        slope: negative slope of leaky_relu (default 0.01).

    The degree is L for degree-one activations, and 1 + k + ... + k^{L-1} for activations of degree k.

    Raises:
        InputError: fewer than two widths, a width below 1, an output width other than 1, an unknown activation.

    >>> network = FullyConnected((2, 3, 1), "squared_relu")
    >>> network.degree, network.num_parameters
    (3, 9)
    """

    def __init__(self, widths: Sequence[int], activation: str | Activation = "relu", slope: float = 0.01) -> None:
        phi = activations.activation(activation, slope)
        if not isinstance(widths, Sequence) or isinstance(widths, str) or len(widths) < 2:
            raise InputError("widths", widths, "a sequence (d, ..., 1) of at least two widths")
        self.widths = tuple(check_integer(f"widths[{index}]", width, 1) for index, width in enumerate(widths))
        if self.widths[-1] != 1:
            raise InputError("widths[-1]", self.widths[-1], "1 (a scalar output)")
        layers = [DenseLayer(inputs, outputs) for inputs, outputs in pairwise(self.widths)]
        super().__init__(layers, phi, (self.widths[0],))
        verify_model(self)

    def to_module(self, theta: Array) -> nn.Module:
        parts: list[nn.Module] = []
        for index, layer in enumerate(self.layers):
            if index:
                parts.append(self.activation.module())
            parts.append(layer.module())
        module = nn.Sequential(*parts, nn.Flatten(0))
        self._fill(module, theta)
        return module

    def __repr__(self) -> str:
        return f"FullyConnected({self.widths}, {self.activation.name!r})"


"""Positively homogeneous activations phi(c z) = c^k phi(z), c > 0, with their first two derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from margin_projection._validation import InputError, check_choice, check_integer, check_real


@dataclass(frozen=True)
class Activation:
    """phi(z) = z^k for z > 0, and left * z^k (left * |z|^k where ``rectified``) for z <= 0.

    Attributes:
        name: how it is written.
        power: the degree k >= 1.
        left: factor on the negative side: 0 for powers of ReLU, the slope for leaky ReLU, 1 for z^k itself.
    """

    name: str
    power: int
    left: float

    @property
    def has_kink(self) -> bool:
        """Whether the slope jumps at 0, by ``1 - left``."""
        return self.power == 1 and self.left != 1.0

    @property
    def twice_differentiable(self) -> bool:
        """Whether phi is twice continuously differentiable (ReLU^2 is not: its second derivative jumps at 0)."""
        return self.left == 1.0 or self.power >= 3

    def value(self, z: Tensor) -> Tensor:
        """phi(z)."""
        return self._piecewise(z, z if self.power == 1 else z**self.power)

    def derivative(self, z: Tensor) -> Tensor:
        """phi'(z); the left one at a kink."""
        raw = torch.ones_like(z) if self.power == 1 else self.power * z ** (self.power - 1)
        return self._piecewise(z, raw)

    def second_derivative(self, z: Tensor) -> Tensor | None:
        """phi''(z), the left one at a jump; None where it is zero everywhere."""
        if self.power == 1:
            return None
        raw = torch.full_like(z, 2.0) if self.power == 2 else self.power * (self.power - 1) * z ** (self.power - 2)
        return self._piecewise(z, raw)

    def _piecewise(self, z: Tensor, right: Tensor) -> Tensor:
        return right if self.left == 1.0 else torch.where(z > 0, right, self.left * right)

    def module(self) -> nn.Module:
        """The activation as a torch module."""
        return ActivationModule(self)


class ActivationModule(nn.Module):
    """An `Activation` as a torch module; rectifiers call torch's own functions, so that other tools recognise them."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, z: Tensor) -> Tensor:
        phi = self.activation
        if phi.left == 0.0:
            return torch.relu(z) if phi.power == 1 else torch.relu(z) ** phi.power
        return nn.functional.leaky_relu(z, phi.left) if phi.has_kink else z**phi.power


def activation(name: str | Activation, slope: float = 0.01) -> Activation:
    """The activation called ``name``.

    Args:
        name: "relu", "leaky_relu", "identity", "squared_relu", "relu^k" or "power^k" (z^k) for an integer k >= 1; an
            `Activation` passes through.
        slope: negative slope of leaky_relu, in (-inf, 1), default 0.01.

    Raises:
        InputError: the name is unknown, or k is no integer of at least 1.

    >>> activation("relu^3").power
    3
    """
    if isinstance(name, Activation):
        return name
    if not isinstance(name, str):
        raise InputError("activation", name, "a name or an Activation")
    base, caret, exponent = name.partition("^")
    if caret:
        check_choice("activation", base, ("relu", "power"))
        if not exponent.isdigit():
            raise InputError("activation", name, "'relu^k' or 'power^k' with an integer k of at least 1")
        power = check_integer("k in activation", int(exponent), 1)
        return Activation(name, power, 0.0 if base == "relu" else 1.0)
    check_choice("activation", name, ("relu", "leaky_relu", "squared_relu", "identity"))
    if name == "leaky_relu":
        return Activation(name, 1, check_real("slope", slope, maximum=1.0 - 1e-12))
    return Activation(name, 2 if name == "squared_relu" else 1, 1.0 if name == "identity" else 0.0)

"""Multilayer perceptrons whose hidden units can be looked at, measured and replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from margin_projection._validation import InputError, check_integer


@dataclass(frozen=True)
class HiddenLayer:
    """One hidden layer: unit j has row j of ``incoming.weight`` and column j of ``outgoing.weight``."""

    incoming: nn.Linear
    outgoing: nn.Linear


class MultilayerPerceptron(nn.Module):
    """ReLU network with biases; Kaiming uniform weights, zero biases (as in Prakash et al. 2026, section 3).

    Args:
        sizes: input, hidden and output widths, at least two numbers.
        seed: of the initialization, a nonnegative integer.
        layer_norm: whether every pre-activation is layer-normalized, without affine parameters (default False).
        dtype: of the parameters (default float64).

    Raises:
        InputError: a width is below 1.
    """

    def __init__(
        self, sizes: Sequence[int], seed: int, *, layer_norm: bool = False, dtype: torch.dtype = torch.float64
    ) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise InputError("sizes", sizes, "at least an input and an output width")
        self.sizes = tuple(check_integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes))
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        self.stack = nn.ModuleList([nn.Linear(fan_in, fan_out, dtype=dtype) for fan_in, fan_out in pairs])
        self.layer_norm = layer_norm
        self.reset(torch.Generator().manual_seed(check_integer("seed", seed, 0)))

    @property
    def linears(self) -> list[nn.Linear]:
        """All linear layers, from the input on."""
        return list(self.stack)  # type: ignore[arg-type]

    def reset(self, generator: torch.Generator) -> None:
        """Draw all weights anew."""
        with torch.no_grad():
            for linear in self.linears:
                linear.weight.copy_(fresh_weights(linear, generator))
                linear.bias.zero_()

    def forward(self, X: Tensor) -> Tensor:
        """Outputs (n, sizes[-1])."""
        return self.with_features(X)[0]

    def with_features(self, X: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Outputs, and the post-activation features (n, width) of every hidden layer."""
        features = []
        hidden = X.flatten(1)
        for linear in self.linears[:-1]:
            hidden = linear(hidden)
            if self.layer_norm:
                hidden = torch.nn.functional.layer_norm(hidden, hidden.shape[1:])
            hidden = torch.relu(hidden)
            features.append(hidden)
        return self.linears[-1](hidden), features

    def hidden_layers(self) -> Iterator[HiddenLayer]:
        """The hidden layers, from the input on."""
        for incoming, outgoing in zip(self.linears[:-1], self.linears[1:], strict=True):
            yield HiddenLayer(incoming, outgoing)


def fresh_weights(linear: nn.Linear, generator: torch.Generator) -> Tensor:
    """Kaiming uniform weights for ReLU: uniform in +-sqrt(6 / fan_in)."""
    bound = (6.0 / linear.in_features) ** 0.5
    drawn = torch.rand(linear.weight.shape, generator=generator, dtype=torch.float64) * 2.0 - 1.0
    return (bound * drawn).to(dtype=linear.weight.dtype, device=linear.weight.device)

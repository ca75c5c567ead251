"""Bias-free weight layers seen as matrix products over patches: z[n, t] = W a[n, t] at every position t."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DenseLayer:
    """A fully connected layer: one position, whose patch is the whole flattened input.

    Attributes:
        inputs, outputs: the weight matrix is (outputs, inputs).
        positions: 1.
        input_positions, input_channels: the layout of what comes in; ``inputs`` is their product.
    """

    inputs: int
    outputs: int
    input_positions: int = 1

    @property
    def positions(self) -> int:
        return 1

    @property
    def overlap(self) -> float:
        """How many patches an input entry is part of, at most: bounds the operator norm by sqrt(overlap) ||W||."""
        return 1.0

    def patches(self, h: Tensor) -> Tensor:
        """(..., positions_in, channels_in) -> (..., 1, inputs)."""
        return h.flatten(-2).unsqueeze(-2)

    def fold(self, gradient: Tensor) -> Tensor:
        """The adjoint of `patches`."""
        shape = (self.input_positions, self.inputs // self.input_positions)
        return gradient.squeeze(-2).unflatten(-1, shape)

    def module(self) -> nn.Module:
        """The layer as a torch module on (n, positions_in, channels_in)."""
        return nn.Linear(self.inputs, self.outputs, bias=False, dtype=torch.float64)


@dataclass(frozen=True)
class ConvolutionLayer:
    """A two-dimensional convolution without bias on channels-last features (..., height * width, channels).

    Attributes:
        channels, outputs: input and output channels.
        height, width: of the input.
        kernel, stride, padding: square, the usual conventions; padding is with zeros.
    """

    channels: int
    outputs: int
    height: int
    width: int
    kernel: int
    stride: int = 1
    padding: int = 0

    @property
    def inputs(self) -> int:
        return self.channels * self.kernel**2

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the output."""
        reach = 2 * self.padding - self.kernel
        return (self.height + reach) // self.stride + 1, (self.width + reach) // self.stride + 1

    @property
    def positions(self) -> int:
        high, wide = self.output_size
        return high * wide

    @property
    def overlap(self) -> float:
        return float(-(-self.kernel // self.stride)) ** 2

    def patches(self, h: Tensor) -> Tensor:
        """(..., height * width, channels) -> (..., positions, channels * kernel^2)."""
        images = h.transpose(-1, -2).reshape(-1, self.channels, self.height, self.width)
        columns = nn.functional.unfold(images, self.kernel, padding=self.padding, stride=self.stride)
        return columns.transpose(-1, -2).reshape(*h.shape[:-2], self.positions, self.inputs)

    def fold(self, gradient: Tensor) -> Tensor:
        """The adjoint of `patches`."""
        columns = gradient.transpose(-1, -2).reshape(-1, self.inputs, self.positions)
        size = (self.height, self.width)
        images = nn.functional.fold(columns, size, self.kernel, padding=self.padding, stride=self.stride)
        features = images.reshape(*gradient.shape[:-2], self.channels, self.height * self.width)
        return features.transpose(-1, -2)

    def module(self) -> nn.Module:
        """The layer as a torch module on (n, channels, height, width)."""
        return nn.Conv2d(
            self.channels, self.outputs, self.kernel, self.stride, self.padding, bias=False, dtype=torch.float64
        )


Layer = DenseLayer | ConvolutionLayer

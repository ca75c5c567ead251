"""Bias-free convolutional networks with a linear head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from margin_projection._arrays import Array
from margin_projection._validation import InputError, check_integer
from margin_projection.networks import activations
from margin_projection.networks.activations import Activation
from margin_projection.networks.homogeneity import verify_model
from margin_projection.networks.layered import LayeredNetwork
from margin_projection.networks.layers import ConvolutionLayer, DenseLayer, Layer


class Convolutional(LayeredNetwork):
    """Convolutions without biases, each followed by the activation, then a linear head on all features.

    Args:
        input_shape: (channels, height, width) of one sample.
        channels: output channels of each convolution, at least one.
        kernel, stride, padding: of every convolution (defaults 3, 1, 1); zero padding.
        activation: as in `FullyConnected`.
        slope: negative slope of leaky_relu (default 0.01).
        flat: whether samples come as vectors of length channels * height * width (default False).

    Raises:
        InputError: a size that does not fit, or an unknown activation.

    >>> Convolutional((1, 8, 8), (4, 4), stride=2).num_parameters
    196
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: Sequence[int],
        kernel: int = 3,
        stride: int = 1,
        padding: int = 1,
        activation: str | Activation = "relu",
        slope: float = 0.01,
        flat: bool = False,
    ) -> None:
        if not isinstance(input_shape, Sequence) or len(input_shape) != 3:
            raise InputError("input_shape", input_shape, "(channels, height, width)")
        self.image_shape = tuple(check_integer("input_shape", size, 1) for size in input_shape)
        if not isinstance(channels, Sequence) or not channels:
            raise InputError("channels", channels, "a nonempty sequence of channel counts")
        check_integer("stride", stride, 1)
        check_integer("padding", padding, 0)
        layers: list[Layer] = []
        before, height, width = self.image_shape
        for after in channels:
            reach = min(height, width) + 2 * padding
            check_integer("kernel", kernel, 1, reach)
            check_integer("channels", after, 1)
            layer = ConvolutionLayer(before, after, height, width, kernel, stride, padding)
            layers.append(layer)
            before, (height, width) = layer.outputs, layer.output_size
        layers.append(DenseLayer(before * height * width, 1, height * width))
        shape = (self.image_shape[0] * self.image_shape[1] * self.image_shape[2],) if flat else self.image_shape
        super().__init__(layers, activations.activation(activation, slope), shape)
        self.channels = tuple(channels)
        verify_model(self)

    def features(self, X: Tensor) -> Tensor:
        count, positions = X.shape[0], self.image_shape[1] * self.image_shape[2]
        return X.reshape(count, self.image_shape[0], positions).transpose(1, 2)

    def to_module(self, theta: Array) -> nn.Module:
        parts: list[nn.Module] = [nn.Unflatten(1, self.image_shape)] if len(self.input_shape) == 1 else []
        for layer in self.layers[:-1]:
            parts += [layer.module(), self.activation.module()]
        module = nn.Sequential(*parts, _ChannelsLast(), self.layers[-1].module(), nn.Flatten(0))
        self._fill(module, theta)
        return module

    def __repr__(self) -> str:
        return f"Convolutional({self.image_shape}, {self.channels}, {self.activation.name!r})"


class _ChannelsLast(nn.Module):
    """(n, channels, height, width) -> (n, height * width * channels), the order of the head's weights."""

    def forward(self, features: Tensor) -> Tensor:
        return features.flatten(2).transpose(1, 2).flatten(1)

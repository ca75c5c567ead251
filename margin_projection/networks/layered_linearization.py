"""Layer-by-layer derivative products: the Jacobian is a sum of outer products delta x patch, and is never formed.

For row r, layer l: dz/dW_l = sum_t D_l[r, t] (x) A_l[r, t] with A the patches that enter the layer and D the
backpropagated derivatives. Hence, for dense layers, J J^T = sum_l (A_l A_l^T) o (D_l D_l^T), o the elementwise product.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from margin_projection.networks.activations import Activation
from margin_projection.networks.kink_listing import KinkListing
from margin_projection.networks.layers import Layer
from margin_projection.networks.linearization import Kinks, Linearization


class Pass:
    """A forward pass that keeps what derivatives need: patches, preactivations and the activation's slopes."""

    def __init__(self, layers: Sequence[Layer], phi: Activation, weights: list[Tensor], features: Tensor) -> None:
        self.layers, self.activation, self.weights = layers, phi, weights
        self.inputs: list[Tensor] = []
        self.preactivations: list[Tensor] = []
        h = features
        for index, (layer, weight) in enumerate(zip(layers, weights, strict=True)):
            if index:
                h = phi.value(self.preactivations[-1])
            self.inputs.append(layer.patches(h))
            self.preactivations.append(self.inputs[-1] @ weight.T)
        self.slopes = [phi.derivative(z) for z in self.preactivations[:-1]]
        self.has_other_slopes = False

    @cached_property
    def input_products(self) -> list[Tensor | None]:
        """A A^T (n, n) of the patches that enter each layer; None for layers with several positions."""
        return [each[:, 0] @ each[:, 0].T if each.shape[1] == 1 else None for each in self.inputs]

    def with_slopes(self, index: Tensor, slopes: Tensor) -> Pass:
        """The same pass with other slopes at these positions of the listing, and the activation's own elsewhere."""
        hidden = self.preactivations[:-1]
        every = torch.cat([self.activation.derivative(z).flatten() for z in hidden])
        every[index] = slopes
        copy = self.subset(slice(None))
        parts = every.split([z.numel() for z in hidden])
        copy.slopes = [part.reshape(z.shape) for part, z in zip(parts, hidden, strict=True)]
        copy.has_other_slopes = True
        return copy

    def subset(self, samples: Tensor | slice) -> Pass:
        """The same pass restricted to ``samples``."""
        part = object.__new__(Pass)
        part.layers, part.activation, part.weights = self.layers, self.activation, self.weights
        part.inputs = [each[samples] for each in self.inputs]
        part.preactivations = [each[samples] for each in self.preactivations]
        part.slopes = [each[samples] for each in self.slopes]
        part.has_other_slopes = self.has_other_slopes
        return part

    def back(self, index: int, delta: Tensor) -> Tensor:
        """The derivative with respect to the features that enter layer ``index``, given it with respect to its z."""
        return self.layers[index].fold(delta @ self.weights[index])


class LayeredLinearization(Linearization):
    """Rows: the outputs of all samples, then (after `with_kinks`) chosen preactivations."""

    def __init__(self, forward: Pass, kinks: Kinks | None = None) -> None:
        self._pass = forward
        outputs = forward.preactivations[-1][:, 0, 0]
        self._num_outputs = outputs.numel()
        self._kinks = Kinks.none(outputs) if kinks is None else kinks
        self.values = torch.cat([outputs, self._kinks.values])
        self.num_parameters = sum(weight.numel() for weight in forward.weights)
        every = torch.arange(self._num_outputs, device=outputs.device)
        self._samples = torch.cat([every, self._kinks.samples])
        self._curvature_cache: tuple[Tensor, _Curvature] | None = None

    @property
    def _deltas(self) -> list[Tensor]:
        return self._backward[0]

    @cached_property
    def _backward(self) -> tuple[list[Tensor], list[Tensor]]:
        """D_l (m, positions, outputs) for every layer l, rows of kinks zero behind their own layer; df/dh of outputs.

        Computed when first needed: a trial point whose values are refused costs its forward pass alone.
        """
        forward, samples = self._pass, self._samples
        last = len(forward.layers) - 1
        delta = torch.zeros(samples.numel(), 1, 1, dtype=self.values.dtype, device=self.values.device)
        delta[: self._num_outputs] = 1.0
        deltas = [delta]
        feature_gradients: list[Tensor] = []
        for index in range(last - 1, -1, -1):
            features = forward.back(index + 1, delta)
            feature_gradients.insert(0, features[: self._num_outputs])
            slopes = forward.slopes[index]
            if len(self._kinks):
                slopes = slopes[samples]
            delta = (features * slopes).contiguous()
            self._seed_kinks(index, delta)
            deltas.insert(0, delta)
        return deltas, feature_gradients

    def _seed_kinks(self, index: int, delta: Tensor) -> None:
        here = torch.nonzero(self._kinks.layers == index).squeeze(1)
        if here.numel():
            delta.view(delta.shape[0], -1)[self._num_outputs + here, self._kinks.units[here]] = 1.0

    def apply(self, vector: Tensor) -> Tensor:
        total = torch.zeros_like(self.values)
        for inputs, delta, part in zip(self._pass.inputs, self._deltas, self._split(vector), strict=True):
            product = inputs @ part.T
            if len(self._kinks):
                product = product[self._samples]
            total += (product * delta).flatten(1).sum(1)
        return total

    def apply_rows(self, vector: Tensor, rows: Tensor) -> Tensor:
        samples, position = rows, slice(None)
        if len(self._kinks):
            samples, position = self._samples[rows].unique(return_inverse=True)
        total = torch.zeros(rows.numel(), dtype=self.values.dtype, device=self.values.device)
        for inputs, delta, part in zip(self._pass.inputs, self._deltas, self._split(vector), strict=True):
            total += ((inputs[samples] @ part.T)[position] * delta[rows]).flatten(1).sum(1)
        return total

    def row_gradients(self, rows: Tensor) -> Tensor:
        samples = self._samples[rows]
        layers = zip(self._deltas, self._pass.inputs, strict=True)
        return torch.cat([(delta[rows].mT @ inputs[samples]).flatten(1) for delta, inputs in layers], 1)

    def adjoint(self, weights: Tensor) -> Tensor:
        rows = torch.nonzero(weights).squeeze(1)
        weighted = [weights[rows, None, None] * delta[rows] for delta in self._deltas]
        samples = rows
        if len(self._kinks):
            samples, position = self._samples[rows].unique(return_inverse=True)
            empty = [each.new_zeros(samples.numel(), *each.shape[1:]) for each in weighted]
            weighted = [zeros.index_add_(0, position, each) for zeros, each in zip(empty, weighted, strict=True)]
        return torch.cat(
            [
                _outer(each, inputs[samples]).flatten()
                for each, inputs in zip(weighted, self._pass.inputs, strict=True)
            ]
        )

    def gram(self) -> Tensor:
        rows = self.values.numel()
        total = torch.zeros(rows, rows, dtype=self.values.dtype, device=self.values.device)
        for inputs, products, delta in zip(self._pass.inputs, self._pass.input_products, self._deltas, strict=True):
            if products is not None:
                squares = products
                if len(self._kinks):
                    squares = products[self._samples[:, None], self._samples]
                total += squares * (delta[:, 0] @ delta[:, 0].T)
            else:
                total += self._positional_gram(inputs, delta)
        return total

    def _positional_gram(self, inputs: Tensor, delta: Tensor, budget: int = 4_000_000) -> Tensor:
        """The Gram matrix of one layer with several positions, through row gradients in blocks of output channels."""
        gathered = inputs[self._samples] if len(self._kinks) else inputs
        rows, channels = delta.shape[0], delta.shape[2]
        block = max(1, budget // (rows * inputs.shape[2]))
        total = torch.zeros(rows, rows, dtype=delta.dtype, device=delta.device)
        for first in range(0, channels, block):
            gradients = (delta[:, :, first : first + block].transpose(1, 2) @ gathered).flatten(1)
            total += gradients @ gradients.T
        return total

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        cached = self._curvature_cache
        if cached is None or not torch.equal(cached[0], weights):
            cached = (weights.clone(), _Curvature(self._pass, self._kinks, weights))
            self._curvature_cache = cached
        return cached[1].product(self._split(vector))

    def _split(self, vector: Tensor) -> list[Tensor]:
        parts = vector.split([weight.numel() for weight in self._pass.weights])
        return [part.reshape(weight.shape) for part, weight in zip(parts, self._pass.weights, strict=True)]

    @property
    def _has_kinks(self) -> bool:
        return self._pass.activation.has_kink and len(self._pass.slopes) > 0

    def kinks(self) -> Kinks:
        if not self._has_kinks:
            return Kinks.none(self.values)
        hidden = self._pass.preactivations[:-1]
        listing = KinkListing(self._num_outputs, [z[0].numel() for z in hidden], self.values.device)
        slopes = torch.cat([each.flatten() for each in self._backward[1]])
        return Kinks(*listing.everything(), self.preactivations(), (1.0 - self._pass.activation.left) * slopes)

    def preactivations(self) -> Tensor:
        if not self._has_kinks:
            return self.values.new_zeros(0)
        return torch.cat([z.flatten() for z in self._pass.preactivations[:-1]])

    def with_fractions(self, index: Tensor, fractions: Tensor) -> LayeredLinearization:
        if not self._has_kinks or not (index.numel() or self._pass.has_other_slopes):
            return self
        left = self._pass.activation.left
        return LayeredLinearization(self._pass.with_slopes(index, left + (1.0 - left) * fractions), self._kinks)

    def breaks(self) -> tuple[Tensor, Tensor]:
        hidden = [] if self._pass.activation.twice_differentiable else self._pass.preactivations[:-1]
        listing = KinkListing(self._num_outputs, [z[0].numel() for z in hidden], self.values.device)
        values = torch.cat([self.values.new_zeros(0), *(z.flatten() for z in hidden)])
        return values, listing.everything()[0]

    def kink_changes(self, vector: Tensor) -> Tensor:
        forward = self._pass
        if not self._has_kinks:
            return self.values.new_zeros(0)
        directions = self._split(vector)
        change = forward.inputs[0] @ directions[0].T
        changes = [change.flatten()]
        for index in range(1, len(forward.slopes)):
            entering = forward.layers[index].patches(forward.slopes[index - 1] * change)
            change = entering @ forward.weights[index].T + forward.inputs[index] @ directions[index].T
            changes.append(change.flatten())
        return torch.cat(changes)

    def with_kinks(self, kinks: Kinks) -> LayeredLinearization:
        return LayeredLinearization(self._pass, self._kinks.followed_by(kinks)) if len(kinks) else self


class _Curvature:
    """Products with sum_r weights[r] Hessian_r, by differentiating one backward pass (Pearlmutter 1994).

    Only samples that carry weight are kept; what does not depend on the vector is computed once.
    """

    def __init__(self, forward: Pass, kinks: Kinks, weights: Tensor) -> None:
        outputs = forward.preactivations[-1].shape[0]
        carried = torch.zeros(outputs, dtype=torch.bool, device=weights.device)
        carried[weights[:outputs] != 0] = True
        carried[kinks.samples[weights[outputs:] != 0]] = True
        samples = torch.nonzero(carried).squeeze(1)
        self.forward = forward.subset(samples)
        position = torch.cumsum(carried, 0) - 1
        self.second = [forward.activation.second_derivative(z) for z in self.forward.preactivations[:-1]]
        cotangent = weights[:outputs][samples][:, None, None]
        self.cotangents = [cotangent]
        self.features: list[Tensor] = []
        for index in range(len(forward.layers) - 2, -1, -1):
            features = self.forward.back(index + 1, cotangent)
            self.features.insert(0, features)
            cotangent = features * self.forward.slopes[index]
            here = (kinks.layers == index) & (weights[outputs:] != 0)
            if here.any():
                flat = cotangent.reshape(cotangent.shape[0], -1)
                at = position[kinks.samples[here]], kinks.units[here]
                flat.index_put_(at, weights[outputs:][here], accumulate=True)
                cotangent = flat.reshape(cotangent.shape)
            self.cotangents.insert(0, cotangent)

    def product(self, directions: list[Tensor]) -> Tensor:
        forward, last = self.forward, len(directions) - 1
        input_changes: list[Tensor | None] = [None]
        changes = [forward.inputs[0] @ directions[0].T]
        for index in range(1, last + 1):
            entering = forward.layers[index].patches(forward.slopes[index - 1] * changes[-1])
            input_changes.append(entering)
            changes.append(entering @ forward.weights[index].T + forward.inputs[index] @ directions[index].T)
        change = torch.zeros_like(self.cotangents[last])
        parts: list[Tensor] = []
        for index in range(last, -1, -1):
            gradient = _outer(change, forward.inputs[index])
            entering_change = input_changes[index]
            if entering_change is not None:
                gradient = gradient + _outer(self.cotangents[index], entering_change)
            parts.insert(0, gradient.flatten())
            if index:
                change = self._step_back(index, change, changes[index - 1], directions[index])
        return torch.cat(parts)

    def _step_back(self, index: int, change: Tensor, z_change: Tensor, direction: Tensor) -> Tensor:
        forward = self.forward
        arriving = change @ forward.weights[index] + self.cotangents[index] @ direction
        step = forward.slopes[index - 1] * forward.layers[index].fold(arriving)
        second = self.second[index - 1]
        return step if second is None else step + second * z_change * self.features[index - 1]


def _outer(delta: Tensor, inputs: Tensor) -> Tensor:
    """sum over samples and positions of delta (x) inputs: (outputs, inputs)."""
    return delta.flatten(0, 1).T @ inputs.flatten(0, 1)

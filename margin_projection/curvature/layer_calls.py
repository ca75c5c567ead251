"""What a forward and a backward pass leave at each layer: enough for Gram matrices of output gradients.

The gradient of output c of sample i by the weight of a linear layer is sum_t b_{c i t} a_{i t}^T, with a its inputs, b
the derivatives by its outputs, t its positions (one for a plain layer, one a pixel for a convolution). Gram matrices
follow from products of the a and of the b alone, or from the layer's own gradient where there are several positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from margin_projection._validation import InputError


@dataclass(frozen=True)
class _Factors:
    """Inputs (n, T, d_in) and output derivatives (n, C, T, d_out) of all calls of one layer."""

    inputs: Tensor
    derivatives: Tensor
    has_weight: bool
    has_bias: bool

    def gram(self) -> Tensor:
        """(n C, n C), the layer's share."""
        samples, outputs, positions, width = self.derivatives.shape
        rows = self.derivatives.reshape(samples * outputs, positions, width)
        total = torch.zeros(samples * outputs, samples * outputs, dtype=rows.dtype, device=rows.device)
        if self.has_weight and positions == 1:
            products = (self.inputs[:, 0] @ self.inputs[:, 0].T).repeat_interleave(outputs, 0)
            total += (rows[:, 0] @ rows[:, 0].T) * products.repeat_interleave(outputs, 1)
        elif self.has_weight:
            gradients = torch.einsum("icto,itd->icod", self.derivatives, self.inputs).reshape(samples * outputs, -1)
            total += gradients @ gradients.T
        if self.has_bias:
            sums = rows.sum(1)
            total += sums @ sums.T
        return total


@dataclass(frozen=True)
class LayerCalls:
    """One pass over all samples: outputs (n, C), factors of linear and convolutional layers, the rest explicitly."""

    outputs: Tensor
    factors: tuple[_Factors, ...]
    rest: Tensor  # (n C, parameters of no such layer)

    @classmethod
    def of(cls, module: nn.Module, parameters: Sequence[nn.Parameter], X: Tensor) -> LayerCalls:
        """Run the module, which must treat samples one by one (evaluation mode), and differentiate every output.

        Raises:
            InputError: outputs are not of shape (n,) or (n, C).
        """
        wanted = {id(parameter) for parameter in parameters}
        calls: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
        layers = [each for each in module.modules() if _is_factored(each) and _owned(each) & wanted]
        hooks = [each.register_forward_hook(_keep(calls)) for each in layers]
        try:
            outputs = module(X)
        finally:
            for hook in hooks:
                hook.remove()
        if outputs.ndim not in (1, 2) or len(outputs) != len(X):
            raise InputError("module", outputs, f"a module with outputs of shape ({len(X)},) or ({len(X)}, C)")
        outputs = outputs.reshape(len(X), -1)
        derivatives = _derivatives(outputs, [output for pairs in calls.values() for _, output in pairs])
        factors = tuple(_factors(layer, calls[layer], derivatives, wanted) for layer in layers if layer in calls)
        covered = set().union(*(_owned(layer) for layer in layers)) if layers else set()
        rest = [name for name, p in module.named_parameters() if id(p) in wanted - covered]
        return cls(outputs, factors, _explicit(module, rest, X, outputs.shape[1]))

    def gram(self) -> Tensor:
        """(n C, n C) J J^T by all parameters."""
        total = self.rest @ self.rest.T
        for each in self.factors:
            total = total + each.gram()
        return total


def _is_factored(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear)


def _owned(layer: nn.Module) -> set[int]:
    return {id(parameter) for parameter in layer.parameters(recurse=False)}


def _keep(calls: dict[nn.Module, list[tuple[Tensor, Tensor]]]) -> Any:
    def hook(layer: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        calls.setdefault(layer, []).append((arguments[0].detach(), output))

    return hook


def _derivatives(outputs: Tensor, kept: list[Tensor]) -> dict[int, Tensor]:
    """id of a layer's output -> (n, C, *its shape): derivatives of each sample's outputs."""
    if not kept:
        return {}
    columns = [torch.autograd.grad(outputs[:, c].sum(), kept, retain_graph=True) for c in range(outputs.shape[1])]
    return {id(tensor): torch.stack(parts, 1) for tensor, *parts in zip(kept, *columns, strict=True)}


def _factors(
    layer: nn.Module, pairs: list[tuple[Tensor, Tensor]], derivatives: dict[int, Tensor], wanted: set[int]
) -> _Factors:
    split = [_positions(layer, inputs, derivatives[id(output)]) for inputs, output in pairs]
    inputs, rows = (torch.cat(parts, dim) for parts, dim in zip(zip(*split, strict=True), (1, 2), strict=True))
    bias = getattr(layer, "bias", None)
    return _Factors(inputs, rows, id(layer.weight) in wanted, bias is not None and id(bias) in wanted)


def _positions(layer: nn.Module, inputs: Tensor, derivatives: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (n, T, d_in) and derivatives (n, C, T, d_out) of one call."""
    samples, outputs = derivatives.shape[:2]
    if isinstance(layer, nn.Conv2d):
        geometry: Any = (layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        return F.unfold(inputs, *geometry).transpose(1, 2), derivatives.flatten(3).transpose(2, 3)
    rows = derivatives.reshape(samples, outputs, -1, derivatives.shape[-1])
    return inputs.reshape(samples, -1, inputs.shape[-1]), rows


def _explicit(module: nn.Module, names: list[str], X: Tensor, width: int) -> Tensor:
    """(n C, q) derivatives by the parameters of these names."""
    if not names:
        return X.new_zeros(len(X) * width, 0)
    everything = {name: parameter.detach() for name, parameter in module.named_parameters()}
    chosen = {name: everything[name] for name in names}

    def one(part: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(module, {**everything, **part}, (x[None],)).reshape(width)

    found = vmap(jacrev(one), in_dims=(None, 0))(chosen, X)
    return torch.cat([each.reshape(len(X) * width, -1) for each in found.values()], 1)

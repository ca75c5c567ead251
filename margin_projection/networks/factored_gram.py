"""Gram matrices of per-sample gradients without the gradients, where parameters are weights of linear layers.

The gradient of a row by the weight of a linear layer is sum_t d_t a_t^T, with a_t the layer's inputs and d_t the
derivatives by its outputs at position t. So the inner product of two such gradients is sum_{t, t'} <a_t, a'_t'>
<d_t, d'_t'>, and only the vectors a_t, d_t are needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad, vmap
from torch.overrides import TorchFunctionMode

from margin_projection.networks.rectifiers import RectifierMode

if TYPE_CHECKING:
    from margin_projection.networks.module import ModuleModel


class LinearCallsMode(TorchFunctionMode):
    """Cuts the weights of linear calls from the graph and keeps each call's weight name, inputs and outputs.

    Args:
        names: maps ``id`` of a weight tensor to its parameter's name; calls with other weights are left alone.
        probes: per call, a flat tensor added to its output, or None.
    """

    def __init__(self, names: dict[int, str], probes: list[Tensor] | None = None) -> None:
        super().__init__()
        self._names, self._probes = names, probes
        self.weights: list[str] = []
        self.inputs: list[Tensor] = []
        self.sizes: list[int] = []

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = self._names.get(id(args[1])) if func is F.linear and len(args) > 1 else None
        if name is None:
            return func(*args, **kwargs)
        output = func(args[0], args[1].detach(), *args[2:], **kwargs)
        if self._probes is not None:
            output = output + self._probes[len(self.weights)].reshape(output.shape)
        self.weights.append(name)
        self.inputs.append(args[0].reshape(-1, args[0].shape[-1]))
        self.sizes.append(output.numel())
        return output


class FactoredGram:
    """Gram matrices of the rows of a traced model, weights of linear layers in factors and the rest explicitly.

    Args:
        model: a vectorized `ModuleModel`.

    Attributes:
        num_explicit: how many parameters are not weights of linear layers alone.
        num_positions: the largest number of positions t of one weight in one sample.
    """

    def __init__(self, model: ModuleModel) -> None:
        self._model = model
        theta = torch.from_numpy(model.initialize(0))
        parameters = {name: value.clone().requires_grad_() for name, value in model.unflatten(theta).items()}
        mode = LinearCallsMode({id(value): name for name, value in parameters.items()})
        rectifiers = RectifierMode(model.rectifiers.active)
        with torch.enable_grad(), rectifiers, mode:
            output = model.call(parameters, torch.ones((1, *model.input_shape), dtype=torch.float64)).sum()
        for preactivation in rectifiers.preactivations:
            output = output + preactivation.sum()
        kept = _reached(output, parameters)
        self._factored = set(mode.weights) - kept
        positions = dict.fromkeys(self._factored, 0)
        for name, inputs in zip(mode.weights, mode.inputs, strict=True):
            if name in positions:
                positions[name] += inputs.shape[0]
        calls = zip(mode.weights, mode.sizes, strict=True)
        self._sizes = [size for name, size in calls if name in self._factored]
        self._weights = [name for name in mode.weights if name in self._factored]
        self.num_explicit = sum(parameters[name].numel() for name in parameters if name not in self._factored)
        self.num_positions = max(positions.values(), default=0)

    def factors(
        self, theta: Tensor, X: Tensor, entries: Tensor, changes: list[Tensor] | None = None
    ) -> dict[str, tuple[Tensor, ...]]:
        """Per weight (a (n, T, inputs), d (n, T, outputs)); the gradients (n, q) by all other parameters as ``""``.

        Rows and arguments are those of `ModuleModel.sample_gradients`.
        """
        values = self._model.unflatten(theta)
        rest = {name: value for name, value in values.items() if name not in self._factored}
        probes = [theta.new_zeros(size) for size in self._sizes]
        dimensions = (None, None, None, 0, 0, None if changes is None else 0)
        fixed = {name: value for name, value in values.items() if name in self._factored}
        (explicit, slopes), inputs = vmap(grad(self._row, argnums=(0, 1), has_aux=True), in_dims=dimensions)(
            rest, probes, fixed, X, entries, changes
        )
        factors: dict[str, tuple[Tensor, ...]] = {}
        for name in sorted(self._factored):
            calls = [i for i, weight in enumerate(self._weights) if weight == name]
            left = torch.cat([inputs[i] for i in calls], dim=1)
            right = torch.cat([slopes[i].reshape(*inputs[i].shape[:2], -1) for i in calls], dim=1)
            factors[name] = left.detach(), right.detach()
        flat = [value.detach().reshape(X.shape[0], -1) for value in explicit.values()]
        factors[""] = (torch.cat([*flat, theta.new_zeros((X.shape[0], 0))], dim=1),)
        return factors

    def _row(
        self,
        rest: dict[str, Tensor],
        probes: list[Tensor],
        fixed: dict[str, Tensor],
        x: Tensor,
        entry: Tensor,
        changes: list[Tensor] | None,
    ) -> tuple[Tensor, list[Tensor]]:
        calls = LinearCallsMode({id(value): name for name, value in fixed.items()}, probes)
        rectifiers = RectifierMode(self._model.rectifiers.active, None, changes)
        with rectifiers, calls:
            output = self._model.call(rest | fixed, x[None]).reshape(())
        return entry_of(output, rectifiers.preactivations, entry), calls.inputs


def entry_of(output: Tensor, preactivations: list[Tensor], entry: Tensor) -> Tensor:
    """Of one sample: the output for entry 0, the preactivation of number ``entry``, layer by layer, from 1 on."""
    every = torch.cat([output.reshape(1), *preactivations])
    return every.index_select(0, entry.reshape(1)).reshape(())


def _reached(output: Tensor, parameters: dict[str, Tensor]) -> set[str]:
    """The names of the parameters from which the graph leads to ``output``."""
    if not output.requires_grad:
        return set()
    slopes = torch.autograd.grad(output, list(parameters.values()), allow_unused=True)
    return {name for name, slope in zip(parameters, slopes, strict=True) if slope is not None}


def gram_of_factors(factors: dict[str, tuple[Tensor, ...]]) -> Tensor:
    """The Gram matrix of the rows of `FactoredGram.factors`."""
    total: Tensor | None = None
    for parts in factors.values():
        count = parts[0].shape[0]
        product = torch.ones((), dtype=parts[0].dtype, device=parts[0].device)
        for part in parts:
            flat = part.reshape(math.prod(part.shape[:-1]), part.shape[-1])
            product = product * (flat @ flat.T)
        gram = product.reshape(count, product.shape[0] // count, count, -1).sum((1, 3))
        total = gram if total is None else total + gram
    assert total is not None
    return total

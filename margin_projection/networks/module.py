"""Any user's scalar-output ``torch.nn.Module`` as a model: the degree is found, and what prevents one is named."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from margin_projection._arrays import Array, parameters_to_tensor, to_tensor
from margin_projection._validation import InputError, check_numbers
from margin_projection.networks.base import Model
from margin_projection.networks.factored_gram import FactoredGram, entry_of
from margin_projection.networks.homogeneity import HomogeneityError, find_degree
from margin_projection.networks.linearization import Linearization
from margin_projection.networks.module_checks import check_derivatives, vectorizes
from margin_projection.networks.module_function import ModuleFunction
from margin_projection.networks.module_linearization import ModuleLinearization
from margin_projection.networks.module_pass import ModulePass, gradient
from margin_projection.networks.offender import describe_offender
from margin_projection.networks.rectifiers import RectifierMode, SmoothnessMode


@dataclass(frozen=True)
class Rectifiers:
    """The rectifier calls of one forward pass that depend on the parameters, in execution order.

    Attributes:
        active: for every rectifier call, whether it depends on the parameters; the others are no layers.
        units: per layer, the number of preactivations of one sample.
        slopes: per layer, the slopes (left, right) of zero.
    """

    active: tuple[bool, ...]
    units: tuple[int, ...]
    slopes: tuple[tuple[float, float], ...]

    def __len__(self) -> int:
        return len(self.units)


class ModuleModel(ModuleFunction, Model):
    """A module as a function of its trainable parameters; build one with `from_module`.

    Attributes:
        parameter_names: the names of the parameters, in the order in which theta holds them flat.
        rectifiers: the kinks that `linearize` can list.
        nonsmooth_operations: elementary operations met in a forward pass that are not known to be twice continuously
            differentiable, rectifiers left out. Their kinks, for instance of a max pooling, are not listed.
        smooth: whether neither a rectifier nor a nonsmooth operation was met. This observes the calls made; it cannot
            see a data-dependent branch not taken.
        vectorized: whether the module runs under ``torch.vmap``; loops replace it otherwise.
    """

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...] | None = None, X: Any = None) -> None:
        super().__init__(module, input_shape, X)
        examples, theta = self.examples(X), self.example_parameters()
        self.degree = self._find_degree(examples)
        self._observe(theta, examples)
        self.vectorized = True
        self.vectorized = vectorizes(self.trace, self.outputs, theta, examples)
        check_derivatives(self, theta, examples)

    def _find_degree(self, examples: Tensor) -> float:
        name = type(self._module).__name__
        found = find_degree(self.outputs, self.num_parameters, X=examples)
        if found.degree is None:
            offender = describe_offender(self._module, self.call, self.num_parameters, examples)
            evidence = f"{offender} ({name}: {found.reason})"
            raise HomogeneityError("module", "positively homogeneous in its parameters", evidence)
        if found.degree <= 0.0:
            raise HomogeneityError("module", "homogeneous of a degree above 0", f"{name} has degree {found.degree:g}")
        return found.degree

    def _observe(self, theta: Tensor, examples: Tensor) -> None:
        """Find the rectifiers and the operations that are not smooth, in one forward pass of one sample."""
        operations = SmoothnessMode()
        rectifiers = RectifierMode(observer=operations)
        with torch.enable_grad(), operations, rectifiers:
            self.outputs(theta.clone().requires_grad_(), examples[:1])
        units = tuple(z.numel() for z in rectifiers.preactivations)
        self.rectifiers = Rectifiers(tuple(rectifiers.active), units, tuple(rectifiers.slopes))
        self.nonsmooth_operations = tuple(operations.nonsmooth)
        self.smooth = not (units or operations.nonsmooth)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        if theta.ndim == 1:
            return self.outputs(theta, X)
        flat = theta.reshape(-1, self.num_parameters)
        if self.vectorized:
            outputs = vmap(self.outputs, in_dims=(0, None))(flat, X)
        else:
            outputs = torch.stack([self.outputs(one, X) for one in flat])
        return outputs.reshape(*theta.shape[:-1], X.shape[0])

    def trace(
        self, theta: Tensor, X: Tensor, probes: list[Tensor] | None = None, changes: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs (n,) and preactivations, (n, units) per rectifier layer, differentiable in theta (p,).

        Args:
            probes: (n, units) per layer, added to the rectifiers' outputs.
            changes: (n, units) per layer, added to the rectifiers' slopes; values stay as they are.
        """
        dimensions = (None, 0, None if probes is None else 0, None if changes is None else 0)
        if self.vectorized and X.shape[0]:
            return vmap(self._trace_one, in_dims=dimensions)(theta, X, probes, changes)
        traced = [self._trace_one(theta, x, _of_sample(probes, i), _of_sample(changes, i)) for i, x in enumerate(X)]
        outputs = torch.stack([output for output, _ in traced]) if traced else theta.new_zeros(0)
        empty = [theta.new_zeros((0, units)) for units in self.rectifiers.units]
        layers = [torch.stack(parts) for parts in zip(*(z for _, z in traced), strict=True)] if traced else empty
        return outputs, layers

    def _trace_one(
        self, theta: Tensor, x: Tensor, probes: list[Tensor] | None = None, changes: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        mode = RectifierMode(self.rectifiers.active, probes, changes)
        with mode:
            output = self.outputs(theta, x[None])
        if tuple(z.numel() for z in mode.preactivations) != self.rectifiers.units:
            raise InputError("module", self._module, "one whose rectifier calls are the same for all inputs")
        return output.reshape(()), mode.preactivations

    def sample_gradients(
        self, theta: Tensor, X: Tensor, entries: Tensor, changes: list[Tensor] | None = None
    ) -> Tensor:
        """(n, p) gradients of one number a sample: of the output f(x_i; theta), or of a preactivation.

        Args:
            entries: (n,) 0 for the output, j for the j-th preactivation of the sample, layer by layer.
            changes: as in `trace`.
        """

        def row(theta: Tensor, x: Tensor, entry: Tensor, changes: list[Tensor] | None) -> Tensor:
            return entry_of(*self._trace_one(theta, x, None, changes), entry)

        if self.vectorized and X.shape[0]:
            dimensions = (None, 0, 0, None if changes is None else 0)
            return vmap(grad(row), in_dims=dimensions)(theta, X, entries, changes).detach()
        rows = [_loop_gradient(row, theta, x, entries[i], _of_sample(changes, i)) for i, x in enumerate(X)]
        return torch.stack(rows) if rows else theta.new_zeros((0, self.num_parameters))

    def linearize(self, theta: Tensor, X: Tensor) -> Linearization:
        return ModuleLinearization(ModulePass(self, theta, X))

    @functools.cached_property
    def factored_gram(self) -> FactoredGram:
        """How Gram matrices of the gradients are computed where the Jacobian is too large to hold."""
        return FactoredGram(self)

    def fan_in(self) -> np.ndarray:
        """(p,) the product of all but the first axis of a parameter's shape; the length of one with a single axis."""
        fans = [float(np.prod(shape[1:]) if len(shape) > 1 else np.prod(shape)) for shape in self._shapes]
        return np.repeat(fans, self._sizes)

    def to_module(self, theta: Array) -> nn.Module:
        """A float64 copy of the module, in evaluation mode, with these parameters and outputs of shape (n,)."""
        tensor = parameters_to_tensor("theta", theta, self.num_parameters, batched=False)
        module = copy.deepcopy(self._module).to(tensor.device)
        values, parameters = self.unflatten(tensor), dict(module.named_parameters())
        with torch.no_grad():
            for name in self.parameter_names:
                parameters[name].copy_(values[name])
        module.register_forward_hook(_flatten_output)
        return module

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        reference = self._module.state_dict(keep_vars=True)
        if set(state) != set(reference):
            different = sorted(set(state) ^ set(reference))
            raise InputError("state", different, "a state dictionary with the module's keys, no more and no fewer")
        canonical = {id(value): name for name, value in self._module.named_parameters()}
        for key, value in reference.items():
            self._check_entry(state, key, canonical.get(id(value), key), value)
        device = torch.device("cpu")
        values = [to_tensor(f"state['{n}']", state[n], device=device).reshape(-1) for n in self.parameter_names]
        return torch.cat(values).numpy()

    def _check_entry(self, state: dict[str, Tensor], key: str, canonical: str, reference: Any) -> None:
        """Shapes fit, tied parameters agree, frozen tensors are the ones that the model was built with."""
        if not isinstance(reference, Tensor):
            return
        if tuple(np.shape(state[key])) != tuple(reference.shape):
            raise InputError(f"state['{key}']", state[key], f"of shape {tuple(reference.shape)}")
        if key in self.parameter_names:
            return
        expected = state[canonical] if canonical in self.parameter_names else reference
        given, wanted = (_to_double(f"state['{key}']", part) for part in (state[key], expected))
        if not torch.equal(given, wanted):
            origin = f"equal to '{canonical}', to which it is tied" if key != canonical else "the model's frozen tensor"
            raise InputError(f"state['{key}']", state[key], origin)

    def __repr__(self) -> str:
        name = type(self._module).__name__
        return f"ModuleModel({name}, degree={self.degree:g}, parameters={self.num_parameters})"


def from_module(module: nn.Module, input_shape: tuple[int, ...] | None = None, *, X: Any = None) -> ModuleModel:
    """A scalar-output module as a positively homogeneous model of its trainable parameters, its degree found.

    Parameters that require a gradient are flattened in the order of ``named_parameters``; all others and the buffers
    are frozen at their values. The module is copied, cast to float64 and put in evaluation mode: dropout is inactive,
    batch normalization uses its running statistics, the user's module is left as it is.

    Args:
        module: maps (n, *input_shape) to (n,) or (n, 1), each sample by itself, the same way each time.
        input_shape: the shape of one sample; by default that of ``X``, or the width of a first linear layer.
        X: example inputs (n, *input_shape), used in the checks beside random ones.

    Raises:
        HomogeneityError: there is no degree; the message names the submodule at fault and its cause.
        InputError: no trainable parameters, outputs of another shape, samples that influence each other, outputs that
            change from call to call, or derivatives by autograd that are not those of the function.

    >>> model = from_module(nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False)))
    >>> model.degree, model.num_parameters, model.smooth
    (2.0, 9, False)
    """
    return ModuleModel(module, input_shape, X)


def _to_double(name: str, value: Any) -> Tensor:
    """As `to_tensor`, on the CPU; infinities, as in a frozen mask, are allowed."""
    return value.detach().cpu().double() if isinstance(value, Tensor) else torch.from_numpy(check_numbers(name, value))


def _of_sample(layers: list[Tensor] | None, sample: int) -> list[Tensor] | None:
    return None if layers is None else [layer[sample] for layer in layers]


def _flatten_output(module: nn.Module, arguments: Any, output: Tensor) -> Tensor:
    return output.reshape(arguments[0].shape[0])


def _loop_gradient(row: Callable[..., Tensor], theta: Tensor, *arguments: Any) -> Tensor:
    leaf = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        return gradient(row(leaf, *arguments), leaf, None).detach()

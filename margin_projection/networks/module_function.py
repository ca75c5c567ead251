"""A user's scalar-output ``torch.nn.Module`` as a function of its trainable parameters, whatever their degrees."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import UninitializedParameter

from margin_projection._arrays import to_tensor
from margin_projection._validation import InputError
from margin_projection.networks.module_checks import check_samples_independent, resolve_input_shape, scalar_outputs
from margin_projection.networks.rectifiers import ExactDerivativesMode


class ModuleFunction:
    """f(x; theta) of a frozen float64 copy of a module in evaluation mode; nothing is assumed about its degree.

    Args:
        module, input_shape, X: as for `networks.from_module`.

    Attributes:
        parameter_names: the names of the trainable parameters, in the order in which theta holds them flat.
        num_parameters: p, the length of theta.
        input_shape: the shape of one sample.

    Raises:
        InputError: no trainable parameters, outputs of another shape than (n,) or (n, 1), samples that influence each
            other, outputs that change from call to call.
    """

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...] | None = None, X: Any = None) -> None:
        self._module = _frozen_copy(module)
        trainable = [(name, value) for name, value in self._module.named_parameters() if value.requires_grad]
        if not trainable:
            raise InputError("module", type(module).__name__, "a module with trainable parameters (requires_grad)")
        self.parameter_names = tuple(name for name, _ in trainable)
        self._shapes = tuple(tuple(value.shape) for _, value in trainable)
        self._sizes = tuple(value.numel() for _, value in trainable)
        self.num_parameters = sum(self._sizes)
        self._frozen = {torch.device("cpu"): self._frozen_tensors()}
        self.input_shape = resolve_input_shape(self._module, input_shape, X)
        check_samples_independent(self._raw_outputs, self.example_parameters(), self.examples(X))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers each trainable parameter holds."""
        return self._sizes

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each trainable parameter."""
        return self._shapes

    @property
    def frozen_copy(self) -> nn.Module:
        """The float64 copy itself, in evaluation mode."""
        return self._module

    def example_parameters(self) -> Tensor:
        """(p,) standard normal, the same at every call."""
        return torch.from_numpy(np.random.default_rng(0).standard_normal(self.num_parameters))

    def examples(self, X: Any) -> Tensor:
        """Three standard normal samples, the same at every call, behind the first four of ``X`` where it is given."""
        random = torch.from_numpy(np.random.default_rng(1).standard_normal((3, *self.input_shape)))
        return random if X is None else torch.cat([to_tensor("X", X, device=torch.device("cpu"))[:4], random])

    def own_parameters(self) -> Tensor:
        """(p,) the trainable parameters that the module holds."""
        values = dict(self._module.named_parameters())
        return torch.cat([values[name].detach().reshape(-1) for name in self.parameter_names])

    def _frozen_tensors(self) -> dict[str, Tensor]:
        frozen = {name: value.detach() for name, value in self._module.named_parameters() if not value.requires_grad}
        return frozen | {name: value.detach() for name, value in self._module.named_buffers()}

    def call(self, parameters: dict[str, Tensor], X: Tensor) -> Tensor:
        """The module's own output for X (n, *input_shape), its trainable parameters replaced."""
        frozen = self._frozen.get(X.device)
        if frozen is None:
            frozen = {name: value.to(X.device) for name, value in self._frozen[torch.device("cpu")].items()}
            self._frozen[X.device] = frozen
        with sdpa_kernel(SDPBackend.MATH), ExactDerivativesMode():
            return functional_call(self._module, frozen | parameters, (X,), tie_weights=True)

    def unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        """The trainable parameters by name, views of theta (p,)."""
        parts = theta.split(self._sizes)
        named = zip(self.parameter_names, parts, self._shapes, strict=True)
        return {name: part.reshape(shape) for name, part, shape in named}

    def _raw_outputs(self, theta: Tensor, X: Tensor) -> Any:
        return self.call(self.unflatten(theta), X)

    def outputs(self, theta: Tensor, X: Tensor) -> Tensor:
        """f(X; theta): (n,), for one theta (p,)."""
        return scalar_outputs(self._raw_outputs(theta, X), X.shape[0])


def _frozen_copy(module: Any) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise InputError("module", module, "a torch.nn.Module")
    if any(isinstance(value, UninitializedParameter) for value in module.parameters()):
        raise InputError("module", type(module).__name__, "a module with initialized parameters (run it once)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return copy.deepcopy(module).cpu().double().eval()
    except (RuntimeError, TypeError) as error:
        raise InputError("module", type(module).__name__, f"a module that can be copied ({error})") from error

"""What is diagnosed: a torch module or a model, as a function of flat parameters, with its degrees found."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import parameters_to_tensor
from margin_projection._validation import InputError
from margin_projection.diagnosis.degree_groups import DegreeGroups, degree_groups_of
from margin_projection.networks.base import Model
from margin_projection.networks.module import ModuleModel
from margin_projection.networks.module_function import ModuleFunction

_EXAMPLES = 8


@dataclass(frozen=True)
class Subject:
    """The network.

    Attributes:
        name: of its class.
        function: f(x; theta) as a module.
        groups: its degrees.
        model: the same as a homogeneous model; None where there is no common degree.
        theta: (p,) the parameters to look at.
    """

    name: str
    function: ModuleFunction
    groups: DegreeGroups
    model: Model | None
    theta: Tensor

    @property
    def powers(self) -> Tensor | None:
        """(p,) the weight of each parameter's group, None where no scaling is known."""
        if self.groups.degree is None:
            return None
        weights = [group.weight for group in self.groups.groups]
        return torch.from_numpy(np.repeat(weights, self.function.sizes))

    def without_fixed_groups(self, theta: Tensor) -> nn.Module:
        """The module at theta with the groups of weight 0 frozen."""
        frozen, values = copy.deepcopy(self.function.frozen_copy), self.function.unflatten(theta)
        parameters = dict(frozen.named_parameters())
        with torch.no_grad():
            for name, value in values.items():
                parameters[name].copy_(value)
        for name in self.groups.fixed:
            parameters[name].requires_grad_(False)
        return frozen


def make_subject(module: Any, X: np.ndarray, theta: Any, seed: int) -> Subject:
    """Find the degrees, and build the model where there is one.

    Args:
        module: a torch module or a model.
        X: (n, *input_shape) samples of the tasks.
        theta: (p,) or None for the module's own parameters.
        seed: of the random points.

    Raises:
        InputError: neither module nor model, theta left out for a model or of wrong length, samples that do not fit.
    """
    given: nn.Module
    if isinstance(module, Model):
        if theta is None:
            raise InputError("theta", None, "given for a model (a torch module holds its own parameters)")
        point = parameters_to_tensor("theta", theta, module.num_parameters, batched=False).cpu()
        if X.shape[1:] != module.input_shape:
            raise InputError("tasks", X, f"of samples of shape {module.input_shape}")
        given, name = module.to_module(point), repr(module)
    else:
        given, name = module, type(module).__name__
    shape = tuple(int(size) for size in X.shape[1:])
    examples = X[:: max(1, len(X) // _EXAMPLES)][:_EXAMPLES]
    function = ModuleFunction(given, shape, examples)
    if theta is not None and not isinstance(module, Model):
        point = parameters_to_tensor("theta", theta, function.num_parameters, batched=False).cpu()
    elif theta is None:
        point = function.own_parameters()
    groups = degree_groups_of(function, examples, seed)
    model: Model | None = module if isinstance(module, Model) else None
    if model is None and groups.kind.is_homogeneous:
        model = ModuleModel(given, shape, examples)
    return Subject(name, function, groups, model, point)

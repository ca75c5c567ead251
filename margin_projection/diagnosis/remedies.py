"""What to change in a module so that it becomes homogeneous: changes are made to a copy, one by one, and tried.

Biases, eps of a normalization and running means are set to zero and frozen, and the search for what breaks homogeneity
goes on behind them. Other causes are named with what to put in their place; the search ends there.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from margin_projection._validation import InputError
from margin_projection.networks.homogeneity import find_degree
from margin_projection.networks.module_function import ModuleFunction
from margin_projection.networks.offender import Offender, find_offender

_MOST_CHANGES = 200
_NAMED = 4
_REPLACEMENTS = (
    (("softmax", "scaled_dot_product"), "replace the softmax attention of {where} by linear attention (Q K^T) V"),
    (("sigmoid",), "replace the sigmoid of {where} by a ReLU or a squared ReLU (of a gate: by a linear map)"),
    (("tanh", "hardtanh", "clamp"), "replace the saturating activation of {where} by a ReLU or a squared ReLU"),
    (("prelu",), "freeze the slope of {where} (a leaky ReLU is homogeneous)"),
    (("gelu", "silu", "elu", "softplus"), "replace the activation of {where} by a ReLU or a squared ReLU"),
)
_SUMS = ("add", "sub", "lerp")


@dataclass(frozen=True)
class Remedies:
    """What was found.

    Attributes:
        offender: the first place where homogeneity is lost, one sentence.
        advice: what to change, one sentence each, in the order of the forward pass.
        degree: that of the module with all these changes made, where that was tried and gave one; else None.
    """

    offender: str
    advice: tuple[str, ...]
    degree: float | None


def find_remedies(function: ModuleFunction, X: Any) -> Remedies:
    """Repair a copy of the module as far as zeros can, and say how."""
    module = copy.deepcopy(function.frozen_copy)
    zeroed: dict[tuple[str, ...], list[str]] = {}
    first, last = "", ""
    degree: float | None = None
    for _ in range(_MOST_CHANGES):
        try:
            repaired = ModuleFunction(module, function.input_shape, X)
        except InputError:
            break
        examples = repaired.examples(X)
        degree = find_degree(repaired.outputs, repaired.num_parameters, X=examples).degree
        if degree is not None:
            break
        offender = find_offender(repaired.frozen_copy, repaired.call, repaired.num_parameters, examples)
        first = first or offender.sentence
        place = offender.submodule or ""
        names = offender.remedy or _hidden_biases(module.get_submodule(place), offender)
        if not names:
            last = _replacement(offender)
            break
        zeroed.setdefault(names, []).append(place)
        _set_to_zero(module.get_submodule(place), names)
    advice = [_removal(names, places) for names, places in zeroed.items()]
    reached = degree if zeroed and degree is not None and degree > 0.0 else None
    return Remedies(first, tuple(advice + ([last] if last else [])), reached)


def _hidden_biases(submodule: nn.Module, offender: Offender) -> tuple[str, ...]:
    """All biases of a module that adds some of its own inside, perhaps beside other faults: attention has several."""
    if not any(part in offender.operation for part in _SUMS):
        return ()
    trainable = [name for name, value in submodule.named_parameters() if value.requires_grad and "bias" in name]
    return tuple(trainable) if any("." not in name for name in trainable) else ()


def _set_to_zero(submodule: Any, names: tuple[str, ...]) -> None:
    tensors = dict(submodule.named_parameters()) | dict(submodule.named_buffers())
    for name in names:
        if name in tensors:
            with torch.no_grad():
                tensors[name].zero_()
            if isinstance(tensors[name], nn.Parameter):
                tensors[name].requires_grad_(False)
        else:
            setattr(submodule, name, 0.0)


def _removal(names: tuple[str, ...], places: list[str]) -> str:
    where = ", ".join(f"'{place}'" for place in places[:_NAMED])
    where += f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    where = where if places != [""] else "the module itself"
    parts = [f"set eps of {where} to 0"] if "eps" in names else []
    if "running_mean" in names:
        parts.append(f"set the running mean of {where} to 0 (or normalize by the scale alone)")
    removed = [name for name in names if name not in ("eps", "running_mean")]
    if removed:
        words = " and the ".join(name if "bias" in name else f"parameter {name}" for name in removed)
        parts.append(f"remove the {words} of {where}")
    return " and ".join(parts)


def _replacement(offender: Offender) -> str:
    """What to do about a cause that no zero removes; "" where nothing is known."""
    name, where = offender.operation.strip("_"), f"'{offender.submodule}'" if offender.submodule else "the module"
    for keys, text in _REPLACEMENTS:
        if any(key in name for key in keys):
            return text.format(where=where)
    degrees = sorted(set(offender.degrees))
    if any(part in name for part in _SUMS) and len(degrees) > 1:
        text = " and ".join(f"{degree:g}" for degree in degrees)
        return (
            f"put as many weight layers on the shortcut as on the branch of {where} (terms of degree {text} meet "
            "there), or freeze the branch's weights"
        )
    if any(part in name for part in _SUMS):
        return f"remove the fixed number that {where} adds, or multiply it by trainable weights of the same degree"
    return ""

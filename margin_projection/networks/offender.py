"""Why a module is not positively homogeneous: the submodule and the operation where homogeneity is lost, as measured.

The module runs at c theta for several c. A tensor inside has degree k when it scales as c^k, elementwise: inputs have
degree 0, parameters degree 1. The first submodule call to finish whose inputs have degrees, while its output has none,
is at fault; inside it, so is the first operation of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from margin_projection.networks.recording import SCALES, Call, Recording, degree_of, degrees_of

_CAUSES = {
    "softmax": "a softmax depends on the size of its argument, which has degree {degree}",
    "scaled_dot_product": "attention takes a softmax of scores whose size depends on the parameters",
    "sigmoid": "a sigmoid saturates: its argument has degree {degree}",
    "tanh": "tanh saturates: its argument has degree {degree}",
    "gelu": "GELU is no power: its argument has degree {degree}",
    "silu": "SiLU is no power: its argument has degree {degree}",
    "elu": "ELU is exponential on negative arguments: its argument has degree {degree}",
    "softplus": "softplus is no power: its argument has degree {degree}",
    "prelu": "a trainable slope makes PReLU of one degree on negative and of another on positive arguments",
    "hardtanh": "a clamp at a fixed level meets an argument of degree {degree}",
    "clamp": "a clamp at a fixed level meets an argument of degree {degree}",
    "exp": "an exponential of an argument of degree {degree}",
    "log": "a logarithm of an argument of degree {degree}",
}
_SUMS = ("add", "sub", "convolution", "norm", "bmm", "lerp")

Forward = Callable[[dict[str, Tensor], Tensor], Any]


@dataclass(frozen=True)
class Offender:
    """Where homogeneity is lost first.

    Attributes:
        sentence: names the submodule, the operation in it and the cause.
        submodule: its name ("" for the module itself), None where no single one is at fault.
        remedy: attributes of it that must be zero for its output to have a degree; empty where none help.
        operation: the first operation at fault inside it, "" where unknown.
        degrees: of that operation's tensors.
    """

    sentence: str
    submodule: str | None = None
    remedy: tuple[str, ...] = ()
    operation: str = ""
    degrees: tuple[float, ...] = ()


def describe_offender(module: nn.Module, call: Forward, num_parameters: int, X: Tensor) -> str:
    """The sentence of `find_offender`."""
    return find_offender(module, call, num_parameters, X).sentence


def find_offender(module: nn.Module, call: Forward, num_parameters: int, X: Tensor) -> Offender:
    """The submodule at fault, the operation in it, and the cause.

    Args:
        module: holds the trainable parameters, p in all.
        call: maps replacements of the trainable parameters and X to the module's output.
        num_parameters: p.
        X: example inputs.
    """
    generator = np.random.default_rng(2)
    flat = torch.from_numpy(generator.standard_normal(num_parameters))
    trainable = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    parts = flat.split([value.numel() for _, value in trainable])
    base = {name: part.reshape(value.shape) for (name, value), part in zip(trainable, parts, strict=True)}
    recordings = []
    for scale in SCALES:
        parameters = {name: (scale * value).requires_grad_() for name, value in base.items()}
        with torch.enable_grad(), Recording(module) as recording:
            call(parameters, X)
        recordings.append(recording)
    return _describe(module, base, recordings)


def _describe(module: nn.Module, base: dict[str, Tensor], recordings: list[Recording]) -> Offender:
    if len({tuple(call.name for call in recording.modules) for recording in recordings}) != 1:
        return Offender("the order of its submodule calls depends on the size of the parameters")
    for index in sorted(range(len(recordings[0].modules)), key=lambda i: recordings[0].modules[i].finished):
        calls = [recording.modules[index] for recording in recordings]
        inputs, outputs = _degrees(calls)
        if None not in inputs and None in outputs:
            return _blame(module, base, recordings, calls)
    return Offender("no single submodule is at fault: the whole fails at isolated parameters only")


def _blame(module: nn.Module, base: dict[str, Tensor], recordings: list[Recording], calls: list[Call]) -> Offender:
    names, remedy = _remedy(module, base, calls)
    operation, degrees = _first_operation(recordings, calls) or ("", [])
    cause, is_remedy = _cause(operation, degrees, remedy)
    known = tuple(degree for degree in degrees if degree is not None and degree == degree)
    sentence = f"{_title(module, calls[0].name)} {cause}"
    return Offender(sentence, calls[0].name, names if is_remedy else (), operation, known)


def _title(module: nn.Module, name: str) -> str:
    kind = type(module.get_submodule(name)).__name__
    return f"submodule '{name}' ({kind})" if name else f"the module itself ({kind}), outside its submodules,"


def _degrees(calls: list[Call]) -> tuple[list[float | None], list[float | None]]:
    return degrees_of([call.inputs for call in calls]), degrees_of([call.outputs for call in calls])


def _cause(name: str, degrees: list[float | None], remedy: str) -> tuple[str, bool]:
    """The cause in words, and whether it is the remedy's."""
    if not name:
        return remedy or "is not homogeneous: it runs other operations for parameters of another size", bool(remedy)
    general = name.strip("_")
    if any(part in general for part in _SUMS) and remedy:
        return remedy, True
    for key, cause in sorted(_CAUSES.items(), key=lambda item: -len(item[0])):
        if key in general:
            return f"is not homogeneous: {cause.format(degree=_show(degrees[:1]))} (operation {name})", False
    if remedy:
        return remedy, True
    if any(part in general for part in _SUMS):
        constant = ", one of them perhaps a fixed number" if len(set(degrees)) < 2 else ""
        return f"adds terms of different degree (operation {name} on {_show(degrees)}{constant})", False
    return f"is not homogeneous (operation {name} on {_show(degrees)})", False


def _first_operation(recordings: list[Recording], calls: list[Call]) -> tuple[str, list[float | None]] | None:
    """The first operation directly inside the submodule that takes tensors with degrees to one without."""
    if len({len(call.operations) for call in calls}) != 1:
        return None
    for positions in zip(*(call.operations for call in calls), strict=True):
        steps = [recording.operations[i] for recording, i in zip(recordings, positions, strict=True)]
        if len({step.name for step in steps}) != 1:
            return None
        inputs, outputs = _degrees(steps)
        if None not in inputs and None in outputs:
            return steps[0].name, inputs
    return None


def _show(degrees: list[float | None]) -> str:
    known = [degree for degree in degrees if degree is not None and degree == degree]
    if len(known) == 1:
        return f"{known[0]:g}"
    return "degrees " + " and ".join(f"{degree:g}" for degree in known)


def _remedy(module: nn.Module, base: dict[str, Tensor], calls: list[Call]) -> tuple[tuple[str, ...], str]:
    """What must be zero for the submodule to be homogeneous, by name and in words; empty where nothing helps.

    A bias, a running mean or eps.

    Every set of up to three of them is tried on the inputs recorded, small sets first.
    """
    submodule = module.get_submodule(calls[0].name)
    candidates = _candidates(submodule)
    for size in (1, 2, 3):
        for names in combinations(candidates, size):
            outcome = _degree_without(submodule, calls, base, names)
            if outcome is not None:
                pronoun = "it" if size == 1 else "them"
                return names, f"{_verdict(names, submodule)}; without {pronoun} its output has degree {outcome:g}"
    return (), ""


def _candidates(submodule: nn.Module) -> list[str]:
    parameters = [name for name, value in submodule.named_parameters(recurse=False) if "bias" in name or value.ndim < 2]
    biases = [name for name in parameters if "bias" in name]
    others = [name for name in parameters if "bias" not in name and name != "weight"]
    buffers = [name for name, _ in submodule.named_buffers(recurse=False) if name == "running_mean"]
    eps = ["eps"] if hasattr(submodule, "eps") else []
    return biases + eps + buffers + others


def _verdict(names: tuple[str, ...], submodule: nn.Module) -> str:
    eps = getattr(submodule, "eps", None)
    words = {
        "bias": "a bias", "running_mean": "a running mean",
        "eps": "eps at machine precision" if eps is None else f"eps = {eps:g}",
    }
    items = [words.get(name, f"the parameter '{name}'") for name in names]
    if names == ("eps",):
        return f"has {items[0]}, which breaks homogeneity for small arguments"
    return f"has {' and '.join(items)}, of another degree than the rest"


def _degree_without(
    submodule: nn.Module, calls: list[Call], base: dict[str, Tensor], names: tuple[str, ...]
) -> float | None:
    """The degree of the submodule's output with ``names`` set to zero, None where it has none or vanishes."""
    if not calls[0].arguments:
        return None
    outputs = list(_outputs_without(submodule, calls, base, names))
    if any(output is None or not bool(output.any()) for output in outputs):
        return None
    return degree_of([output for output in outputs if output is not None])


def _outputs_without(
    submodule: Any, calls: list[Call], base: dict[str, Tensor], names: tuple[str, ...]
) -> Iterator[Tensor | None]:
    prefix = f"{calls[0].name}." if calls[0].name else ""
    state = {name: value for name, value in base.items() if name.startswith(prefix)}
    tensors = dict(submodule.named_parameters()) | dict(submodule.named_buffers())
    zeros = {name: torch.zeros_like(tensors[name]) for name in names if name in tensors}
    eps = getattr(submodule, "eps", None)
    try:
        if "eps" in names:
            submodule.eps = 0.0
        for scale, call in zip(SCALES, calls, strict=True):
            scaled = {name.removeprefix(prefix): scale * value for name, value in state.items()}
            with torch.no_grad():
                output = functional_call(submodule, scaled | zeros, call.arguments)
            yield output if isinstance(output, Tensor) else None
    finally:
        if "eps" in names:
            submodule.eps = eps

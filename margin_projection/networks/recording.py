"""What a module computes inside while its parameters are scaled: every call's tensors and their measured degrees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

SCALES = (1.0, 2.0, 3.0, 2.0**-14, 2.0**14)
TOLERANCE = 1e-8


@dataclass
class Call:
    """One call of a submodule, or one elementary operation, in one forward pass.

    Attributes:
        name: the submodule's name ("" for the whole module), or the operation's.
        owner: the position of the submodule call inside which it ran, None for the whole module.
        arguments: the raw positional arguments of a submodule, to call it again.
        inputs, outputs: its tensors.
        operations: positions of the operations that ran directly inside a submodule call.
    """

    name: str
    owner: int | None
    inputs: list[Tensor]
    arguments: tuple = ()
    outputs: list[Tensor] = field(default_factory=list)
    operations: list[int] = field(default_factory=list)
    finished: int = -1


class Recording(TorchDispatchMode):
    """Records submodule calls and elementary operations of one forward pass.

    Args:
        module: where the hooks go while the recording is entered.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._module = module
        self._handles: list[RemovableHandle] = []
        self._stack: list[int] = []
        self.modules: list[Call] = []
        self.operations: list[Call] = []
        self._finished = 0

    def __enter__(self) -> Recording:
        for name, submodule in self._module.named_modules():
            self._handles.append(submodule.register_forward_pre_hook(self._before(name), with_kwargs=True))
            self._handles.append(submodule.register_forward_hook(self._after))
        super().__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        super().__exit__(*details)
        for handle in self._handles:
            handle.remove()

    def _before(self, name: str) -> Callable:
        def hook(module: nn.Module, arguments: tuple, keywords: dict[str, Any]) -> None:
            with _disable_current_modes():
                inputs, kept = _copies((arguments, keywords)), () if keywords else _detached(arguments)
            owner = self._stack[-1] if self._stack else None
            self._stack.append(len(self.modules))
            self.modules.append(Call(name, owner, inputs, arguments=kept))

        return hook

    def _after(self, module: nn.Module, arguments: tuple, output: Any) -> None:
        call = self.modules[self._stack.pop()]
        with _disable_current_modes():
            call.outputs, call.finished = _copies(output), self._finished
        self._finished += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        owner = self._stack[-1] if self._stack else None
        call = Call(name, owner, _copies((args, kwargs)))
        output = func(*args, **kwargs)
        judged = output[0] if isinstance(output, tuple) else output
        call.outputs = _copies(judged)
        if owner is not None:
            self.modules[owner].operations.append(len(self.operations))
        self.operations.append(call)
        return output


def _copies(value: Any) -> list[Tensor]:
    return [leaf.detach().clone() for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _detached(arguments: tuple) -> tuple:
    return tuple(part.detach().clone() if isinstance(part, Tensor) else part for part in arguments)


def degree_of(tensors: Iterable[Tensor]) -> float | None:
    """The k with T(c) = c^k T(1) elementwise, for T at the scales `SCALES`.

    Returns:
        k; ``nan`` for a tensor that is zero, whose degree is any; None where there is no k.
    """
    first, *others = tensors
    if any(other.shape != first.shape or other.dtype != first.dtype for other in others):
        return None
    if not first.is_floating_point():
        return 0.0 if all(torch.equal(first, other) for other in others) else None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in (first, *others)):
        return None
    size = float(first.abs().max()) if first.numel() else 0.0
    if size == 0.0:
        return math.nan if not any(bool(other.any()) for other in others) else None
    largest = int(first.abs().argmax())
    ratio = float(others[0].reshape(-1)[largest] / first.reshape(-1)[largest])
    if ratio <= 0.0:
        return None
    degree = math.log(ratio) / math.log(SCALES[1])
    for scale, other in zip(SCALES[1:], others, strict=True):
        expected = scale**degree
        if not float((other / expected - first).abs().max()) <= TOLERANCE * size:
            return None
    return round(degree, 6) + 0.0


def degrees_of(lists: list[list[Tensor]]) -> list[float | None]:
    """`degree_of` each tensor of several lists, one list a scale."""
    if len({len(tensors) for tensors in lists}) != 1:
        return [None]
    return [degree_of(tensors) for tensors in zip(*lists, strict=True)]

"""Layer and group normalization in elementary operations, for second derivatives under ``torch.vmap``.

torch's fused layer normalization has a wrong batching rule for its second derivatives: vectorized Hessian products of a
network with an affine ``LayerNorm`` come out without symmetry. In elementary operations they are right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class ElementaryNorms(nn.Module):
    """A module whose layer and group normalizations are computed elementarily; parameters are the module's own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, X: Tensor) -> Tensor:
        """The module's outputs."""
        with _Replacing():
            return self.module(X)


class _Replacing(TorchFunctionMode):
    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        replacement = _REPLACEMENTS.get(func, func)
        return replacement(*args, **(kwargs or {}))


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    centered = input - input.mean(axes, keepdim=True)
    result = centered * torch.rsqrt(centered.square().mean(axes, keepdim=True) + eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    groups = input.reshape(input.shape[0], num_groups, -1)
    result = _layer_norm(groups, groups.shape[2:], eps=eps).reshape(input.shape)
    shape = (-1,) + (1,) * (input.ndim - 2)
    result = result if weight is None else result * weight.reshape(shape)
    return result if bias is None else result + bias.reshape(shape)


_REPLACEMENTS: dict[Callable, Callable] = {F.layer_norm: _layer_norm, F.group_norm: _group_norm}

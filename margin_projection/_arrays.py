"""The parameters decide where work happens: numpy in, numpy out; a torch tensor keeps its device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._validation import InputError, check_numbers

Array = np.ndarray | Tensor


def to_tensor(name: str, value: Any, *, device: torch.device | None = None) -> Tensor:
    """Return ``value`` as a finite float64 tensor: torch tensors stay on their device unless one is named.

    All else is copied.
    """
    if isinstance(value, Tensor):
        if value.is_complex():
            raise InputError(name, value, f"real (its entries are {value.dtype})")
        tensor = value.detach().to(device=device, dtype=torch.float64)
        finite = bool(torch.isfinite(tensor).all())
    else:
        array = check_numbers(name, value)
        tensor, finite = torch.from_numpy(array), bool(np.isfinite(array).all())
        tensor = tensor if device is None else tensor.to(device=device)
    if not finite:
        raise InputError(name, value, "finite (no NaN, no infinity)")
    return tensor


def parameters_to_tensor(name: str, value: Any, num_parameters: int, *, batched: bool = True) -> Tensor:
    """Return flat parameters (p,), or (B, p) where ``batched``, checked against ``num_parameters``."""
    tensor = to_tensor(name, value)
    axes = (1, 2) if batched else (1,)
    if tensor.ndim not in axes or tensor.shape[-1] != num_parameters:
        shapes = f"({num_parameters},)" + (f" or (batch, {num_parameters})" if batched else "")
        raise InputError(name, value, f"of shape {shapes}")
    return tensor


def restore(tensor: Tensor, like: Any) -> Any:
    """Return ``tensor`` in the container of ``like``: a torch tensor for torch, a numpy array for all else."""
    if isinstance(like, Tensor):
        return tensor
    return to_numpy(tensor)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The numbers of ``tensor`` from whatever device, without a copy where it is on the CPU."""
    return np.asarray(tensor.numpy(force=True))

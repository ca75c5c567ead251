"""Upper bounds on operator norms of matrices, convolutions and the patches that a convolution sees."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from margin_projection._arrays import to_numpy

WORK = 4e8  # multiplications up to which spectral norms of many matrices are computed; Frobenius norms beyond
WORK_ON_ONE = 1e10  # the same where there is but one
_SLACK = 1.0 + 1e-9


def spectral_norms(matrices: Tensor) -> np.ndarray:
    """(n,) upper bounds on the largest ||M||_2 of matrices (n, ..., a, b), tight unless they are too many and large."""
    n, rows, columns = matrices.shape[0], matrices.shape[-2], matrices.shape[-1]
    flat = matrices.reshape(n, -1, rows, columns)
    small = min(rows, columns)
    frobenius = flat.flatten(2).norm(dim=2)
    count = flat.shape[0] * flat.shape[1]
    if small > 1 and count * small**2 * (small + max(rows, columns)) <= (WORK_ON_ONE if count == 1 else WORK):
        gram = flat @ flat.mT if rows <= columns else flat.mT @ flat
        frobenius = torch.minimum(frobenius, torch.linalg.eigvalsh(gram)[..., -1].clamp(min=0.0).sqrt())
    return to_numpy(frobenius.amax(1) if frobenius.shape[1] else frobenius.sum(1)) * _SLACK


def overlap(kernel: tuple[int, ...], stride: list[int], dilation: list[int]) -> float:
    """How many patches one input entry is part of, at most: ||conv(a, w)|| <= sqrt(overlap) ||a|| ||w as a matrix||_2.

    Tap i of a kernel reaches the entry from position (entry + padding - i dilation) / stride: i is fixed modulo
    stride / gcd(stride, dilation).
    """
    strides, dilations = _per_axis(stride, kernel), _per_axis(dilation, kernel)
    steps = [s // math.gcd(s, d) for s, d in zip(strides, dilations, strict=True)]
    return float(np.prod([-(-k // step) for k, step in zip(kernel, steps, strict=True)]))


def _per_axis(numbers: list[int], kernel: tuple[int, ...]) -> list[int]:
    return list(numbers) * len(kernel) if len(numbers) == 1 else list(numbers)


def convolution_norm(filters: Tensor, groups: int, share: float) -> float:
    """A bound on the norm of a -> conv(a, filters): filters as one matrix times ``share``, or the sum over the taps.

    A tap is a shift (norm at most 1) and a matrix between channels. Groups act on separate channels.
    """
    grouped = filters.reshape(groups, filters.shape[0] // groups, filters.shape[1], -1)
    whole = share * float(spectral_norms(grouped.flatten(2)[None])[0])
    taps = spectral_norms(grouped.permute(3, 0, 1, 2))
    return min(whole, float(taps.sum()))


def patch_norms(
    a: Tensor, filters: Tensor, stride: list[int], padding: list[int], dilation: list[int], groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) bounds on the spectral norm of the matrix of patches of ``a`` (n, batch, channels, ...), and on one patch.

    They bound w -> conv(a, w) as a map between Frobenius norms, and each of its entries.
    """
    n, batch = a.shape[0], a.shape[1]
    images = a.reshape(n * batch, *a.shape[2:])
    kernel = tuple(filters.shape[2:])
    squares = images.square().reshape(n * batch, groups, -1, *images.shape[2:]).sum(2).flatten(0, 1)[:, None]
    ones = torch.ones((1, 1, *kernel), dtype=a.dtype, device=a.device)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
    energies = function(squares, ones, None, stride, padding, dilation).reshape(n, batch * groups, -1)
    whole = energies.sum(2).clamp(min=0.0).reshape(n, batch, groups).sum(1).amax(1).sqrt()
    single = energies.flatten(1).amax(1).clamp(min=0.0).sqrt()
    spectral = _spectral_of_patches(images, kernel, stride, padding, dilation, groups)
    if spectral is not None and batch == 1:
        whole = torch.minimum(whole, spectral)
    return to_numpy(whole) * _SLACK, to_numpy(single) * _SLACK


def _spectral_of_patches(
    images: Tensor, kernel: tuple[int, ...], stride: list[int], padding: list[int], dilation: list[int], groups: int
) -> Tensor | None:
    """(n,) the largest spectral norm of the patches of a group, None where that is too much work."""
    if len(kernel) != 2:
        return None
    n, length = images.shape[0], images.shape[1] // groups * kernel[0] * kernel[1]
    if n * groups * length**3 > WORK or length == 1:
        return None
    options = [tuple(_per_axis(each, kernel)) for each in (dilation, padding, stride)]
    columns = F.unfold(images, kernel, *options).reshape(n, groups, length, -1)
    if n * groups * length**2 * columns.shape[-1] > WORK:
        return None
    largest = torch.linalg.eigvalsh(columns @ columns.mT)[..., -1]
    return largest.clamp(min=0.0).sqrt().amax(1)

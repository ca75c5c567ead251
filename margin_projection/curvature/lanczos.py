"""Lanczos tridiagonalization with full reorthogonalization, of several start vectors side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.curvature.operators import SymmetricOperator

_ENOUGH = 0.7


@dataclass(frozen=True)
class Tridiagonals:
    """Jacobi matrices, one a start vector.

    Attributes:
        diagonals: (k, m). offdiagonals: (k, m), the last one couples to what was not computed.
        steps: (k,) how many rows are valid; fewer than m where the Krylov space was exhausted (the last valid
            off-diagonal is then 0).
        norms: (k,) norms of the start vectors.
    """

    diagonals: Tensor
    offdiagonals: Tensor
    steps: Tensor
    norms: Tensor


def lanczos(operator: SymmetricOperator, starts: Tensor, order: int) -> Tridiagonals:
    """``order`` steps from each column of ``starts`` (p, k), nonzero.

    Every new vector is orthogonalized against all before, and once more where that took away much of it, so that the
    Jacobi matrices are those of exact arithmetic up to rounding.
    """
    size, count = starts.shape
    order = min(order, size)
    norms = starts.norm(dim=0)
    basis = torch.zeros(count, order, size, dtype=starts.dtype, device=starts.device)  # rows: products run along memory
    diagonals = torch.zeros(count, order, dtype=starts.dtype, device=starts.device)
    offdiagonals = torch.zeros_like(diagonals)
    steps = torch.full((count,), order, dtype=torch.long, device=starts.device)
    alive = torch.ones(count, dtype=torch.bool, device=starts.device)
    scale = torch.zeros(count, dtype=starts.dtype, device=starts.device)
    current = starts / norms
    rounding = size**0.5 * torch.finfo(starts.dtype).eps
    for step in range(order):
        basis[:, step] = current.T
        image = operator.apply(current)
        scale = torch.maximum(scale, image.norm(dim=0))
        diagonals[:, step] = torch.where(alive, (current * image).sum(0), 0.0)
        image = image - diagonals[:, step] * current
        if step:
            image = image - offdiagonals[:, step - 1] * basis[:, step - 1].T
        image = _orthogonalized(image, basis[:, : step + 1])
        length = image.norm(dim=0)
        exhausted = alive & (length <= 10.0 * rounding * scale)
        steps[exhausted] = step + 1
        alive = alive & ~exhausted
        offdiagonals[:, step] = torch.where(alive, length, 0.0)
        current = torch.where(alive, image / length.clamp_min(torch.finfo(starts.dtype).tiny), 0.0)
        if not bool(alive.any()):
            break
    return Tridiagonals(diagonals, offdiagonals, steps, norms)


def _orthogonalized(vectors: Tensor, basis: Tensor) -> Tensor:
    """Columns of ``vectors`` (p, k) without their components along ``basis`` (k, s, p), the k-th along the k-th.

    A second pass is needed where the first left less than 0.7 of a vector (Daniel et al. 1976).
    """
    rows = vectors.T.contiguous()
    for _ in range(2):
        before = rows.norm(dim=1)
        for row, known in zip(rows, basis, strict=True):  # products with a vector each: faster than batched ones
            row.addmv_(known.T, known @ row, alpha=-1.0)
        if bool((rows.norm(dim=1) >= _ENOUGH * before).all()):
            break
    return rows.T

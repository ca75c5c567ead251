"""Extreme eigenvalues, with residuals that prove how near they are to true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from margin_projection._validation import check_integer
from margin_projection.curvature.operators import SymmetricOperator

_DENSE = 64  # up to this size the matrix is formed


@dataclass(frozen=True)
class ExtremeEigenvalues:
    """The smallest and the largest eigenvalues.

    Attributes:
        smallest, largest: (count,) ascending.
        residual: the largest ||A v - lambda v|| over unit vectors v: an eigenvalue lies within it of each value.
    """

    smallest: np.ndarray
    largest: np.ndarray
    residual: float


def extreme_eigenvalues(operator: SymmetricOperator, count: int = 1, *, seed: int = 0) -> ExtremeEigenvalues:
    """The ``count`` smallest and largest eigenvalues, by implicitly restarted Lanczos (ARPACK).

    Args:
        operator: a symmetric matrix.
        count: at least 1 (default 1), at most p.
        seed: of the start vector (default 0).

    Raises:
        InputError: count is out of range.
    """
    check_integer("count", count, 1, operator.size)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    values, vectors = _eigenpairs(operator, count, rng)
    images = _apply(operator, vectors)
    residual = float(np.linalg.norm(images - vectors * values, axis=0).max())
    return ExtremeEigenvalues(values[:count], values[-count:], residual)


def _eigenpairs(operator: SymmetricOperator, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if operator.size <= max(_DENSE, 4 * count):
        matrix = _apply(operator, np.eye(operator.size))
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
        ends = [*range(count), *range(operator.size - count, operator.size)]
        return values[ends], vectors[:, ends]
    shape = (operator.size, operator.size)
    product = LinearOperator(shape, matvec=lambda v: _apply(operator, v.reshape(-1, 1))[:, 0], dtype=float)
    return eigsh(product, k=2 * count, which="BE", v0=rng.standard_normal(operator.size), tol=1e-10)


def _apply(operator: SymmetricOperator, vectors: np.ndarray) -> np.ndarray:
    tensor = torch.as_tensor(np.ascontiguousarray(vectors), dtype=operator.dtype, device=operator.device)
    return operator.apply(tensor).double().numpy(force=True)

"""The second-order condition at a stationary point: the least curvature of the Lagrangian on the tangent space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from margin_projection.projections.newton_step import Face

_MAX_STEPS = 30
_FEWEST = 6
_ACCURACY = 0.2  # relative residual at which the least Ritz value is good enough for its sign


@dataclass(frozen=True)
class Curvature:
    """The least eigenvalue of P W P on the tangent space (P its projector), by the Lanczos method.

    Attributes:
        least: the smallest Ritz value, an upper bound on the least eigenvalue; infinite on a zero tangent space.
        residual: some eigenvalue lies within this distance of ``least``.
        direction: (p,) the Ritz vector.
        exact: whether the Krylov space was exhausted.
    """

    least: float
    residual: float
    direction: Tensor
    exact: bool

    @property
    def confirmed(self) -> bool:
        """Whether the curvature is positive beyond the residual: evidence, by a random Krylov space, not a proof."""
        return self.least - self.residual > 1e-9


def least_curvature(face: Face, num_parameters: int, like: Tensor, seed: int) -> Curvature:
    """Lanczos with full reorthogonalization from a seeded random tangent vector."""
    draw = np.random.default_rng(seed).standard_normal(num_parameters)
    vector = face.tangent(face.tangent(torch.as_tensor(draw, dtype=like.dtype, device=like.device)))
    if float(vector.norm()) <= 1e-9 * np.sqrt(num_parameters):
        return Curvature(np.inf, 0.0, torch.zeros_like(like), True)
    basis = [vector / vector.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(_MAX_STEPS):
        image = face.tangent(basis[-1] - face.curvature(basis[-1]))
        if not bool(torch.isfinite(image).all()):  # no second derivative at the point
            return Curvature(0.0, np.inf, basis[0], False)
        diagonal.append(float(image @ basis[-1]))
        for _ in range(2):
            for each in basis:
                image = image - (image @ each) * each
        size = float(image.norm())
        values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside))
        residual = size * abs(vectors[-1, 0])
        exhausted = size <= 1e-10
        if exhausted or (residual <= _ACCURACY * abs(values[0]) and len(diagonal) >= _FEWEST):
            break
        beside.append(size)
        basis.append(image / size)
    ritz = torch.stack(basis[: len(diagonal)], 1) @ torch.as_tensor(vectors[:, 0], dtype=like.dtype, device=like.device)
    return Curvature(float(values[0]), float(residual), ritz, exhausted)

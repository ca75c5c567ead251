"""The linear systems of Newton's method and of the expansion: W x - J^T y = a, J x + D^{-1} y = b.

W = I - sum_r w_r Hessian_r, D >= 0 the rows' stiffness, infinite for equalities. Solved by conjugate gradients on x,
preconditioned by the same system with W = I, which the Gram matrix J J^T alone inverts (Woodbury). So nothing is as
badly conditioned as J^T D J for large D, and conjugate gradients see whether W + J^T D J is positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigvalsh_tridiagonal
from torch import Tensor

from margin_projection.regularization.rows import Rows

_FAINT = 1e-16  # rows whose stiffness times squared gradient is less do not bend the system
_DEPENDENT = 1e-6  # relative Cholesky pivot below which equality rows count as dependent
_FLAT = 1e-10  # curvature, relative to that of I + J^T D J, that counts as none
_PRECISION = 1e-14
_MOST_PRODUCTS = 300
_MOST_PROBES = 80


@dataclass(frozen=True)
class SaddleSolution:
    """x (p,), y (m,), the direction of nonpositive curvature where one was met, and the number of products."""

    x: Tensor
    y: Tensor
    downward: Tensor | None
    products: int


@dataclass(frozen=True)
class LeastCurvature:
    """The least Ritz value of W + J^T D J relative to I + J^T D J, over a random Krylov space.

    ``exhausted`` tells whether that space was all of R^p up to repeated eigenvalues: then it is the least eigenvalue
    with probability one, else an upper bound of it.
    """

    least: float
    exhausted: bool

    @property
    def confirmed(self) -> bool:
        """Whether it is positive."""
        return self.least > 1e-9


class SaddleSystem:
    """The system at one point.

    Args:
        rows: J with its Hessians.
        weights: (m,) w.
        stiffness: (m,) D in [0, infinity].
    """

    def __init__(self, rows: Rows, weights: Tensor, stiffness: Tensor) -> None:
        self.rows, self.weights, self.stiffness = rows, weights, stiffness
        gram = rows.gram
        squares = torch.diagonal(gram)
        self.kept = torch.nonzero(stiffness * squares > _FAINT).squeeze(1)
        softness = torch.where(torch.isinf(stiffness), 0.0, 1.0 / stiffness.clamp_min(1e-300))[self.kept]
        matrix = gram[self.kept][:, self.kept] + torch.diag(softness)
        self._scale = torch.diagonal(matrix).clamp_min(1e-300).rsqrt()
        self._matrix = self._scale[:, None] * matrix * self._scale
        self._factor, info = torch.linalg.cholesky_ex(self._matrix)
        pivots = torch.diagonal(self._factor)
        self.dependent = bool(int(info) != 0 or (len(pivots) and float(pivots.min()) <= _DEPENDENT))
        self._inverse = torch.linalg.pinv(self._matrix, rcond=1e-12, hermitian=True) if self.dependent else None

    def _divide(self, values: Tensor) -> Tensor:
        """(J J^T + D^{-1})^{-1} on the kept rows."""
        scaled = self._scale * values
        if self._inverse is not None:
            return self._scale * (self._inverse @ scaled)
        return self._scale * torch.cholesky_solve(scaled[:, None], self._factor)[:, 0]

    def _simple(self, a: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor]:
        """The solution for W = I."""
        y = torch.zeros_like(self.stiffness)
        if self.kept.numel():
            missing = -self.rows.apply(a)[self.kept]
            y[self.kept] = self._divide(missing if b is None else missing + b[self.kept])
            return a + self.rows.adjoint(y), y
        return a, y

    def _bend(self, vector: Tensor) -> Tensor:
        return self.rows.curvature(self.weights, vector)

    def solve(self, a: Tensor, b: Tensor, precision: float = _PRECISION) -> SaddleSolution:
        """x and y to a relative precision.

        Where W + J^T D J is not positive definite, conjugate gradients end at the direction that shows it.
        """
        x, y = self._simple(a, b)
        residual = self._bend(x)
        goal = precision * float(x.norm())
        downward, products, last = None, 1, None
        if float(residual.norm()) <= goal:
            return SaddleSolution(x, y, None, products)
        direction = image = torch.zeros_like(x)
        square = 1.0
        while products < _MOST_PRODUCTS:
            z, _ = self._simple(residual, None)
            fresh = float(residual @ z)
            if fresh <= 0.0 or float(z.norm()) <= goal:
                break
            step = z if last is None else z + (fresh / square) * direction
            size = residual if last is None else residual + (fresh / square) * image
            direction, image, square, last = step, size, fresh, z
            bent = self._bend(direction)
            products += 1
            bend = float(direction @ image - direction @ bent)
            if bend <= _FLAT * float(direction @ image):
                downward = direction
                break
            length = square / bend
            x = x + length * direction
            residual = residual - length * (image - bent)
        x, y = self._simple(a + self._bend(x), b)
        return SaddleSolution(x, y, downward, products)

    def least_curvature(self, seed: int = 0) -> LeastCurvature:
        """The Lanczos process behind conjugate gradients, from a seeded random vector, with reorthogonalization."""
        size = self.rows.theta.numel()
        draw = torch.as_tensor(np.random.default_rng(seed).standard_normal(size), device=self.rows.theta.device)
        image, vector = draw, self._simple(draw, None)[0]
        norm = float(image @ vector)
        if norm <= 1e-20 * size:
            return LeastCurvature(1.0, True)
        vectors, images = [vector / norm**0.5], [image / norm**0.5]
        diagonal: list[float] = []
        beside: list[float] = []
        exhausted = False
        for _ in range(min(_MOST_PROBES, size)):
            bent = self._bend(vectors[-1])
            diagonal.append(1.0 - float(vectors[-1] @ bent))
            image = images[-1] - bent
            for _ in range(2):
                for each, other in zip(vectors, images, strict=True):
                    image = image - float(image @ each) * other
            vector = self._simple(image, None)[0]
            norm = float(image @ vector)
            if norm <= 1e-20 * max(1.0, max(map(abs, diagonal)) ** 2):
                exhausted = True
                break
            beside.append(norm**0.5)
            vectors.append(vector / norm**0.5)
            images.append(image / norm**0.5)
        exhausted = exhausted or len(diagonal) == size
        values = eigvalsh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))
        return LeastCurvature(float(values[0]), exhausted)

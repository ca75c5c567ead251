"""Lower bounds on the local constants, by searching the ball for large gradients and large curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection._validation import check_integer, check_real
from margin_projection.networks.base import Model


@dataclass(frozen=True)
class AdversarialConstants:
    """Values met in the ball: proved lower bounds up to rounding, where f is smooth at the points found.

    Attributes:
        lipschitz: (n,) the largest gradient norm met of each f(x_i; .).
        smoothness: (n,) the largest |eigenvalue| met of each Hessian; 0 where none was computed.
        lipschitz_points: (n, p) where the gradients were met.
        smoothness_points: (n, p) where the Hessians were met.
        method: in words.
    """

    lipschitz: np.ndarray
    smoothness: np.ndarray
    lipschitz_points: np.ndarray
    smoothness_points: np.ndarray
    method: str


def adversarial_constants(
    model: Model, X: Tensor, theta: Tensor, radius: float, *, seed: int = 0, effort: int = 20
) -> AdversarialConstants:
    """Large gradients by ascent of ||grad f(x_i; .)||^2 / 2 in the ball, large curvature by power iteration there.

    The ascent step is the linear maximization over the ball, theta + R H g / ||H g||, kept where the norm grew and
    halved towards the current point where not. Extreme eigenvalues are sought at the center, at the ascent's end, and
    at the point of the ball farthest along the ray from 0 (where homogeneous functions of degree above 2 curve most).

    Args:
        model: any model.
        X: (n, *input_shape) float64 samples.
        theta: (p,) the center.
        radius: of the ball, at least 0.
        seed: of the random starts (default 0).
        effort: ascent steps, and power iterations, a sample (default 20).

    >>> from margin_projection.networks import Linear
    >>> adversarial_constants(Linear(2), torch.tensor([[3.0, 4.0]]).double(), torch.zeros(2).double(), 1.0).lipschitz
    array([5.])
    """
    check_real("radius", radius, 0.0)
    check_integer("seed", seed, 0)
    check_integer("effort", effort, 1)
    generator = np.random.default_rng(seed)
    searches = [_Search(model, x[None], theta, radius, effort, generator).run() for x in X]
    shape = (len(searches), theta.numel())
    return AdversarialConstants(
        np.array([found[0] for found in searches]),
        np.array([found[2] for found in searches]),
        np.array([to_numpy(found[1]) for found in searches]).reshape(shape),
        np.array([to_numpy(found[3]) for found in searches]).reshape(shape),
        "values met: gradient ascent in the ball, and power iteration on Hessians at the points found",
    )


class _Search:
    """The search for one sample."""

    def __init__(
        self, model: Model, x: Tensor, theta: Tensor, radius: float, effort: int, generator: np.random.Generator
    ) -> None:
        self._model, self._x, self._center, self._radius = model, x, theta.detach(), radius
        self._effort, self._generator = effort, generator
        self._one = torch.ones(1, dtype=theta.dtype, device=theta.device)

    def run(self) -> tuple[float, Tensor, float, Tensor]:
        """The largest gradient norm and where, the largest curvature and where."""
        best = max((self._ascend(start) for start in self._starts()), key=lambda pair: pair[0])
        candidates = [self._center, best[1], self._outward()]
        curvatures = [(self._curvature(point), point) for point in candidates]
        largest = max(curvatures, key=lambda pair: pair[0])
        return best[0], best[1], largest[0], largest[1]

    def _starts(self) -> list[Tensor]:
        direction = torch.from_numpy(self._generator.standard_normal(self._center.numel())).to(self._center.device)
        return [self._center, self._inside(self._radius * direction / direction.norm()), self._outward()]

    def _outward(self) -> Tensor:
        size = float(self._center.norm())
        return self._inside(self._radius * self._center / size) if size > 0.0 else self._center

    def _inside(self, step: Tensor) -> Tensor:
        """center + step, pulled in where rounding left the ball."""
        point = self._center + step
        length = float((point - self._center).norm())
        return point if length <= self._radius else self._center + step * (self._radius / length * (1.0 - 1e-12))

    def _gradient(self, point: Tensor) -> tuple[float, Tensor, Tensor]:
        """The gradient's norm, the gradient, and Hessian times gradient."""
        local = self._model.linearize(point, self._x)
        gradient = local.adjoint(self._one).detach()
        return float(gradient.norm()), gradient, local.hessian_vector(self._one, gradient).detach()

    def _ascend(self, point: Tensor) -> tuple[float, Tensor]:
        value, _, direction = self._gradient(point)
        for _ in range(self._effort):
            length = float(direction.norm())
            if length == 0.0 or self._radius == 0.0:
                break
            target = self._inside(self._radius * direction / length)
            improved = False
            for _ in range(4):
                new_value, _, new_direction = self._gradient(target)
                if new_value > value * (1.0 + 1e-9):
                    value, point, direction, improved = new_value, target, new_direction, True
                    break
                target = 0.5 * (point + target)
            if not improved:
                break
        return value, point

    def _curvature(self, point: Tensor) -> float:
        """max |v^T H v| met, ||v|| = 1, by power iteration on H twice a step (H may have both signs)."""
        local = self._model.linearize(point, self._x)
        vector = torch.from_numpy(self._generator.standard_normal(point.numel())).to(point.device)
        vector = vector / vector.norm()
        found = 0.0
        for _ in range(self._effort):
            image = local.hessian_vector(self._one, vector).detach()
            length = float(image.norm())  # ||H v|| <= ||H||_2 for a unit vector v
            found = max(found, length)
            if length == 0.0:
                break
            vector = image / length
        return found

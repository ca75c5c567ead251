"""Lower bounds on the local constants, by searching the ball for large gradients and large curvature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection._validation import check_integer, check_real
from margin_projection.networks.base import Model
from margin_projection.regularity.gradient_norms import gradient_norms

REFINED = 32  # samples from whose steepest points the search goes on, fewer for large models
_PARAMETERS = 4e5  # parameters of those samples together, at least 4 of them
_SMALL = 2e7  # numbers in a Jacobian up to which every random point is tried


@dataclass(frozen=True)
class AdversarialConstants:
    """Values met in the ball: proved lower bounds up to rounding, where f is smooth at the points found.

    Attributes:
        lipschitz: (n,) the largest gradient norm met of each f(x_i; .).
        smoothness: (n,) the largest |eigenvalue| of a Hessian met; 0 for samples whose Hessians were not looked at.
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

    Gradients of all samples are computed at the center, at the farthest point of the ball along the ray from 0 (where
    homogeneous functions of degree above 1 are steepest) and at random points of the sphere. From the steepest point of
    each of the 32 steepest samples (4 for the largest models) the search then ascends, by linear maximization over the
    ball: the target is theta + R H g / ||H g||, halved towards the current point where the norm did not grow. Curvature
    is sought for these samples, at the center, the farthest point and the end of the ascent.

    Args:
        model: any model.
        X: (n, *input_shape) float64 samples.
        theta: (p,) the center.
        radius: of the ball, at least 0.
        seed: of the random points (default 0).
        effort: random points, ascent steps and power iterations (default 20); fewer random points for large models.

    Raises:
        InputError: the radius or the effort is out of range.

    >>> from margin_projection.networks import Linear
    >>> adversarial_constants(Linear(2), torch.tensor([[3.0, 4.0]]).double(), torch.zeros(2).double(), 1.0).lipschitz
    array([5.])
    """
    check_real("radius", radius, 0.0)
    check_integer("effort", effort, 1)
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    ball = _Ball(theta.detach(), radius)
    draws = effort if X.shape[0] * theta.numel() <= _SMALL else 1
    points = [ball.center, ball.outward(), *(ball.sphere(generator) for _ in range(draws))]
    norms = np.stack([gradient_norms(model, X, point) for point in points])
    lipschitz, where = norms.max(0), [points[k] for k in norms.argmax(0)]
    smoothness, bent_at = np.zeros(X.shape[0]), [ball.center] * X.shape[0]
    refined = int(min(REFINED, max(4, _PARAMETERS / theta.numel())))
    for i in np.argsort(-lipschitz)[:refined]:
        search = _Search(model, X[i : i + 1], ball, effort, generator)
        lipschitz[i], where[i] = search.ascend(where[i])
        smoothness[i], bent_at[i] = search.most_curved([ball.center, ball.outward(), where[i]])
    method = "values met: gradients at random points, ascent in the ball, and power iteration on Hessians there"
    return AdversarialConstants(lipschitz, smoothness, _stacked(where, theta), _stacked(bent_at, theta), method)


def _stacked(points: list[Tensor], like: Tensor) -> np.ndarray:
    return np.array([to_numpy(point) for point in points]).reshape(len(points), like.numel())


class _Ball:
    """The closed ball around ``center``; points that rounding puts outside are pulled in."""

    def __init__(self, center: Tensor, radius: float) -> None:
        self.center, self.radius = center, radius

    def towards(self, direction: Tensor) -> Tensor:
        """The point of the sphere in this direction, the center where there is none."""
        length = float(direction.norm())
        if length == 0.0:
            return self.center
        step = direction * (self.radius / length)
        point = self.center + step
        distance = float((point - self.center).norm())
        return point if distance <= self.radius else self.center + step * (self.radius / distance * (1.0 - 1e-12))

    def outward(self) -> Tensor:
        """The point farthest along the ray from 0."""
        return self.towards(self.center)

    def sphere(self, generator: np.random.Generator) -> Tensor:
        """A random point of the sphere."""
        direction = torch.from_numpy(generator.standard_normal(self.center.numel()))
        return self.towards(direction.to(self.center.device))


class _Search:
    """The search for one sample x (1, ...)."""

    def __init__(self, model: Model, x: Tensor, ball: _Ball, effort: int, generator: np.random.Generator) -> None:
        self._model, self._x, self._ball = model, x, ball
        self._effort, self._generator = effort, generator
        self._one = torch.ones(1, dtype=x.dtype, device=x.device)

    def _slope(self, point: Tensor) -> tuple[float, Tensor]:
        """The gradient's norm, and Hessian times gradient."""
        local = self._model.linearize(point, self._x)
        gradient = local.adjoint(self._one).detach()
        return float(gradient.norm()), local.hessian_vector(self._one, gradient).detach()

    def ascend(self, point: Tensor) -> tuple[float, Tensor]:
        """The largest gradient norm met from this point on, and where."""
        value, direction = self._slope(point)
        for _ in range(self._effort):
            target = self._ball.towards(direction)
            for _ in range(4):
                new_value, new_direction = self._slope(target)
                if new_value > value * (1.0 + 1e-9):
                    break
                target = 0.5 * (point + target)
            else:
                break
            value, point, direction = new_value, target, new_direction
        return value, point

    def most_curved(self, points: list[Tensor]) -> tuple[float, Tensor]:
        """The largest curvature met at these points, and where."""
        found = [self._curvature(point) for point in points]
        best = int(np.argmax(found))
        return found[best], points[best]

    def _curvature(self, point: Tensor) -> float:
        """max ||H v|| met over unit vectors v, at most ||H||_2: power iteration."""
        local = self._model.linearize(point, self._x)
        vector = torch.from_numpy(self._generator.standard_normal(point.numel())).to(point.device)
        vector = vector / vector.norm()
        found = 0.0
        for _ in range(self._effort):
            image = local.hessian_vector(self._one, vector).detach()
            length = float(image.norm())
            found = max(found, length)
            if length == 0.0:
                break
            vector = image / length
        return found

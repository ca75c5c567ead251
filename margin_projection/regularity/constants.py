"""Proved local constants: how Lipschitz and how smooth f(x_i; .) is on a ball around a parameter vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from margin_projection._validation import check_real
from margin_projection.networks.base import Model
from margin_projection.regularity.gradient_norms import gradient_norms
from margin_projection.regularity.norm_bounds import NormCalculus
from margin_projection.regularity.structured_constants import structured_constants


@dataclass(frozen=True)
class LocalConstants:
    """Upper bounds, proved up to rounding, on the closed ball B_radius(theta).

    Attributes:
        radius: of the ball.
        lipschitz: (n,) of the Lipschitz constants of f(x_i; .); infinite where unknown.
        smoothness: (n,) of the Lipschitz constants of grad f(x_i; .); infinite where f is not C^{1,1} or unknown.
        method: how they were obtained, in words.
        obstacle: "", or what made a bound infinite.
    """

    radius: float
    lipschitz: np.ndarray
    smoothness: np.ndarray
    method: str
    obstacle: str


class ConstantBounds:
    """G_i and beta_i of a model on balls around theta (Schliserman et al. 2026, footnotes 3 and 4, made local).

    Models with structure have closed forms; all others go through the norm calculus of `regularity.norm_calculus`.
    There the gradient at the center improves the Lipschitz constant: it is at most ||grad f(x_i; theta)|| + beta_i R.

    Args:
        model: any model.
        X: (n, *input_shape) float64 samples.
        theta: (p,) float64, the center.

    >>> import torch
    >>> from margin_projection.networks import SquaredLinear
    >>> X, theta = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([1.0, 0.0, 0.0, 0.0]).double()
    >>> local = ConstantBounds(SquaredLinear(2), X, theta).at(0.0)
    >>> print(f"{local.lipschitz[0]:.4f} {local.smoothness[0]:.4f}")
    6.0000 8.0000
    """

    def __init__(self, model: Model, X: Tensor, theta: Tensor) -> None:
        X, theta = X.detach(), theta.detach()
        self._model, self._X, self._theta = model, X, theta
        self._closed_form = structured_constants(model, X, theta)
        self._calculus = NormCalculus(model, X, theta) if self._closed_form is None else None

    def at(self, radius: float) -> LocalConstants:
        """The constants on the closed ball of this radius, at least 0.

        Raises:
            InputError: the radius is negative or not finite.
        """
        check_real("radius", radius, 0.0)
        if self._closed_form is not None:
            constants, method = self._closed_form
            lipschitz, smoothness, obstacle = constants(radius)
            return LocalConstants(radius, lipschitz, smoothness, method, obstacle)
        assert self._calculus is not None
        bounds = self._calculus.at(radius)
        lipschitz, smoothness = bounds.lipschitz, bounds.smoothness
        method = "norm calculus through the network's operations"
        smooth = np.isfinite(smoothness)
        if smooth.any():
            from_center = np.full_like(lipschitz, np.inf)
            from_center[smooth] = (self._gradient_norms[smooth] + radius * smoothness[smooth]) * (1.0 + 1e-9)
            if (from_center < lipschitz).any():
                method += ", and the gradient at the center"
            lipschitz = np.minimum(lipschitz, from_center)
        return LocalConstants(radius, lipschitz, smoothness, method, bounds.obstacle)

    @cached_property
    def _gradient_norms(self) -> np.ndarray:
        return gradient_norms(self._model, self._X, self._theta)

"""The paper's global constants: G and beta over all of R^p, which homogeneity makes infinite for most models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Model, Structure
from margin_projection.networks.layered import LayeredNetwork
from margin_projection.regularity.constants import ConstantBounds

_ZERO = "the samples are such that f vanishes identically"


@dataclass(frozen=True)
class GlobalConstants:
    """G and beta of footnotes 3 and 4 of the paper, over all theta and the largest over the samples.

    Attributes:
        lipschitz, smoothness: the constants, or upper bounds where the reason says so; infinite where there is none.
        lipschitz_reason, smoothness_reason: the proof, in words.
    """

    lipschitz: float
    smoothness: float
    lipschitz_reason: str
    smoothness_reason: str


def global_constants(model: Model, X: Tensor) -> GlobalConstants:
    """The constants that Theorems 6 and 15 ask for: over all of R^p.

    grad f is homogeneous of degree r - 1, so ||grad f(c theta)|| = c^{r-1} ||grad f(theta)|| is bounded over c > 0 only
    if r = 1 or grad f = 0; the quotients of grad f scale with c^{r-2}, so they are bounded only if r = 2 or grad f is
    constant. A gradient that exists at 0 and is homogeneous of degree 0 is constant. Hence both constants are finite
    for linear models alone.

    Args:
        model: any model, of degree r.
        X: (n, *input_shape) float64 samples.

    >>> from margin_projection.networks import SquaredLinear
    >>> found = global_constants(SquaredLinear(2), torch.tensor([[3.0, -4.0]]).double())
    >>> found.lipschitz, round(found.smoothness, 6)
    (inf, 8.0)
    """
    if not _may_be_nonzero(model, X):
        return GlobalConstants(0.0, 0.0, _ZERO, _ZERO)
    if model.structure is Structure.LINEAR:
        local = ConstantBounds(model, X, torch.zeros(model.num_parameters, dtype=X.dtype, device=X.device)).at(0.0)
        lipschitz = float(local.lipschitz.max(initial=0.0))
        return GlobalConstants(lipschitz, 0.0, "f is linear in theta: G = max ||a(x)||", "f is linear in theta")
    lipschitz, lipschitz_reason = _lipschitz(model, X)
    smoothness, smoothness_reason = _smoothness(model, X)
    return GlobalConstants(lipschitz, smoothness, lipschitz_reason, smoothness_reason)


def _may_be_nonzero(model: Model, X: Tensor) -> bool:
    """False only where f is known to vanish for all theta: for structured models and bias-free layers, where X = 0."""
    known = isinstance(model, LayeredNetwork) or model.structure is not Structure.GENERAL
    return not known or bool((X != 0).any())


def _lipschitz(model: Model, X: Tensor) -> tuple[float, str]:
    r = model.degree
    if r != 1:
        where = "grows without bound as ||theta|| does" if r > 1 else "is unbounded near 0"
        return math.inf, (
            f"f is homogeneous of degree r = {r:g}, so its gradient is homogeneous of degree {r - 1:g} and {where}"
        )
    bound = _scale_free(model, X, "lipschitz")
    if math.isfinite(bound):
        return bound, "r = 1: the gradient is homogeneous of degree 0, and a bound on a ball around 0 holds everywhere"
    return math.inf, "r = 1, for which G may be finite, but no bound on a ball around 0 is known"


def _smoothness(model: Model, X: Tensor) -> tuple[float, str]:
    r = model.degree
    if r == 1 and _scale_free(model, X, "smoothness") == 0.0:
        return 0.0, "r = 1 and no second derivative on a ball around 0: f is linear"
    if r == 1:
        return math.inf, (
            "r = 1: a gradient that is homogeneous of degree 0 is continuous at 0 only if it is constant, that is if f "
            "is linear; f is not known to be"
        )
    if r != 2:
        where = "grows without bound as ||theta|| does" if r > 2 else "is unbounded near 0"
        return math.inf, (
            f"f is homogeneous of degree r = {r:g}, so its second derivatives are homogeneous of degree {r - 2:g}: the "
            f"Lipschitz quotient of its gradient {where}"
        )
    bound = _scale_free(model, X, "smoothness")
    if math.isfinite(bound):
        return bound, "r = 2: second derivatives are homogeneous of degree 0, and a bound around 0 holds everywhere"
    return math.inf, (
        "r = 2, for which beta may be finite, but no bound around 0 is known: a rectifier whose slope jumps makes the "
        "gradient discontinuous"
    )


def _scale_free(model: Model, X: Tensor, name: str) -> float:
    """The local bound on the unit ball around 0: by homogeneity it holds on every ball around 0."""
    center = torch.zeros(model.num_parameters, dtype=X.dtype, device=X.device)
    values: np.ndarray = getattr(ConstantBounds(model, X, center).at(1.0), name)
    return float(values.max(initial=0.0))

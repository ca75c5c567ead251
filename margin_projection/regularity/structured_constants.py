"""Closed forms of the Lipschitz and smoothness constants on balls, for models with structure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.simplified_relu import SimplifiedReLU

LARGEST_FORMS = 1e8  # n p^3 up to which the quadratic forms are diagonalized
_BISECTIONS = 60
_SLACK = 1.0 + 1e-9

Constants = Callable[[float], tuple[np.ndarray, np.ndarray, str]]  # radius -> G (n,), beta (n,), obstacle


def structured_constants(model: Model, X: Tensor, theta: Tensor) -> tuple[Constants, str] | None:
    """The constants as a function of the radius, and how they are obtained; None where no closed form applies."""
    if model.structure is Structure.LINEAR:
        return _linear(model.coefficients(X)), "closed form: f is linear, G = ||a(x)||"
    if model.structure is Structure.DIAGONAL_QUADRATIC:
        q = model.coefficients(X)
        return _quadratic(q, theta.expand_as(q)), "closed form: f is a diagonal quadratic form"
    if model.structure is Structure.QUADRATIC and X.shape[0] * model.num_parameters**3 <= LARGEST_FORMS:
        values, vectors = torch.linalg.eigh(model.coefficients(X))
        coordinates = (vectors.mT @ theta[:, None])[..., 0]
        return _quadratic(values, coordinates), "closed form: f is a quadratic form, diagonalized"
    if model.structure is Structure.RIDGE_SUM and isinstance(model, SimplifiedReLU):
        return _ridge_sum(model, X, theta), "closed form: f is piecewise linear, a sum of rectifiers"
    return None


def _linear(rows: Tensor) -> Constants:
    norms = to_numpy(rows.norm(dim=1)) * _SLACK
    return lambda radius: (norms, np.zeros_like(norms), "")


def _quadratic(eigenvalues: Tensor, coordinates: Tensor) -> Constants:
    """f = sum_j q_j t_j^2 in orthonormal coordinates t: beta = 2 max|q|, G = 2 max ||q (t + d)|| over ||d|| <= R."""
    q, t = to_numpy(eigenvalues), to_numpy(coordinates)
    beta = 2.0 * np.abs(q).max(1, initial=0.0) * _SLACK
    return lambda radius: (2.0 * np.sqrt(largest_square(q**2, t, radius)) * _SLACK, beta, "")


def largest_square(weights: np.ndarray, start: np.ndarray, radius: float) -> np.ndarray:
    """(n,) upper bounds, tight, on max sum_j w_j (t_j + d_j)^2 over ||d|| <= R, for w >= 0 and t (n, p).

    For every mu > max w the maximum is at most mu R^2 + sum_j w_j t_j^2 mu / (mu - w_j), with equality for the best mu
    (Lagrange duality). It is sought by bisection, whose accuracy has no influence on the validity of the bound.
    """
    top = weights.max(1, initial=0.0)
    scale = np.where(top > 0.0, top, 1.0)
    w = weights / scale[:, None]  # in [0, 1]
    simple = (np.sqrt((w * start**2).sum(1)) + radius) ** 2
    low, high = np.full(len(w), -34.0), np.full(len(w), 34.0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        gap = np.exp(middle)[:, None] + (1.0 - w)  # mu - w with mu = 1 + exp(middle)
        length = np.sqrt(np.square(w * start / gap).sum(1))
        low, high = np.where(length > radius, middle, low), np.where(length > radius, high, middle)
    excess = np.exp(high)
    dual = (1.0 + excess) * (radius**2 + (w * start**2 / (excess[:, None] + (1.0 - w))).sum(1))
    return np.where(top > 0.0, top * np.minimum(simple, dual), 0.0)


def _ridge_sum(model: SimplifiedReLU, X: Tensor, theta: Tensor) -> Constants:
    """Unit j has the gradient +-x where it is active and +-slope x where not; flipping it costs |z_j| / ||x||.

    G is ||x|| sqrt(sum of squared slopes) with as many units active as the radius affords, the cheapest first; the
    gradient is constant where no unit can be flipped, and jumps else.
    """
    norms = to_numpy(X.norm(dim=1))
    z = to_numpy(X @ theta.reshape(model.units, model.dimension).T)
    distances = np.abs(z) / np.where(norms > 0.0, norms, 1.0)[:, None]
    nearest = distances.min(1)
    costs = np.sort(np.where(z > 0.0, 0.0, distances), axis=1)
    spent = np.cumsum(costs**2, axis=1)

    def constants(radius: float) -> tuple[np.ndarray, np.ndarray, str]:
        reach = radius * _SLACK + 1e-12 * float(theta.norm())
        active = (spent <= reach**2).sum(1)
        lipschitz = norms * np.sqrt(active + (model.units - active) * model.slope**2) * _SLACK
        rough = (nearest <= reach) & (norms > 0.0)
        smoothness = np.where(rough, np.inf, 0.0)
        which = int(np.argmax(rough))
        obstacle = f"a rectifier may change its side within the ball, sample {which}" if rough.any() else ""
        return lipschitz, smoothness, obstacle

    return constants

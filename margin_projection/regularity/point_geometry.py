"""First-order geometry of a constraint system at one point: values, gradients as products, and the kinks met there."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.sets.margin_set import ConstraintSystem

_ON_KINK = 1e-9  # distance in theta, relative to max(1, ||theta||), within which the point lies on a kink


class PointGeometry:
    """The constraints c_j = s_j f(x_j; .) - b_j of a system at theta, their gradients g_j = s_j grad f(x_j; theta).

    Args:
        system: the constraints of all tasks.
        theta: (p,) float64.
    """

    def __init__(self, system: ConstraintSystem, theta: Tensor) -> None:
        self.system, self.theta = system, theta
        X, self._signs, offsets, _ = system.tensors(theta.device)
        self.line: Linearization = system.model.linearize(theta, X)
        self.values = to_numpy(self._signs * self.line.values - offsets)
        self.norm = float(theta.norm())

    @property
    def degree(self) -> float:
        """r."""
        return float(self.system.model.degree)

    @cached_property
    def gram(self) -> np.ndarray:
        """(n, n) <g_i, g_j>."""
        signs = self.system.signs
        return signs[:, None] * to_numpy(self.line.gram()) * signs

    @cached_property
    def gradient_norms(self) -> np.ndarray:
        """(n,) ||g_j||."""
        return np.sqrt(np.maximum(np.diagonal(self.gram), 0.0))

    def combine(self, weights: np.ndarray) -> Tensor:
        """sum_j weights_j g_j, (p,) for ``weights`` (n,)."""
        return self.line.adjoint(self._signs * torch.as_tensor(weights, device=self.theta.device))

    def margins(self, direction: Tensor) -> np.ndarray:
        """(n,) <g_j, direction> for ``direction`` (p,)."""
        return to_numpy(self._signs * self.line.apply(direction))

    @cached_property
    def euler_residual(self) -> float:
        """max_j |<g_j, theta> - r s_j f_j| / (1 + r |f_j|): rounding alone for an r-homogeneous model."""
        products = self.degree * (self.values + self.system.offsets)
        errors = np.abs(self.margins(self.theta) - products) / (1.0 + np.abs(products))
        return float(errors.max())

    @cached_property
    def kinks(self) -> Kinks:
        """The kinks on which theta lies, those left out whose preactivation or coefficient vanishes identically.

        Either may vanish on one piece alone, where kinks lie behind one another: slopes between both sides decide.
        """
        every = self.line.kinks()
        near = torch.nonzero(every.values.abs() <= _ON_KINK * max(1.0, self.norm)).squeeze(1)
        met = every.select(near)
        if not len(met):
            return met
        between = self.line.with_fractions(near, 0.5 + 0.25 * torch.sin(near.to(self.theta.dtype)))
        squares = torch.diagonal(between.with_kinks(met).gram())[self.line.values.numel() :]
        coefficients = between.kinks().coefficients[near]
        return met.select(torch.nonzero((squares > 0.0) & (coefficients != 0.0)).squeeze(1))

    @cached_property
    def nested(self) -> np.ndarray:
        """(n,) bool: samples with kinks in several layers, whose pieces are no combinations of the kinks' sides."""
        pairs = torch.unique(torch.stack([self.kinks.samples, self.kinks.layers]), dim=1)
        return np.bincount(to_numpy(pairs[0]), minlength=self.values.size) > 1

    @cached_property
    def kink_samples(self) -> np.ndarray:
        """(k,) the constraint each kink belongs to."""
        return to_numpy(self.kinks.samples)

    @cached_property
    def rows(self) -> Linearization:
        """The n outputs and, behind them, the preactivations of the kinks."""
        return self.line.with_kinks(self.kinks)

    @cached_property
    def flips(self) -> np.ndarray:
        """(k,) the multiple of a preactivation's gradient that g_j gains where its kink is taken on the other side."""
        jumps = self.system.signs[self.kink_samples] * to_numpy(self.kinks.coefficients)
        return np.where(to_numpy(self.kinks.values) <= 0.0, jumps, -jumps)

    def flip_changes(self, direction: Tensor) -> np.ndarray:
        """(k,) what taking each kink on its other side adds to the slope of its constraint along ``direction``."""
        return self.flips * to_numpy(self.rows.apply(direction))[self.values.size :]

    def slopes(self, direction: Tensor) -> np.ndarray:
        """(n,) min <g, direction> over the Clarke subgradients g of each c_j at theta (exact for independent kinks)."""
        slopes = self.margins(direction)
        if len(self.kinks):
            worst = np.minimum(self.flip_changes(direction), 0.0)
            slopes = slopes + np.bincount(self.kink_samples, worst, self.values.size)
        return slopes

    @cached_property
    def clarke_norms(self) -> np.ndarray:
        """(n,) upper bounds on the norms of the Clarke subgradients of each c_j; ||g_j|| off kinks."""
        if not len(self.kinks):
            return self.gradient_norms
        squares = to_numpy(torch.diagonal(self.rows.gram()))[self.values.size :]
        lengths = np.abs(self.flips) * np.sqrt(np.maximum(squares, 0.0))
        return self.gradient_norms + np.bincount(self.kink_samples, lengths, self.values.size)

    @cached_property
    def on_kinks(self) -> np.ndarray:
        """(n,) bool: the samples whose output has a kink at theta."""
        marked = np.zeros(self.values.size, dtype=bool)
        marked[self.kink_samples] = True
        return marked

"""Constraint rows at one point: signed gradients of the samples, and of preactivations that are held at zero."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.networks.linearization import Kinks
from margin_projection.sets.margin_set import ConstraintSystem


@dataclass(frozen=True)
class HeldKinks:
    """Stuck kinks: preactivations held at z = 0, with the fraction of the right slope that the gradients have there.

    Attributes:
        index: (k,) positions in the order of the model's `kinks`.
        fractions: (k,) in [0, 1].
    """

    index: Tensor
    fractions: Tensor

    @staticmethod
    def none(like: Tensor) -> HeldKinks:
        """No kinks."""
        return HeldKinks(torch.zeros(0, dtype=torch.int64, device=like.device), like.new_zeros(0))

    def __len__(self) -> int:
        return int(self.index.numel())

    def without(self, gone: Tensor) -> HeldKinks:
        """Those at which the mask ``gone`` (k,) is false."""
        return HeldKinks(self.index[~gone], self.fractions[~gone])

    def joined(self, index: Tensor, fraction: float) -> HeldKinks:
        """With the kinks ``index`` added."""
        fractions = self.fractions.new_full((index.numel(),), fraction)
        return HeldKinks(torch.cat([self.index, index]), torch.cat([self.fractions, fractions]))


class Rows:
    """J (m, p): gradients of m_i = signs_i f_i for the n samples, then of the k held preactivations.

    Attributes:
        theta: (p,) the point.
        slack: (n,) c_i; heights: (k,) the held preactivations.
        held: which they are; kinks: their data; jumps: (k,) the change of grad c_i per unit of the kink's fraction.
        count: n.
    """

    def __init__(self, system: ConstraintSystem, theta: Tensor, held: HeldKinks) -> None:
        X, signs, offsets, _ = system.tensors(theta.device)
        self.theta, self.held, self.count = theta, held, int(signs.numel())
        self.plain = system.model.linearize(theta, X)
        line = self.plain
        self.kinks = Kinks.none(theta)
        if len(held):
            line = line.with_fractions(held.index, held.fractions)
            self.kinks = line.kinks().select(held.index)
            line = line.with_kinks(self.kinks)
        self.line = line
        self.signs = signs
        self.factors = torch.cat([signs, theta.new_ones(len(held))])
        self.slack = signs * self.plain.values - offsets
        self.heights = self.kinks.values
        self.jumps = signs[self.kinks.samples] * self.kinks.coefficients
        self._gram: Tensor | None = None

    @property
    def gram(self) -> Tensor:
        """(m, m) J J^T."""
        if self._gram is None:
            self._gram = self.factors[:, None] * self.line.gram() * self.factors
        return self._gram

    def apply(self, vector: Tensor) -> Tensor:
        """J v."""
        return self.factors * self.line.apply(vector)

    def adjoint(self, weights: Tensor) -> Tensor:
        """J^T u."""
        return self.line.adjoint(self.factors * weights)

    def curvature(self, weights: Tensor, vector: Tensor) -> Tensor:
        """(sum_r weights_r Hessian of row r) v."""
        return self.line.hessian_vector(self.factors * weights, vector)

    def implied_fractions(self, multipliers: Tensor, pulls: Tensor) -> Tensor:
        """(k,) where between left and right slope the multipliers put each held kink, unclipped."""
        weight = multipliers[self.kinks.samples] * self.jumps
        moved = torch.where(weight.abs() > 1e-300, pulls / weight, torch.where(pulls == 0, 0.0, torch.inf))
        return self.held.fractions + moved

"""The first-order expansion of the scaled iterate in s, by the implicit function theorem at the limit.

With active set A, W = I - sum_i mu_i Hess m_i and (S, P) the solution operators of [[W, -J_A^T], [J_A, 0]] for the
second and the first right-hand side, theta_t(s) = Thetabar_t + e_t(s) + higher order, where for classification

    e_t = alpha_t log(s) / s + beta_t / s,    alpha_t = P_t alpha_{t-1} + (1 - 2/r) S_t 1,
                                               beta_t = P_t beta_{t-1} - S_t log(2 n_t mu_A),

and for regression e_t = gamma_t e^{-s}, gamma_t = P_t gamma_{t-1} - S_t n_t mu. (docs/vanishing_regularization.md.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.regularization.limit import ExpansionStatus, LimitPoint
from margin_projection.regularization.rows import HeldKinks, Rows
from margin_projection.regularization.saddle import SaddleSystem
from margin_projection.sets.margin_set import ConstraintSystem

_ON_KINK = 1e-7
_PROBE = 1e-5  # length of the move that shows which side of a kink the expansion takes


@dataclass(frozen=True)
class Expansion:
    """Coefficients (p,) of one step; zero where ``status`` says that there are none.

    Attributes:
        status: see `ExpansionStatus`.
        alpha, beta: of log(s)/s and 1/s (classification); gamma: of e^{-s} (regression).
    """

    status: ExpansionStatus
    alpha: Tensor
    beta: Tensor
    gamma: Tensor

    @staticmethod
    def zero(like: Tensor, status: ExpansionStatus = ExpansionStatus.HOLDS) -> Expansion:
        """No error at all, as at the start."""
        return Expansion(status, *(torch.zeros_like(like) for _ in range(3)))

    def error(self, s: float, is_regression: bool) -> Tensor:
        """(p,) the predicted error at s."""
        if is_regression:
            return self.gamma * math.exp(-s)
        return (self.alpha * math.log(s) + self.beta) / s

    def mapped(self, matrix_product: object) -> Expansion:
        """The same in other coordinates: ``matrix_product`` maps (p,) to (p,)."""
        assert callable(matrix_product)
        return Expansion(self.status, *(matrix_product(each) for each in (self.alpha, self.beta, self.gamma)))


def expand(
    system: ConstraintSystem, limit: LimitPoint, previous: Expansion, degree: float, is_regression: bool
) -> Expansion:
    """The expansion of the step that ends at ``limit``, from that of the step before."""
    if not previous.status.has_numbers:
        return Expansion.zero(limit.theta, ExpansionStatus.NO_PREDECESSOR)
    rows = Rows(system, limit.theta, limit.held)
    if not torch.equal(limit.tight, limit.active):
        return Expansion.zero(limit.theta, _why_weak(rows, limit))
    hard = torch.cat([limit.active, limit.active.new_ones(len(limit.held))])
    if not hard.any():
        return Expansion(ExpansionStatus.INTERIOR, previous.alpha, previous.beta, previous.gamma)
    weights = torch.cat([limit.multipliers, limit.theta.new_zeros(len(limit.held))])
    saddle = SaddleSystem(rows, weights, torch.where(hard, math.inf, 0.0).to(weights.dtype))
    if saddle.dependent:
        return Expansion.zero(limit.theta, ExpansionStatus.DEPENDENT_GRADIENTS)
    if not saddle.least_curvature().confirmed:
        return Expansion.zero(limit.theta, ExpansionStatus.DEGENERATE_CURVATURE)
    expansion = _coefficients(saddle, limit, previous, degree, is_regression, weights)
    if not _stays_on_pieces(system, rows, limit, expansion, is_regression):
        return Expansion.zero(limit.theta, ExpansionStatus.AT_KINK)
    return expansion


def _why_weak(rows: Rows, limit: LimitPoint) -> ExpansionStatus:
    """A tight row without a multiplier: among dependent gradients that is a choice, else the row is weakly active."""
    tight = torch.cat([limit.tight, limit.tight.new_ones(len(limit.held))])
    weights = limit.theta.new_zeros(tight.numel())
    dependent = SaddleSystem(rows, weights, torch.where(tight, math.inf, 0.0).to(weights.dtype)).dependent
    return ExpansionStatus.DEPENDENT_GRADIENTS if dependent else ExpansionStatus.WEAKLY_ACTIVE


def _coefficients(
    saddle: SaddleSystem, limit: LimitPoint, previous: Expansion, degree: float, is_regression: bool, weights: Tensor
) -> Expansion:
    count = int(limit.active.numel())
    ones, other = torch.zeros_like(weights), torch.zeros_like(weights)
    carried = torch.nonzero(limit.active).squeeze(1)
    if is_regression:
        other[carried] = -count * limit.multipliers[carried]
        gamma = saddle.solve(previous.gamma, other).x
        return Expansion(ExpansionStatus.HOLDS, torch.zeros_like(gamma), torch.zeros_like(gamma), gamma)
    ones[carried] = 1.0 - 2.0 / degree
    other[carried] = -torch.log(2.0 * count * limit.multipliers[carried])
    alpha, beta = saddle.solve(previous.alpha, ones).x, saddle.solve(previous.beta, other).x
    return Expansion(ExpansionStatus.HOLDS, alpha, beta, torch.zeros_like(beta))


def _stays_on_pieces(
    system: ConstraintSystem, rows: Rows, limit: LimitPoint, expansion: Expansion, is_regression: bool
) -> bool:
    """Whether preactivations at zero that nothing holds keep their side (z > 0, or z <= 0) along the expansion."""
    values, samples = rows.plain.breaks()
    if not values.numel():
        return True
    size = 1.0 + float(limit.theta.norm())
    near = (values.abs() <= _ON_KINK * size) & (limit.multipliers.abs() > 0)[samples]
    near[limit.held.index] = False
    if not near.any():
        return True
    parts = (expansion.gamma,) if is_regression else (expansion.alpha, expansion.beta)
    undecided = near
    for part in parts:
        if float(part.norm()) <= 1e-12 * size:
            continue
        step = part * (_PROBE * size / float(part.norm()))
        change = Rows(system, limit.theta + step, HeldKinks.none(step)).plain.breaks()[0] - values
        moves = change.abs() > 1e-3 * _PROBE * size * 1e-3
        if (undecided & moves & ((change > 0) != (values > 0))).any():
            return False
        undecided = undecided & ~moves
    return True


def selection_terms(
    limit: LimitPoint, degree: float, expansion: Expansion, start: Tensor, is_regression: bool
) -> tuple[float, float]:
    """(a, b): the objective of the branch is distance^2 + a log(s)/s + b/s + ..., which selects among minimizers.

    2 sum_i mu_i ((1 - 2/r) log s - log(2 n mu_i) + 1) / s from the loss, - 2 <e_{t-1}, theta - start> from the start's
    own error (``expansion`` of the step before); sum_i mu_i = <theta - start, theta> / r by Euler's identity. In
    regression distance^2 + b e^{-s} + ..., b = - n sum_i mu_i^2 - 2 <gamma_{t-1}, theta - start>.
    """
    carried = limit.multipliers[limit.active]
    count = int(limit.active.numel())
    shift = limit.theta - start
    if is_regression:
        return 0.0, -count * float(carried @ carried) - 2.0 * float(expansion.gamma @ shift)
    entropy = float((carried * (1.0 - torch.log(2.0 * count * carried))).sum())
    logarithmic = 2.0 * (1.0 - 2.0 / degree) * float(carried.sum()) - 2.0 * float(expansion.alpha @ shift)
    return logarithmic, 2.0 * entropy - 2.0 * float(expansion.beta @ shift)

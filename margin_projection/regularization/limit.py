"""The minimizers of the limit problem as points from which paths can be followed: active set, multipliers, kinks."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.projections.dual_qp import least_distance
from margin_projection.projections.pieces import STUCK
from margin_projection.regularization.losses import HardConstraints
from margin_projection.regularization.newton import RelaxedPoint, RelaxedProblem, solve_relaxed
from margin_projection.regularization.rows import HeldKinks, Rows
from margin_projection.sets.margin_set import ConstraintSystem

_ACTIVE = 1e-6  # slack, relative to the row's gradient times the point's size, of an active constraint
_CARRIED = 1e-7  # share of the largest multiplier beyond which one counts as positive
_UNMOVED = 1e-9  # relative share of the displacement below which a multiplier may be rounding, and counts as 0
_ON_KINK = 1e-7
_MOST_ROUNDS = 10


class ExpansionStatus(enum.Enum):
    """Whether the first-order expansion of a step holds, and why not. Each member's value is a sentence."""

    HOLDS = "Independent active gradients, positive multipliers and positive curvature: the expansion holds."
    INTERIOR = "The previous point lies inside the set: the step does not move it, and its own error is carried over."
    WEAKLY_ACTIVE = "An active constraint has multiplier 0: the error has another law, which is not derived here."
    DEPENDENT_GRADIENTS = "The active gradients depend on one another: the multipliers are not unique."
    DEGENERATE_CURVATURE = "The Lagrangian's curvature on the tangent space is not positive: the path may move fast."
    AT_KINK = "The point lies on a kink that nothing holds: the expansion depends on the side, and is not derived here."
    NO_PREDECESSOR = "The previous step has no expansion to start from."
    NOT_FOLLOWED = "No minimizer of the projection was followed: there is no limit to expand at."

    @property
    def has_numbers(self) -> bool:
        """Whether coefficients are given."""
        return self in (ExpansionStatus.HOLDS, ExpansionStatus.INTERIOR)


@dataclass(frozen=True)
class LimitPoint:
    """A minimizer of the projection, refined by Newton's method on its active set.

    Attributes:
        theta: (p,); multipliers: (n,); active: (n,) bool, those that carry multipliers.
        tight: (n,) bool, slack 0, with or without a multiplier; held: its stuck kinks.
        residual: of the KKT system.
        distance: ||theta - start||.
    """

    theta: Tensor
    multipliers: Tensor
    active: Tensor
    tight: Tensor
    held: HeldKinks
    residual: float
    distance: float

    def as_relaxed(self, dual: Tensor) -> RelaxedPoint:
        """The start of a path from here."""
        pulls = self.theta.new_zeros(len(self.held))
        return RelaxedPoint(self.theta, dual, pulls, self.held, self.residual, 0.0, 0)


def limit_point(system: ConstraintSystem, start: Tensor, theta: Tensor) -> LimitPoint:
    """What `project` found, from the point alone: multipliers by nonnegative least squares, then Newton's method.

    Args:
        start: (p,) the projected point; theta: (p,) a minimizer.
    """
    rows, is_equality = Rows(system, theta, HeldKinks.none(theta)), system.tensors(theta.device)[3]
    norms = torch.diagonal(rows.gram)[: rows.count].clamp_min(0.0).sqrt()
    near = (rows.slack.abs() <= _ACTIVE * (1.0 + norms * theta.norm())) | is_equality
    multipliers, held = _explain(system, start, theta, near)
    largest = float(multipliers.abs().max())
    moving = multipliers.abs() * norms > _UNMOVED * (1.0 + float(theta.norm()))
    active = (near & moving & (multipliers.abs() > _CARRIED * largest)) | is_equality
    problem = RelaxedProblem(system, start, HardConstraints(active))
    point = solve_relaxed(problem, theta, multipliers * active, held, 1e-12)
    moved = float((point.theta - theta).norm())
    if moved > 1e-4 * (1.0 + float(theta.norm())) or (point.dual[~is_equality] < 0).any():
        point = RelaxedPoint(theta, multipliers * active, theta.new_zeros(len(held)), held, 1e-6, 0.0, 0)
    distance = float((point.theta - start).norm())
    return LimitPoint(point.theta, point.dual * active, active, near | active, point.held, point.residual, distance)


def _explain(system: ConstraintSystem, start: Tensor, theta: Tensor, near: Tensor) -> tuple[Tensor, HeldKinks]:
    """Multipliers of the active rows and the kinks that are stuck: those whose implied fraction lies inside (0, 1)."""
    held, is_equality = HeldKinks.none(theta), system.tensors(theta.device)[3]
    rows = Rows(system, theta, held)
    z = rows.plain.preactivations()
    if z.numel():
        multipliers = _least_squares(rows, theta - start, near, is_equality)[0]
        kinks = rows.plain.kinks()
        concave = torch.where(is_equality, multipliers.sign(), near.to(theta.dtype)) * rows.signs
        close = (z.abs() <= _ON_KINK * (1.0 + theta.norm())) & near[kinks.samples]
        close &= (concave[kinks.samples] * kinks.coefficients < 0) | is_equality[kinks.samples]
        held = held.joined(torch.nonzero(close).squeeze(1), 0.5)
    for _ in range(_MOST_ROUNDS + len(held)):
        rows = Rows(system, theta, held)
        multipliers, pulls = _least_squares(rows, theta - start, near, is_equality)
        if not len(held):
            break
        fractions = rows.implied_fractions(multipliers, pulls)
        outside = torch.maximum(-fractions, fractions - 1.0)
        if float(outside.max()) > -STUCK:
            held = held.without(outside >= min(float(outside.max()), -STUCK))
        elif float((fractions - held.fractions).abs().max()) <= 1e-12:
            break
        else:
            held = HeldKinks(held.index, fractions)
    return multipliers, held


def _least_squares(rows: Rows, displacement: Tensor, near: Tensor, is_equality: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) multipliers and (k,) pulls that explain the displacement best, nonnegative for inequalities."""
    chosen = torch.cat([near, near.new_ones(len(rows.held))])
    free = torch.cat([is_equality, near.new_ones(len(rows.held))])[chosen].cpu().numpy()
    weights = torch.zeros_like(rows.factors)
    gram = rows.gram[chosen][:, chosen].cpu().numpy()
    rhs = rows.apply(displacement)[chosen].cpu().numpy()
    solution = least_distance(gram, rhs, free).multipliers if chosen.any() else np.zeros(0)
    weights[chosen] = torch.as_tensor(np.nan_to_num(solution), device=weights.device)
    return weights[: rows.count], weights[rows.count :]

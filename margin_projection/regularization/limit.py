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

_ACTIVE = (1e-6, 1e-9, 1e-12)  # slack, relative to gradient times point, of active constraints: the first that works
_VIOLATED = 1e-9  # violation beyond which, with rounding, a refined point solved the wrong rows
_ROUNDINGS = 64.0 * 2.0**-52  # relative to gradient times point
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

    Far from the origin, constraints that are not active look so, and solving them as equations leads out of the set:
    then fewer are taken to be active.

    Args:
        start: (p,) the projected point; theta: (p,) a minimizer.
    """
    first, is_refined = _refined(system, start, theta, _ACTIVE[0])
    limit = first
    for share in _ACTIVE[1:]:
        if is_refined:
            break
        limit, is_refined = _refined(system, start, theta, share)
    return limit if is_refined else first


def _refined(system: ConstraintSystem, start: Tensor, theta: Tensor, share: float) -> tuple[LimitPoint, bool]:
    """The limit point with slacks up to ``share`` counted as active, and whether refining it led to a feasible one."""
    rows, is_equality = Rows(system, theta, HeldKinks.none(theta)), system.tensors(theta.device)[3]
    norms = torch.diagonal(rows.gram)[: rows.count].clamp_min(0.0).sqrt()
    sizes = 1.0 + norms * theta.norm()
    near = (rows.slack.abs() <= share * sizes) | is_equality
    multipliers, held = _explain(system, start, theta, near)
    largest = float(multipliers.abs().max())
    moving = multipliers.abs() * norms > _UNMOVED * (1.0 + float(theta.norm()))
    active = (near & moving & (multipliers.abs() > _CARRIED * largest)) | is_equality
    problem = RelaxedProblem(system, start, HardConstraints(active))
    point = solve_relaxed(problem, theta, multipliers * active, held, 1e-12)
    moved = float((point.theta - theta).norm())
    violations = system.violation_values(system.constraint_values(point.theta)) - rows.slack.abs() * is_equality
    is_refined = bool((violations <= _VIOLATED + _ROUNDINGS * sizes).all())
    is_refined &= moved <= 1e-4 * (1.0 + float(theta.norm())) and not bool((point.dual[~is_equality] < 0).any())
    if not is_refined:
        point = RelaxedPoint(theta, multipliers * active, theta.new_zeros(len(held)), held, 1e-6, 0.0, 0)
    distance = float((point.theta - start).norm())
    dual = point.dual * active
    return LimitPoint(point.theta, dual, active, near | active, point.held, point.residual, distance), is_refined


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

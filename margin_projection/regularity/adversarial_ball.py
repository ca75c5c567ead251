"""A search in the ball itself for points where d(x, C*) / max_m d(x, C_m) is large, by certified projections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.projections.project import project
from margin_projection.projections.result import Status
from margin_projection.sets.margin_set import ConstraintSystem

_TINY = 1e-7  # distances below this share of the radius are left out: rounding decides their ratios
_ROUNDING = 1e-14  # error of a point relative to its norm, and of a constraint's value relative to 1 + |offset|


@dataclass(frozen=True)
class BallSearch:
    """The largest ratios met in the ball.

    Attributes:
        proved: the largest lower bound d(x, C*) >= ... over distances found, both certified; 0 where none was.
        sampled: the largest ratio of distances as found (local projections give upper bounds of distances).
        point: (p,) where ``sampled`` was met, None where none was.
        points: how many points were tried.
    """

    proved: float
    sampled: float
    point: Tensor | None
    points: int


def search_ball(
    sets: Sequence[ConstraintSystem],
    joint: ConstraintSystem,
    theta: Tensor,
    radius: float,
    directions: Sequence[Tensor],
    seed: int,
    draws: int,
    sensitivity: float,
) -> BallSearch:
    """Ratios at theta + radius d for the given unit directions d (and half-way), and at ``draws`` random points.

    Violations of the projections found, and rounding, falsify distances by ``sensitivity`` per unit of a constraint.
    """
    generator = np.random.default_rng(seed)
    points = [theta + share * radius * each for each in directions for share in (1.0, 0.5)]
    for _ in range(draws):
        draw = torch.as_tensor(generator.standard_normal(theta.numel()), device=theta.device)
        points.append(theta + radius * float(generator.random() ** 0.5) * draw / draw.norm())
    best = BallSearch(0.0, 0.0, None, len(points))
    for point in points:
        proved, sampled = _ratios(sets, joint, point, radius, seed, sensitivity)
        where = point if sampled > best.sampled else best.point
        best = BallSearch(max(best.proved, proved), max(best.sampled, sampled), where, len(points))
    return best


def _ratios(
    sets: Sequence[ConstraintSystem],
    joint: ConstraintSystem,
    point: Tensor,
    radius: float,
    seed: int,
    sensitivity: float,
) -> tuple[float, float]:
    """(proved, sampled) ratio at one point; zeros where a projection failed or the point lies (nearly) in C*."""
    options = {"starts": 1, "seed": seed, "throw": False}
    to_joint = project(point, joint, **options)  # type: ignore[arg-type]
    if not to_joint.status.is_success or to_joint.distance <= _TINY * radius:
        return 0.0, 0.0
    constraint = _ROUNDING * (1.0 + float(np.abs(joint.offsets).max()))
    error = _ROUNDING * float(point.norm()) + sensitivity * constraint
    largest = above = 0.0
    for each in sets:
        projection = project(point, each, **options)  # type: ignore[arg-type]
        if not projection.status.is_success:
            return 0.0, 0.0
        largest = max(largest, projection.distance)
        if math.isfinite(error):
            above = max(above, projection.distance + error + sensitivity * each.violation(projection.point))
    if largest <= _TINY * radius:
        return 0.0, 0.0
    certified = to_joint.status is Status.GLOBAL and math.isfinite(error)
    proved = max(0.0, to_joint.certificate.lower_bound - error) / above if certified else 0.0
    return proved, to_joint.distance / largest

"""One step of Algorithm 1 at every s: candidates from all branches, the lowest one, its certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Structure
from margin_projection.projections.project import project
from margin_projection.projections.result import Projection, Status
from margin_projection.regularization.branches import StepSetting, follow_down, follow_up
from margin_projection.regularization.certificate import StepCertificate, certify
from margin_projection.regularization.expansion import Expansion, expand, selection_terms
from margin_projection.regularization.limit import ExpansionStatus, LimitPoint, limit_point
from margin_projection.regularization.newton import RelaxedPoint

_TIE = 1e-13  # relative difference of objectives below which the first branch is taken
_SAME = 1e-6
ELSEWHERE = -1  # the branch number of points that no minimizer of the projection leads to


@dataclass(frozen=True)
class Branch:
    """A minimizer of the projection, its expansion and the path that tends to it."""

    limit: LimitPoint
    expansion: Expansion
    selection: tuple[float, float]
    path: list[RelaxedPoint | None]


@dataclass(frozen=True)
class StepResult:
    """One step, in the coordinates in which the regularizer is Euclidean.

    Attributes:
        points: (S, p); multipliers: (S, n).
        branches: all followed minimizers; chosen: (S,) which one the iterate lies on, or `ELSEWHERE`.
        limit_branch: the one that the path tends to, or `ELSEWHERE`.
        certificates: one an s.
        projection: what `project` returned.
    """

    points: Tensor
    multipliers: Tensor
    branches: list[Branch]
    chosen: np.ndarray
    limit_branch: int
    certificates: list[StepCertificate]
    projection: Projection

    @property
    def limit(self) -> Branch | None:
        """The branch that the path tends to, None where it is not known."""
        return None if self.limit_branch == ELSEWHERE else self.branches[self.limit_branch]


def take_step(
    setting: StepSetting, previous: Expansion, max_branches: int, options: Mapping[str, Any]
) -> StepResult:
    """Follow every minimizer of the projection, and what descent finds besides, and choose the lowest at each s.

    Raises:
        ProjectionError: the set is empty, or no feasible stationary point was found.
    """
    arguments = {"seed": setting.seed, "all_minimizers": True, **options}
    projection = project(setting.start, setting.system, **arguments)
    branches: list[Branch] = []
    for theta in projection.minimizers[:max_branches]:
        branches.append(_branch(setting, limit_point(setting.system, setting.start, theta), previous))
    others: list[RelaxedPoint | None] = [None] * len(setting.grid)
    if not _is_convex(setting) or any(point is None for branch in branches for point in branch.path):
        others = follow_up(setting, [branch.path for branch in branches])
    if _is_convex(setting):
        others = _on_the_only_branch(branches[0].path, others, setting.tolerance)
    nearer = _nearer_limit(setting, others[-1], branches)
    if nearer is not None:
        branches.append(_branch(setting, nearer, previous))
        others[-1] = None
    return _choose(setting, branches, others, projection)


def _is_convex(setting: StepSetting) -> bool:
    """Whether Phi is convex: then a stationary point is the only minimizer, and no other is looked for."""
    return setting.system.model.structure is Structure.LINEAR


def _on_the_only_branch(
    path: list[RelaxedPoint | None], others: list[RelaxedPoint | None], tolerance: float
) -> list[RelaxedPoint | None]:
    """Where Phi is convex, stationary points found elsewhere join ``path``; what is left of ``others``."""
    for index, point in enumerate(others):
        if path[index] is None and point is not None and point.residual <= tolerance:
            path[index], others[index] = point, None
    return others


def _branch(setting: StepSetting, limit: LimitPoint, previous: Expansion) -> Branch:
    expansion = expand(setting.system, limit, previous, setting.degree, setting.is_regression)
    predictor = expansion if expansion.status.has_numbers else Expansion.zero(setting.start)
    selection = selection_terms(limit, setting.degree, previous, setting.start, setting.is_regression)
    return Branch(limit, expansion, selection, follow_down(setting, limit, predictor))


def _nearer_limit(setting: StepSetting, point: RelaxedPoint | None, branches: list[Branch]) -> LimitPoint | None:
    """A feasible stationary point of the limit nearer than those that `project` found, where descent found one."""
    if point is None:
        return None
    limit = limit_point(setting.system, setting.start, point.theta)
    violation = setting.system.violation(limit.theta)
    nearest = min(branch.limit.distance for branch in branches)
    is_new = all(float((branch.limit.theta - limit.theta).norm()) > _SAME for branch in branches)
    good = limit.residual <= 1e-9 and violation <= 1e-9 and limit.distance < nearest * (1.0 + 1e-9)
    return limit if good and is_new else None


def _choose(
    setting: StepSetting, branches: list[Branch], others: list[RelaxedPoint | None], projection: Projection
) -> StepResult:
    count = len(setting.grid)
    points = setting.hats.clone()
    multipliers = torch.zeros(count, setting.system.num_constraints, dtype=points.dtype, device=points.device)
    chosen = np.full(count, ELSEWHERE)
    certificates = []
    for index in range(count):
        candidates = [(which, branch.path[index]) for which, branch in enumerate(branches)]
        candidates.append((ELSEWHERE, others[index]))
        certificate, which, point = _lowest(setting, index, candidates)
        certificates.append(certificate)
        chosen[index] = which
        if point is not None:
            points[index] = point.theta
            multipliers[index] = setting.loss_at(setting.grid[index]).multipliers(point.dual)
    return StepResult(points, multipliers, branches, chosen, int(chosen[-1]), certificates, projection)


def _lowest(
    setting: StepSetting, index: int, candidates: list[tuple[int, RelaxedPoint | None]]
) -> tuple[StepCertificate, int, RelaxedPoint | None]:
    """The candidate of least objective that is no saddle point; ties go to the first."""
    problem = setting.problem(index)
    best: tuple[StepCertificate, int, RelaxedPoint] | None = None
    for which, point in candidates:
        if point is None:
            continue
        objective = _objective(setting, index, point)
        if best is not None and objective >= best[0].objective - _TIE * (1.0 + abs(objective)):
            continue
        curvature = problem.curvature(point, setting.seed)
        if curvature.least < -1e-9:
            continue
        certificate = certify(problem, point, objective, curvature.confirmed, setting.tolerance)
        best = (certificate, which, point)
    if best is None:
        return StepCertificate(Status.STALLED, math.inf, math.inf, math.inf, math.inf), ELSEWHERE, None
    return best


def _objective(setting: StepSetting, index: int, point: RelaxedPoint) -> float:
    """Phi from raw values; for the squared loss from the multipliers, as rounding hides residuals of size e^{-s}."""
    if not setting.is_regression:
        return setting.problem(index).objective(point.theta)
    offset = point.theta - setting.hats[index]
    softness = setting.system.num_constraints * math.exp(-setting.grid[index])
    return float(offset @ offset) + softness * float(point.dual.square().sum())


def limit_status(result: StepResult) -> ExpansionStatus:
    """The status of the expansion of the branch that the path tends to."""
    return ExpansionStatus.NOT_FOLLOWED if result.limit is None else result.limit.expansion.status


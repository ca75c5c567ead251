"""Following stationary points of the scaled problem in s: from a minimizer of the limit down, and from small s up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.regularization.descent import LARGEST_DESCENT, descend
from margin_projection.regularization.expansion import Expansion
from margin_projection.regularization.limit import LimitPoint
from margin_projection.regularization.losses import ScaledLoss, scaled_loss
from margin_projection.regularization.newton import RelaxedPoint, RelaxedProblem, solve_relaxed
from margin_projection.sets.margin_set import ConstraintSystem

_MOST_HALVINGS = 6
_FARTHEST = 0.5  # a Newton solution farther from its start than this, relative to its size, is another point
_SAME = 1e-7
_TIGHT = 0.3  # share of the largest multiplier at which tight rows without one start
_LEAST = 1e-12  # multipliers that are all below this are those of the loss
_ELSEWHERE = 6  # random initial points of descent
_MOST_PARAMETERS = 2000  # of models for which these are tried
_APART = 3.0  # ratio of the values of s at which it starts from these


@dataclass(frozen=True)
class StepSetting:
    """One step of Algorithm 1 at every s: data, losses and scaled previous iterates.

    Attributes:
        system: the task's constraints; loss: its name; degree: r.
        grid: s_1 < ... < s_S.
        hats: (S, p) scaled previous iterates; start: (p,) their limit.
        tolerance: on the residual of the relaxed system; seed: of random initial points.
    """

    system: ConstraintSystem
    loss: str
    degree: float
    grid: Sequence[float]
    hats: Tensor
    start: Tensor
    tolerance: float
    seed: int

    @property
    def is_regression(self) -> bool:
        """Whether the loss is the squared one."""
        return self.loss == "squared"

    def loss_at(self, s: float) -> ScaledLoss:
        """The loss at any s > 0."""
        return scaled_loss(self.loss, s, self.degree, self.system.num_constraints)

    def problem(self, index: int) -> RelaxedProblem:
        """The problem at grid point ``index``."""
        return RelaxedProblem(self.system, self.hats[index], self.loss_at(self.grid[index]))


def initial_dual(setting: StepSetting, limit: LimitPoint, s: float) -> Tensor:
    """The dual variables near the limit: its multipliers, and for the other rows those of the loss at its slack."""
    if setting.is_regression:
        return limit.multipliers
    slack = setting.system.constraint_values(limit.theta)
    floor = torch.where(limit.tight, _TIGHT * limit.multipliers.max(), 0.0)  # of dependent rows more than one carries
    safe = torch.where(limit.active, limit.multipliers, floor)
    return torch.where(safe > 0, safe.clamp_min(1e-300).log(), setting.loss_at(s).from_slack(slack.clamp_min(0.0)))


def follow_down(setting: StepSetting, limit: LimitPoint, expansion: Expansion) -> list[RelaxedPoint | None]:
    """The branch that tends to ``limit``, at every grid point; None below the s at which it ends or is lost.

    At the largest s it starts from the expansion; from there each point starts at the one above, over intermediate s
    and previous iterates where Newton's method does not converge at once.
    """
    last = len(setting.grid) - 1
    s = setting.grid[last]
    found: list[RelaxedPoint | None] = [None] * len(setting.grid)
    theta = limit.theta + expansion.error(s, setting.is_regression)
    point = _solve(setting, setting.hats[last], s, theta, initial_dual(setting, limit, s), limit)
    if point is None:
        top = limit.as_relaxed(initial_dual(setting, limit, 1e4 * s))
        point = _bridge(setting, top, (setting.start, 1e4 * s), (setting.hats[last], s), 0)
    found[last] = point
    for index in range(last - 1, -1, -1):
        if point is None:
            break
        place = (setting.hats[index + 1], setting.grid[index + 1])
        point = _bridge(setting, point, place, (setting.hats[index], setting.grid[index]), 0)
        found[index] = point
    return found


def _solve(
    setting: StepSetting, hat: Tensor, s: float, theta: Tensor, dual: Tensor, from_point: RelaxedPoint | LimitPoint
) -> RelaxedPoint | None:
    problem = RelaxedProblem(setting.system, hat, setting.loss_at(s))
    point = solve_relaxed(problem, theta, dual, from_point.held, setting.tolerance)
    moved = float((point.theta - theta).norm())
    if point.residual > setting.tolerance or moved > _FARTHEST * (0.1 + float(theta.norm())):
        return None
    return point


def _bridge(
    setting: StepSetting, point: RelaxedPoint, here: tuple[Tensor, float], there: tuple[Tensor, float], depth: int
) -> RelaxedPoint | None:
    """From a stationary point at (hat, s) = ``here`` to one at ``there``, in halves where one step is too far."""
    hat, s = there
    shifted = _shifted_dual(setting, point, here[1], s)
    reached = _solve(setting, hat, s, point.theta, shifted, point)
    if reached is not None or depth >= _MOST_HALVINGS:
        return reached
    middle = ((here[0] + hat) / 2.0, math.sqrt(here[1] * s))
    half = _bridge(setting, point, here, middle, depth + 1)
    return None if half is None else _bridge(setting, half, middle, there, depth + 1)


def _shifted_dual(setting: StepSetting, point: RelaxedPoint, here: float, there: float) -> Tensor:
    """The same multipliers, where they matter; those of the loss at the point's slack elsewhere."""
    if setting.is_regression:
        return point.dual
    loss = setting.loss_at(there)
    slack = setting.system.constraint_values(point.theta)
    largest = point.dual.max().clamp_min(math.log(_LEAST))
    carried = point.dual > largest + math.log(1e-3)
    return torch.where(carried, point.dual, torch.minimum(loss.from_slack(slack), largest))


def follow_up(setting: StepSetting, known: Sequence[Sequence[RelaxedPoint | None]]) -> list[RelaxedPoint | None]:
    """At every s the best stationary point found without the limit: by descent for small s, followed upwards from it.

    Descent starts from the previous iterate, at values of s a factor 3 apart from random displacements of it, and from
    the next higher points of branches that ended. A second sweep goes down. Points on a known branch
    are left to that branch. Where nothing is known at all, the last point of descent is returned, though it is not
    stationary to the tolerance.
    """
    found: list[RelaxedPoint | None] = []
    current: RelaxedPoint | None = None
    for index, s in enumerate(setting.grid):
        candidates: list[RelaxedPoint | None] = []
        if current is not None:
            place = (setting.hats[index - 1], setting.grid[index - 1])
            candidates.append(_bridge(setting, current, place, (setting.hats[index], s), _MOST_HALVINGS - 3))
        if s <= LARGEST_DESCENT:
            candidates += _descents(setting, index, known)
        problem = setting.problem(index)
        others = [branch[index] for branch in known]
        reached = [each for each in candidates if each is not None]
        fresh = [e for e in reached if e.residual <= setting.tolerance and not _is_among(e, others)]
        current = min(fresh, key=lambda each: problem.objective(each.theta), default=None)
        is_bare = current is None and not any(other is not None for other in others)
        if is_bare and s > LARGEST_DESCENT:
            current = _climb(setting, index)
        best = current
        if is_bare and current is None:
            best = min(reached, key=lambda each: problem.objective(each.theta), default=None)
        found.append(best)
    return _sweep_down(setting, known, found)


def _climb(setting: StepSetting, index: int) -> RelaxedPoint | None:
    """A stationary point at a large s: descent from the previous iterate at a small s, followed up at that iterate."""
    hat, goal, s = setting.hats[index], setting.grid[index], LARGEST_DESCENT
    problem = RelaxedProblem(setting.system, hat, setting.loss_at(s))
    point = descend(problem, hat, setting.tolerance, setting.seed)
    if point is None or point.residual > setting.tolerance:
        return None
    while point is not None and s < goal:
        above = min(goal, _APART * s)
        point = _bridge(setting, point, (hat, s), (hat, above), 0)
        s = above
    return point


def _sweep_down(
    setting: StepSetting, known: Sequence[Sequence[RelaxedPoint | None]], found: list[RelaxedPoint | None]
) -> list[RelaxedPoint | None]:
    """For small s, descent from the point found at the next higher s, too; the lower point is kept."""
    for index in range(len(found) - 2, -1, -1):
        above, here = found[index + 1], found[index]
        if setting.grid[index] > LARGEST_DESCENT or above is None:
            continue
        problem = setting.problem(index)
        point = descend(problem, above.theta, setting.tolerance, setting.seed)
        if point is None or point.residual > setting.tolerance or _is_among(point, [each[index] for each in known]):
            continue
        is_lower = here is None or here.residual > setting.tolerance
        if is_lower or here is None or problem.objective(point.theta) < problem.objective(here.theta):
            found[index] = point
    return found


def _descents(
    setting: StepSetting, index: int, known: Sequence[Sequence[RelaxedPoint | None]]
) -> list[RelaxedPoint | None]:
    hat, problem = setting.hats[index], setting.problem(index)
    initial = [hat]
    for branch in known:
        above = branch[index + 1] if index + 1 < len(branch) else None
        if branch[index] is None and above is not None:
            initial.append(above.theta)
    is_small = hat.numel() <= _MOST_PARAMETERS
    for draw in range(_ELSEWHERE if is_small and _is_landmark(setting.grid, index) else 0):
        number = setting.seed + 104729 * (draw + 1) + 1299709 * index
        initial.append(hat + torch.as_tensor(setting.system.model.initialize(number, "he"), device=hat.device))
    return [descend(problem, each, setting.tolerance, setting.seed) for each in initial]


def _is_landmark(grid: Sequence[float], index: int) -> bool:
    """Whether a power of `_APART` lies in (grid[index - 1], grid[index]]."""
    place = math.floor(math.log(grid[index]) / math.log(_APART))
    return index == 0 or place > math.floor(math.log(grid[index - 1]) / math.log(_APART))


def _is_among(point: RelaxedPoint, others: Sequence[RelaxedPoint | None]) -> bool:
    size = _SAME * (1.0 + float(point.theta.norm()))
    return any(other is not None and float((other.theta - point.theta).norm()) <= size for other in others)

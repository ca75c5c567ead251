"""Descent of the scaled objective itself, for small s: Newton directions on Phi with backtracking.

It starts anywhere and only ever lowers Phi, so it finds minimizers that no branch from the limit leads to, as theta =
hat where the loss is still flat. The relaxed KKT system takes over where it leads to a point that is no higher.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from margin_projection.regularization.newton import RelaxedPoint, RelaxedProblem, solve_relaxed
from margin_projection.regularization.rows import HeldKinks, Rows
from margin_projection.regularization.saddle import SaddleSystem

LARGEST_DESCENT = 25.0  # s up to which descent is used: beyond, Phi changes by exp(s c) and steps of size 1/s remain
_HANDOVERS = (3, 6, 12, 24, 48)  # steps after which the relaxed system is tried
_GRADIENT = 1e-3  # relative gradient at which it is tried at once
_FORCING = 1e-3
_SHORTEST = 1e-6
_SUFFICIENT = 1e-4
_HIGHER = 1e-9  # relative rise of Phi that counts as none


def descend(problem: RelaxedProblem, initial: Tensor, tolerance: float, seed: int = 0) -> RelaxedPoint | None:
    """A stationary point of Phi with Phi at most that at ``initial``.

    Where none is reached, the last point, whose ``residual`` is above the tolerance; None where Phi overflows.
    """
    theta, value = initial, problem.objective(initial)
    if not math.isfinite(value):
        return None
    for step in range(_HANDOVERS[-1] + 1):
        direction, slope, small = _direction(problem, theta, seed)
        if direction is None or small or step in _HANDOVERS:
            point = _hand_over(problem, theta, tolerance)
            is_lower = problem.objective(point.theta) <= value + _HIGHER * (1.0 + abs(value))
            if point.residual <= tolerance and is_lower and not _is_saddle(problem, point, seed):
                return point
        if direction is None:
            break
        moved, lower = _search(problem, theta, value, direction, slope)
        if moved is None:
            break
        theta, value = moved, lower
    return _hand_over(problem, theta, tolerance, most=0)


def _hand_over(problem: RelaxedProblem, theta: Tensor, tolerance: float, most: int | None = None) -> RelaxedPoint:
    dual = problem.loss.from_slack(problem.system.constraint_values(theta))
    return solve_relaxed(problem, theta, dual, HeldKinks.none(theta), tolerance, most)


def _is_saddle(problem: RelaxedProblem, point: RelaxedPoint, seed: int) -> bool:
    return problem.curvature(point, seed).least < -1e-9


def _direction(problem: RelaxedProblem, theta: Tensor, seed: int) -> tuple[Tensor | None, float, bool]:
    """A descent direction, the slope of Phi along it, and whether the gradient is small; None at a minimizer."""
    rows = Rows(problem.system, theta, HeldKinks.none(theta))
    dual = problem.loss.from_slack(rows.slack)
    multipliers = problem.loss.multipliers(dual)
    force = rows.adjoint(multipliers) - (theta - problem.hat)
    size = float(force.norm()) / (1.0 + float(theta.norm()))
    system = SaddleSystem(rows, multipliers, problem.loss.stiffness(dual))
    if size <= 1e-9:
        return _escape(system, force, theta, seed)
    solution = system.solve(force, torch.zeros_like(multipliers), _FORCING)
    direction = solution.x
    if solution.downward is not None:
        unit = solution.downward / solution.downward.norm()
        sign = 1.0 if float(unit @ force) >= 0.0 else -1.0
        direction = direction + sign * (0.1 + float(theta.norm())) * unit
    if not float(direction @ force) > 0.0:
        direction = force
    longest = 1.0 + float(theta.norm())
    length = float(direction.norm())
    direction = direction * (longest / length) if length > longest else direction
    return direction, -2.0 * float(direction @ force), size <= _GRADIENT


def _escape(system: SaddleSystem, force: Tensor, theta: Tensor, seed: int) -> tuple[Tensor | None, float, bool]:
    """From a stationary point: None where the curvature is positive, else a direction of negative curvature."""
    if system.least_curvature(seed).least > -1e-9:
        return None, 0.0, True
    draw = torch.Generator().manual_seed(seed)
    probe = torch.randn(theta.numel(), generator=draw, dtype=theta.dtype).to(theta.device)
    downward = system.solve(probe, torch.zeros_like(system.stiffness)).downward
    if downward is None:
        return None, 0.0, True
    unit = downward / downward.norm()
    sign = 1.0 if float(unit @ force) >= 0.0 else -1.0
    return sign * (0.1 + float(theta.norm())) * unit, 0.0, False


def _search(
    problem: RelaxedProblem, theta: Tensor, value: float, direction: Tensor, slope: float
) -> tuple[Tensor | None, float]:
    """The longest of the halved steps that lowers Phi enough."""
    length = 1.0
    while length >= _SHORTEST:
        trial = theta + length * direction
        lower = problem.objective(trial)
        if lower <= value + _SUFFICIENT * length * slope and lower < value:
            return trial, lower
        length *= 0.5
    return None, value

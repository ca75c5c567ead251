"""Newton's method on the relaxed KKT system of one step: theta - hat = J^T mu, c(theta) = g(mu), held kinks at z = 0.

The logarithms of the multipliers are variables of their own, so that the method converges from a point near the limit
however steep the loss is. For s -> infinity the system is the KKT system of the projection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.projections.pieces import STUCK
from margin_projection.regularization.losses import HardConstraints, ScaledLoss
from margin_projection.regularization.rows import HeldKinks, Rows
from margin_projection.regularization.saddle import LeastCurvature, SaddleSystem
from margin_projection.sets.margin_set import ConstraintSystem

_MOST_STEPS = 40
_PRECISION = 2e-15  # residual below which rounding decides
_SHORTEST = 1.0 / 64.0
_MOST_CHANGES = 12  # changes of the set of held kinks
_PATIENCE = 8
_FAINT = 1e-8  # multipliers below this share of the largest follow the loss at the point
_NOTHING = -60.0  # log of multipliers that move nothing in float64
_FORCING = 1e-8  # relative precision of the linear solves
_NUDGE = 1e-7  # length, relative to the point's, of the move off a kink that is let go


@dataclass(frozen=True)
class RelaxedPoint:
    """A stationary point of the scaled problem, or where the search for one ended.

    Attributes:
        theta: (p,); dual: (n,) see `ScaledLoss`; pulls: (k,) multipliers of the held kinks.
        held: the kinks held at z = 0, with the fractions that the multipliers imply.
        stationarity: ||theta - hat - J^T mu|| / (1 + ||theta||).
        mismatch: largest |c_i - g(mu_i)| / (1 + |c_i|) and |z_k|.
        steps: Newton steps.
    """

    theta: Tensor
    dual: Tensor
    pulls: Tensor
    held: HeldKinks
    stationarity: float
    mismatch: float
    steps: int

    @property
    def residual(self) -> float:
        """The larger of stationarity and mismatch."""
        return max(self.stationarity, self.mismatch)


@dataclass(frozen=True)
class RelaxedProblem:
    """minimize ||theta - hat||^2 + sum_i T(m_i(theta)): system, start, loss.

    ``hat`` (p,) is the scaled previous iterate.
    """

    system: ConstraintSystem
    hat: Tensor
    loss: ScaledLoss

    def objective(self, theta: Tensor) -> float:
        """Phi(theta) from raw values; infinite where float64 ends."""
        offset = theta - self.hat
        return float(offset @ offset + self.loss.penalty(self.system.constraint_values(theta)))

    def saddle(self, point: RelaxedPoint) -> tuple[Rows, SaddleSystem]:
        """The linearized system at a point."""
        rows = Rows(self.system, point.theta, point.held)
        weights = torch.cat([self.loss.multipliers(point.dual), point.pulls])
        return rows, SaddleSystem(rows, weights, _stiffness(self.loss, point.dual, point.pulls))

    def curvature(self, point: RelaxedPoint, seed: int = 0) -> LeastCurvature:
        """The second-order condition at a stationary point."""
        return self.saddle(point)[1].least_curvature(seed)


def _stiffness(loss: ScaledLoss, dual: Tensor, pulls: Tensor) -> Tensor:
    return torch.cat([loss.stiffness(dual), torch.full_like(pulls, math.inf)])


@dataclass(frozen=True)
class _State:
    """Everything at one iterate: rows there, variables, residual vectors and their size."""

    rows: Rows
    dual: Tensor
    pulls: Tensor
    force: Tensor
    gaps: Tensor
    stationarity: float
    mismatch: float

    @property
    def size(self) -> float:
        return max(self.stationarity, self.mismatch)


def solve_relaxed(
    problem: RelaxedProblem, theta: Tensor, dual: Tensor, held: HeldKinks, tolerance: float, most: int | None = None
) -> RelaxedPoint:
    """Newton's method from (theta, dual); kinks are held and let go as their multipliers demand.

    The caller judges ``residual`` against its tolerance. ``most`` bounds the changes of held kinks; 0: evaluate only.
    """
    search = _Search(problem, theta, dual, held)
    for _ in range(_MOST_CHANGES if most is None else most):
        search.converge()
        if not search.change_kinks(tolerance):
            break
    state = search.settled()
    return RelaxedPoint(
        state.rows.theta, state.dual, state.pulls, state.rows.held, state.stationarity, state.mismatch, search.steps
    )


class _Search:
    """The iteration's state."""

    def __init__(self, problem: RelaxedProblem, theta: Tensor, dual: Tensor, held: HeldKinks) -> None:
        self.problem, self.steps = problem, 0
        self.crossed: Tensor | None = None
        self.released: set[int] = set()
        self.state = self.evaluate(theta, dual, theta.new_zeros(len(held)), held)

    def evaluate(self, theta: Tensor, dual: Tensor, pulls: Tensor, held: HeldKinks) -> _State:
        loss, rows = self.problem.loss, Rows(self.problem.system, theta, held)
        dual = self._follow_faint(dual, rows.slack)
        force = rows.adjoint(torch.cat([loss.multipliers(dual), pulls])) - (theta - self.problem.hat)
        gaps = torch.cat([loss.level(dual) - rows.slack, -rows.heights])
        active = loss.active if isinstance(loss, HardConstraints) else torch.ones_like(dual, dtype=torch.bool)
        scaled = torch.cat([gaps[: rows.count] / (1.0 + rows.slack.abs()) * active, gaps[rows.count :]])
        mismatch = float(scaled.abs().max()) if scaled.numel() else 0.0
        stationarity = float(force.norm()) / (1.0 + float(theta.norm()))
        if not (math.isfinite(mismatch) and math.isfinite(stationarity)):
            mismatch = stationarity = math.inf
        return _State(rows, dual, pulls, force, gaps, stationarity, mismatch)

    def _follow_faint(self, dual: Tensor, slack: Tensor) -> Tensor:
        """Multipliers that do not matter are those that the loss has at the point, unless it is violated there."""
        loss = self.problem.loss
        if not loss.in_logarithms:
            return dual
        threshold = (dual.max() + math.log(_FAINT)).clamp_min(_NOTHING)
        return torch.where(dual < threshold, torch.minimum(loss.from_slack(slack), threshold), dual)

    def converge(self) -> None:
        """Newton steps while they lower the residual, by a factor of ten within `_PATIENCE` of them."""
        before = math.inf
        for step in range(_MOST_STEPS):
            if step % _PATIENCE == 0:
                if self.state.size > 0.1 * before:
                    return
                before = self.state.size
            if self.state.size <= _PRECISION or not self._step():
                return

    def _step(self) -> bool:
        state, loss = self.state, self.problem.loss
        rows = state.rows
        weights = torch.cat([loss.multipliers(state.dual), state.pulls])
        system = SaddleSystem(rows, weights, _stiffness(loss, state.dual, state.pulls))
        solution = system.solve(state.force, state.gaps, _FORCING)
        change = torch.zeros_like(solution.y)
        change[system.kept] = solution.y[system.kept]
        pull = (state.gaps - rows.apply(solution.x))[: rows.count]
        length = 1.0
        self.steps += 1
        self.crossed = None
        while length >= _SHORTEST:
            dual = loss.advance(state.dual, change[: rows.count], pull, length)
            theta = rows.theta + length * solution.x
            trial = self.evaluate(theta, dual, state.pulls + length * change[rows.count :], rows.held)
            if trial.size < (1.0 - 1e-2 * length) * state.size:
                self.state = trial
                return True
            if self.crossed is None:
                self.crossed = self._crossed(trial)
            length *= 0.5
        return False

    def _crossed(self, trial: _State) -> Tensor:
        """Kinks of carried samples, concave for their constraint, between the iterate and a refused trial point."""
        kinks = self.state.rows.plain.kinks()
        none = torch.zeros(0, dtype=torch.int64, device=trial.dual.device)
        if not len(kinks):
            return none
        before, after = kinks.values, trial.rows.plain.preactivations()
        multipliers = self.problem.loss.multipliers(trial.dual)
        concave = (multipliers * self.state.rows.signs)[kinks.samples] * kinks.coefficients < 0
        carried = multipliers.abs()[kinks.samples] > 1e-9 * multipliers.abs().max()
        index = torch.nonzero(((before > 0) != (after > 0)) & concave & carried).squeeze(1)
        fresh = [int(each) not in self.released for each in index]
        index = index[torch.tensor(fresh, dtype=torch.bool, device=index.device)]
        index = index[~torch.isin(index, self.state.rows.held.index)]
        if index.numel() > 1:
            share = before[index].abs() / (before[index] - after[index]).abs()
            index = index[share.argmin()].reshape(1)
        return index

    def change_kinks(self, tolerance: float) -> bool:
        """Let go a held kink whose fraction left [0, 1], or hold one that stopped the iteration; else False."""
        state, rows = self.state, self.state.rows
        if len(rows.held):
            fractions = rows.implied_fractions(self.problem.loss.multipliers(state.dual), state.pulls)
            outside = torch.maximum(-fractions, fractions - 1.0)
            if state.size <= 1e-6 and float(outside.max()) > STUCK:
                self._release(int(outside.argmax()), bool(fractions[outside.argmax()] > 0.5))
                return True
        if state.size > tolerance and self.crossed is not None and self.crossed.numel():
            held = rows.held.joined(self.crossed, 0.5)
            pulls = torch.cat([state.pulls, state.pulls.new_zeros(self.crossed.numel())])
            self.state = self.evaluate(rows.theta, state.dual, pulls, held)
            return True
        return False

    def settled(self) -> _State:
        """The state with the fractions of held kinks that the multipliers imply as those of the gradients."""
        state, rows = self.state, self.state.rows
        if not len(rows.held) or state.size > 1e-6:
            return state
        fractions = rows.implied_fractions(self.problem.loss.multipliers(state.dual), state.pulls)
        inside = HeldKinks(rows.held.index, fractions.clamp(0.0, 1.0))
        again = self.evaluate(rows.theta, state.dual, torch.zeros_like(state.pulls), inside)
        return again if again.size <= max(2.0 * state.size, 1e-14) else state

    def _release(self, which: int, to_right: bool) -> None:
        state, rows = self.state, self.state.rows
        unit = torch.zeros_like(rows.factors)
        unit[rows.count + which] = 1.0
        gradient = rows.adjoint(unit)
        size = _NUDGE * (1.0 + float(rows.theta.norm())) / float(gradient.norm())
        theta = rows.theta + (size if to_right else -size) * gradient / gradient.norm()
        gone = torch.zeros(len(rows.held), dtype=torch.bool, device=theta.device)
        gone[which] = True
        self.released.add(int(rows.held.index[which]))
        self.state = self.evaluate(theta, state.dual, state.pulls[~gone], rows.held.without(gone))

"""Sequential quadratic programming for the projection onto a (piecewise) smooth constraint system, from one point.

Each step is the projection of the start onto the linearized pieces, corrected on its active face by conjugate gradients
with exact Hessian-vector products: quadratically convergent where f is smooth, and, at kinks, along the manifold of
stuck preactivations. Progress is judged by the exact penalty (1/2) ||theta - start||^2 + rho * sum of violations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from margin_projection.projections.newton_step import Face, newton_step
from margin_projection.projections.pieces import LocalModel, PieceStep, consistent_fractions, piece_step
from margin_projection.projections.result import Counts, Status
from margin_projection.sets.margin_set import ConstraintSystem

_MAX_PRODUCTS = 60  # Hessian-vector products per step
_FAR = 0.3  # a first-order step longer than this, relative to the distance moved, is far from the solution
_LOOSE = 0.5  # forcing term far from the solution
_SUFFICIENT = 1e-4  # share of the predicted decrease of the penalty that a step must reach
_NEAR = 0.1  # a stuck kink is still near z = 0 within this share of the step taken
_MAX_REBASES = 8  # new choices of the slopes at kinks before short steps are taken
_SHORT, _SHORTEST = 0.1, 1e-6  # shares of a step that are tried with new choices left, and without
_PATIENCE = 30  # steps without a lower KKT residual after which a run ends
_NOISE = 1e-13  # relative decrease of the penalty below which rounding decides


@dataclass
class LocalSolution:
    """Where one run of the method ended.

    Attributes:
        point: (p,); local, piece: the first-order information there.
        status: LOCAL where stationary (the second-order condition is checked by the caller), else why it stopped.
        violation, stationarity: at the point; stationarity is ||point - start - sum lambda_i g_i||.
        history: per step (violation, stationarity, distance), step 0 first.
    """

    point: Tensor
    local: LocalModel
    piece: PieceStep
    status: Status
    violation: float
    stationarity: float
    counts: Counts
    history: list[tuple[float, float, float]] = field(default_factory=list)


def solve_locally(
    system: ConstraintSystem,
    start: Tensor,
    initial: Tensor,
    tolerance: float,
    max_steps: int,
    progress: Callable[[str], None] | None = None,
) -> LocalSolution:
    """Follow the method from ``initial`` (p,) until violation and stationarity are at most ``tolerance``."""
    run = _Run(system, start, initial, tolerance)
    for step in range(max_steps):
        if run.converged():
            return run.solution(Status.LOCAL)
        if progress is not None:
            progress(f"step {step}: violation {run.violation:.1e}, stationarity {run.stationarity:.1e}")
        if run.is_stagnant() or not run.advance():
            return run.solution(Status.STALLED if run.is_feasible() else Status.NOT_FOUND)
    return run.solution(Status.LOCAL if run.converged() else Status.STEP_LIMIT)


class _Run:
    """The state of one run: the current point with its first-order step, the penalty, the best point, the counts."""

    def __init__(self, system: ConstraintSystem, start: Tensor, initial: Tensor, tolerance: float) -> None:
        self.system, self.start, self.tolerance = system, start, tolerance
        self.X, self.signs, self.offsets, self.is_equality = system.tensors(start.device)
        self.counts = Counts()
        self.history: list[tuple[float, float, float]] = []
        self.penalty = 0.0
        self._settle(initial, self.linearize(initial))

    def linearize(self, point: Tensor) -> LocalModel:
        line = self.system.model.linearize(point, self.X)
        constraints = self.signs * line.values - self.offsets
        fractions = (line.preactivations() > 0).to(point.dtype)
        return LocalModel(line, constraints, self.signs, self.is_equality, point - self.start, fractions, line)

    def move(self, point: Tensor, local: LocalModel | None = None) -> None:
        """Accept ``point``: solve for its first-order step."""
        moved = float((point - self.point).norm())
        self._settle(point, self.with_stuck_kinks(self.linearize(point) if local is None else local, moved))

    def _settle(self, point: Tensor, local: LocalModel) -> None:
        self.point, self.local, self.piece = point, local, piece_step(local)
        self.violations = self.system.violation_values(local.constraints)
        self.violation = float(self.violations.max())
        self.stationarity = float(self.piece.step.norm())
        self.counts += Counts(jacobians=1, steps=1 if self.history else 0)
        self.history.append((self.violation, self.stationarity, float(local.offset.norm())))

    def with_stuck_kinks(self, local: LocalModel, moved: float) -> LocalModel:
        """The same with generalized gradients at kinks that the last step left stuck and that are still near z = 0."""
        if not self.piece.stuck.any():
            return local
        stuck = self.piece.stuck
        index, fractions = self.piece.kink_index[stuck], self.piece.fractions[stuck]
        norms = torch.diagonal(self.piece.gram)[self.piece.multipliers.numel() :][stuck].clamp_min(0.0).sqrt()
        near = local.line.preactivations()[index].abs() <= _NEAR * moved * norms
        index, fractions = index[near], fractions[near]
        every = local.fractions.clone()
        every[index] = fractions
        held = local.with_fractions(every)
        convex = self._convex(held, index)
        if not convex.any():
            return held
        every[index[convex]] = local.fractions[index[convex]]
        return local.with_fractions(every)

    def _convex(self, local: LocalModel, index: Tensor) -> Tensor:
        """Which of these kinks have become convex for their constraint, so that nothing holds them at z = 0."""
        kinks = local.line.kinks().select(index)
        push = torch.where(self.is_equality & (self.piece.multipliers < 0), -local.signs, local.signs)
        return push[kinks.samples] * kinks.coefficients >= 0

    def is_feasible(self) -> bool:
        return self.violation <= max(1e-6, self.tolerance)

    def converged(self) -> bool:
        gap = float((self.piece.multipliers * self.local.constraints).abs().max())
        size = max(1.0, float(self.point.norm()))  # stationarity compares numbers of this size
        residual = max(self.violation, self.stationarity / size, gap)
        return self.piece.feasible and math.isfinite(residual) and residual <= self.tolerance

    def is_stagnant(self) -> bool:
        """Whether the last ``_PATIENCE`` steps did not lower the least KKT residual by a tenth."""
        residuals = [max(violation, stationarity) for violation, stationarity, _ in self.history]
        if len(residuals) <= _PATIENCE:
            return False
        return min(residuals[-_PATIENCE:]) > 0.9 * min(residuals[:-_PATIENCE])

    def merit(self, offset: Tensor, constraints: Tensor) -> float:
        violations = self.system.violation_values(constraints)
        return 0.5 * float(offset @ offset) + self.penalty * float(violations.sum())

    def advance(self) -> bool:
        """One accepted step, or False where no step helps, whatever slopes are taken at the kinks."""
        for _ in range(_MAX_REBASES):
            if self._advance_on_pieces(_SHORT):
                return True
            if not self._rebase():
                break
        return self._advance_on_pieces(_SHORTEST)

    def _advance_on_pieces(self, smallest: float) -> bool:
        """One accepted step of at least the share ``smallest`` of the Newton step, or else of the first-order one."""
        largest = float(self.piece.multipliers.abs().max())
        self.penalty = max(1.5 * largest, 0.5 * self.penalty, 1e-12)
        newton = newton_step(self.local, self.piece, *self._effort())
        self.counts += Counts(hessian_vectors=newton.hessian_vectors)
        return any(self._try(self._shortened(step), smallest) for step in (newton.step, self.piece.step))

    def _shortened(self, step: Tensor) -> Tensor:
        """At most the length ||theta|| / r: there a homogeneous f can have changed by a factor e, and models end."""
        longest = float(self.point.norm()) / self.system.model.degree
        length = float(step.norm())
        return step * (longest / length) if length > longest > 0.0 else step

    def _rebase(self) -> bool:
        """Linearize again with the slopes that the step itself implies at the kinks on which theta lies."""
        fractions = consistent_fractions(self.local, self.piece)
        if fractions is None:
            return False
        self.local = self.local.with_fractions(fractions)
        self.piece = piece_step(self.local)
        self.stationarity = float(self.piece.step.norm())
        self.counts += Counts(jacobians=1)
        return True

    def _effort(self) -> tuple[float, int]:
        """The forcing term and the bound on products: little far from the solution, quadratic convergence near it.

        Never more accurate than the tolerance needs.
        """
        size = self.stationarity
        if size > _FAR * max(1.0, float(self.local.offset.norm())):
            return _LOOSE, 3
        return min(_LOOSE, max(10.0 * size, 0.1 * self.tolerance / max(size, 1e-300))), _MAX_PRODUCTS

    def _try(self, step: Tensor, smallest: float) -> bool:
        """Accept the longest of the halved steps that lowers the penalty enough."""
        offset = self.local.offset
        slope = float(offset @ step) - self.penalty * float(self.violations.sum())
        before = self.merit(offset, self.local.constraints)
        if abs(slope) <= _NOISE * max(before, 1e-300):
            return self._try_blindly(step)
        if slope >= 0.0:
            return False
        length = 1.0
        while length >= smallest:
            trial = self.point + length * step
            local = self.linearize(trial)
            if self.merit(local.offset, local.constraints) <= before + _SUFFICIENT * length * slope:
                self.move(trial, local)
                return True
            self.counts += Counts(forwards=1)
            if self._try_corrected(trial, local, before + _SUFFICIENT * length * slope):
                return True
            length *= 0.5
        return False

    def _try_corrected(self, trial: Tensor, local: LocalModel, goal: float) -> bool:
        """A second-order correction: go back to the active constraints with the old Jacobian (Maratos effect)."""
        face = Face(self.local, self.piece)
        active = torch.nonzero(face.carried).squeeze(1)
        values = trial.new_zeros(len(face.table))
        values[: active.numel()] = local.constraints[active]
        corrected = trial + face.restore(values)
        again = self.linearize(corrected)
        if self.merit(again.offset, again.constraints) <= goal:
            self.move(corrected, again)
            return True
        self.counts += Counts(forwards=1)
        return False

    def _try_blindly(self, step: Tensor) -> bool:
        """Where rounding hides the penalty's decrease: accept a full step that lowers the KKT residual, else keep."""
        kept = (self.point, self.local, self.piece, self.violations, self.violation, self.stationarity)
        before = max(self.violation, self.stationarity)
        self.move(self.point + step)
        if max(self.violation, self.stationarity) < before:
            return True
        self.point, self.local, self.piece, self.violations, self.violation, self.stationarity = kept
        return False

    def solution(self, status: Status) -> LocalSolution:
        return LocalSolution(
            self.point, self.local, self.piece, status, self.violation, self.stationarity, self.counts, self.history
        )

"""The second-order correction: conjugate gradients on the Lagrangian's Hessian, in the active rows' null space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from margin_projection.projections.pieces import LocalModel, PieceStep

_MAX_BLOCKS = 6
_EXPLICIT = 1_000_000  # numbers up to which the active rows' gradients are formed
_DEPENDENT = 1e-6  # relative Cholesky pivot below which rows count as dependent
_EARLY = 0.1  # a block beyond this fraction of the correction ends the step instead of extending the face
_REACH = 3.0  # length of a step along nonpositive curvature, in first-order steps


@dataclass(frozen=True)
class NewtonStep:
    """A step, and the Hessian-vector products spent on it (in products over all samples)."""

    step: Tensor
    hessian_vectors: float


class Face:
    """The active rows: carried constraints on their piece, stuck kinks, and the projector onto their null space.

    The Hessian of the Lagrangian is W = I - sum_r w_r Hessian_r, w the signed row weights of the piece step.
    """

    def __init__(self, local: LocalModel, piece: PieceStep, extra: Tensor | None = None) -> None:
        self.rows, self.weights = piece.rows, piece.row_weights
        self.extra = extra
        count = local.constraints.numel()
        self.count = count
        largest = piece.multipliers.abs().max() if count else piece.multipliers.sum()
        self.carried = (piece.multipliers.abs() > 1e-13 * largest) | local.is_equality
        active = self.carried if extra is None else self.carried | extra
        self.stuck = piece.stuck
        self.table = self._table(local, piece, active)
        self._columns = torch.nonzero((self.table != 0).any(0)).squeeze(1)
        self._gradients = self._form_gradients()
        gram = self.table @ piece.gram @ self.table.T
        self._solve = _solver(gram)
        involved = self.weights[:count] != 0
        involved[piece.kinks.samples[self.weights[count:] != 0]] = True
        self.share = float(involved.sum()) / max(1, count)
        self.hessian_vectors = 0.0

    def _table(self, local: LocalModel, piece: PieceStep, active: Tensor) -> Tensor:
        count, samples = self.count, piece.kinks.samples
        table = torch.diag(local.signs)
        crossed = torch.nonzero(~self.stuck & (piece.fractions != piece.base)).squeeze(1)
        table = torch.cat([table, table.new_zeros(count, len(piece.kinks))], 1)
        table[samples[crossed], count + crossed] = (piece.jumps * (piece.fractions - piece.base))[crossed]
        stuck = torch.nonzero(self.stuck).squeeze(1)
        kink_rows = table.new_zeros(stuck.numel(), table.shape[1])
        kink_rows[torch.arange(stuck.numel()), count + stuck] = 1.0
        return torch.cat([table[active], kink_rows])

    def _form_gradients(self) -> Tensor | None:
        """(F, p) the gradients of the active rows where they are few numbers: products with them are cheapest then."""
        if self._columns.numel() * self.rows.num_parameters > _EXPLICIT:
            return None
        gradients = self.rows.row_gradients(self._columns)
        return None if gradients is None else self.table[:, self._columns] @ gradients

    def curvature(self, vector: Tensor) -> Tensor:
        """(I - W) v."""
        self.hessian_vectors += self.share
        return self.rows.hessian_vector(self.weights, vector)

    def tangent(self, vector: Tensor) -> Tensor:
        """The orthogonal projection of v onto the null space of the active rows."""
        if not len(self.table):
            return vector
        if self._gradients is not None:
            return vector - self._solve(self._gradients @ vector) @ self._gradients
        changes = self.table[:, self._columns] @ self.rows.apply_rows(vector, self._columns)
        return vector - self.rows.adjoint(self.table.T @ self._solve(changes))

    def restore(self, values: Tensor) -> Tensor:
        """The shortest step that changes the active rows by -values (F,)."""
        return -self.rows.adjoint(self.table.T @ self._solve(values))


def _solver(gram: Tensor) -> Callable[[Tensor], Tensor]:
    """x -> gram^{-1} x for a positive semidefinite matrix; the pseudo-inverse where rows are dependent."""
    factor, info = torch.linalg.cholesky_ex(gram)
    if int(info) == 0:
        pivots = torch.diagonal(factor)
        if not len(gram) or float((pivots / torch.diagonal(gram).sqrt()).min()) > _DEPENDENT:
            return lambda values: torch.cholesky_solve(values[:, None], factor)[:, 0]
    inverse = torch.linalg.pinv(gram, rcond=1e-13, hermitian=True)
    return lambda values: inverse @ values


def newton_step(local: LocalModel, piece: PieceStep, forcing: float, max_products: int) -> NewtonStep:
    """Minimize <theta - start, d> + 1/2 <d, W d> on the linearized face, from the first-order step on.

    Where an inactive constraint blocks the way early it joins the face. A direction of nonpositive curvature is
    followed as far as ``_REACH`` first-order steps.

    Args:
        forcing: relative residual at which conjugate gradients stop, in (0, 1).
        max_products: bound on Hessian-vector products.
    """
    extra = torch.zeros_like(local.is_equality)
    step, spent, negative = piece.step, 0.0, False
    for _ in range(_MAX_BLOCKS):
        face = Face(local, piece, extra)
        residual = face.tangent(face.curvature(step) - (step - piece.step))
        radius = _REACH * float(piece.step.norm())
        correction, negative = _conjugate_gradients(face, residual, radius, forcing, max_products)
        spent += face.hessian_vectors
        fraction, blocking = _blocked(local, face, extra, step, correction)
        step = step + fraction * correction
        if blocking is None or negative or fraction > _EARLY:
            break
        extra = extra.clone()
        extra[blocking] = True
    return NewtonStep(step, spent)


def _conjugate_gradients(
    face: Face, residual: Tensor, radius: float, forcing: float, max_products: int
) -> tuple[Tensor, bool]:
    """The tangential t with P W t = residual (P the tangent projector), and whether curvature was nonpositive.

    With d the step so far, the model's gradient is (theta - start + d) - (I - W) d. Up to tangential corrections
    already made, its first part is normal to the face, so ``residual`` = P ((I - W) d - corrections) is the negative
    gradient.
    """
    correction = torch.zeros_like(residual)
    direction, square = residual, float(residual @ residual)
    target = forcing**2 * square
    if square == 0.0:
        return correction, False
    for _ in range(max_products):
        image = face.tangent(direction - face.curvature(direction))
        bend = float(direction @ image)
        if bend <= 1e-10 * float(direction @ direction):
            return correction + (radius / float(direction.norm())) * direction, True
        length = square / bend
        correction = correction + length * direction
        residual = residual - length * image
        previous, square = square, float(residual @ residual)
        if square <= target:
            break
        direction = residual + (square / previous) * direction
    return correction, False


def _blocked(
    local: LocalModel, face: Face, extra: Tensor, step: Tensor, correction: Tensor
) -> tuple[float, int | None]:
    """How far the correction may go before an inactive constraint (linearized) is violated, and which one it is."""
    inactive = ~(face.carried | extra)
    here = local.constraints + local.signs * face.rows.apply(step)[: face.count]
    change = local.signs * face.rows.apply(correction)[: face.count]
    ratios = torch.where(inactive & (here > 0) & (here + change < 0), here / -change, torch.inf)
    fraction = float(ratios.min()) if ratios.numel() else 1.0
    return (fraction, int(ratios.argmin())) if fraction < 1.0 else (1.0, None)

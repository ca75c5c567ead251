"""The first-order step on a piecewise-smooth constraint system: adjacent pieces enter as constraints of their own.

At theta, output i is a piece of f; its rectifiers' kinks k lie at z_k = 0. Where the kink is *concave* for the constraint
(s_i * coefficient_k < 0), the constraint is locally the minimum of the two pieces, so both must hold, and a step that
crosses the kink must respect the piece behind it. Where it is convex, the constraint is the maximum: the current piece is
a safe model. Pieces are generated lazily, only where the step would violate them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.projections.dual_qp import DualQPStatus, least_distance

_MAX_ROUNDS = 40
_MAX_KINK_ROWS = 800
_PIECE_TOLERANCE = 1e-13  # violations of a piece below this are rounding
_RELAXATION = 1e-3  # of the mean squared gradient, where the linearized constraints contradict each other


@dataclass(frozen=True)
class LocalModel:
    """Everything first-order at theta: constraint values c (n,), signs, equality mask, and theta - start."""

    line: Linearization
    constraints: Tensor
    signs: Tensor
    is_equality: Tensor
    offset: Tensor


@dataclass(frozen=True)
class Piece:
    """A piece of one constraint: on which side it takes the listed kinks (True: the right one, z > 0)."""

    sample: int
    sides: tuple[tuple[int, bool], ...]


@dataclass
class PieceStep:
    """The step to the projection of the start onto the linearized pieces.

    Attributes:
        step: (p,) d.
        rows: the linearization with the preactivations of all generated pieces appended to the n outputs.
        gram: of ``rows``.
        row_weights: (n + k,) w with theta + d - start = rows^T w: signed multipliers of outputs and kinks.
        kinks: the k appended preactivations; ``jumps`` (k,) the change of grad c_i per kink when it is flipped.
        multipliers: (n,) lambda_i, the total over the pieces of constraint i, nonnegative for inequalities.
        shares: (k,) the share of lambda_i that lies on pieces with kink k flipped, in [0, 1].
        pieces: the pieces that carry multipliers, a warm start for the next step.
        feasible: whether the quadratic program had a solution as posed; otherwise it was relaxed.
    """

    step: Tensor
    rows: Linearization
    gram: Tensor
    row_weights: Tensor
    kinks: Kinks
    jumps: Tensor
    multipliers: Tensor
    shares: Tensor
    pieces: tuple[Piece, ...]
    feasible: bool


def piece_step(local: LocalModel, previous: PieceStep | None = None) -> PieceStep:
    """Solve min 1/2 ||theta + d - start||^2 over the linearized pieces, generating pieces until none is violated.

    Args:
        local: the model at theta.
        previous: the step at the last point, whose pieces are tried first (default None).
    """
    program = _PieceProgram(local)
    if previous is not None:
        program.add_previous(previous)
    for _ in range(_MAX_ROUNDS):
        program.solve()
        if not program.add_violated():
            break
    return program.result()


class _PieceProgram:
    """The growing quadratic program: row r of ``table`` combines outputs and kinks into the gradient of one piece."""

    def __init__(self, local: LocalModel) -> None:
        self.local, self.device = local, local.offset.device
        self.all_kinks = local.line.kinks()
        self.signs = local.signs.cpu().numpy()
        self.constraints = local.constraints.cpu().numpy()
        self.equality = local.is_equality.cpu().numpy()
        self.count = self.signs.size
        self.owners = np.arange(self.count)
        self.flips: list[tuple[int, ...]] = [()] * self.count
        self.orientation = np.ones(self.count)
        self.is_equality = self.equality.copy()
        self.multipliers = np.zeros(self.count)
        self.feasible = True
        self.kink_ids: list[int] = []
        self._set_rows()

    def _set_rows(self) -> None:
        """Rebuild what depends on the appended kinks."""
        index = torch.as_tensor(self.kink_ids, dtype=torch.int64, device=self.device)
        self.kinks = self.all_kinks.select(index)
        signed = self.local.signs[self.kinks.samples] * self.kinks.coefficients
        self.jumps = torch.where(self.kinks.values > 0, -signed, signed)
        self.rows = self.local.line.with_kinks(self.kinks)
        self.gram = self.rows.gram().cpu().numpy()
        self.row_offset = self.rows.apply(self.local.offset).cpu().numpy()
        self.position = {key: self.count + index for index, key in enumerate(self.kink_ids)}
        self._set_table()

    def _set_table(self) -> None:
        """The combinations (P, n + k), their Gram matrix, and the right-hand side of the quadratic program."""
        jumps = self.jumps.cpu().numpy()
        table = np.zeros((len(self.owners), self.count + len(self.kink_ids)))
        table[np.arange(len(self.owners)), self.owners] = self.signs[self.owners]
        for row, flipped in enumerate(self.flips[self.count :], self.count):
            columns = [self.position[key] for key in flipped]
            table[row, columns] = jumps[[column - self.count for column in columns]]
        table *= self.orientation[:, None]
        values = self.constraints[self.owners] * self.orientation
        values += table[:, self.count :] @ self.kinks.values.cpu().numpy()
        self.table, self.table_gram = table, table @ self.gram @ table.T
        self.rhs = table @ self.row_offset - values

    def solve(self) -> None:
        solution = least_distance(self.table_gram, self.rhs, self.is_equality)
        self.feasible = solution.status is DualQPStatus.OPTIMAL
        if solution.status is DualQPStatus.INFEASIBLE or not np.isfinite(solution.multipliers).all():
            size = max(float(np.trace(self.table_gram)) / len(self.rhs), 1e-300)
            relaxed = self.table_gram + _RELAXATION * size * np.eye(len(self.rhs))
            solution = least_distance(relaxed, self.rhs, self.is_equality)
        self.multipliers = solution.multipliers
        self.weights = self.table.T @ self.multipliers
        self.step = self.rows.adjoint(torch.as_tensor(self.weights, device=self.device)) - self.local.offset

    def add_violated(self) -> bool:
        """Append the worst piece of every constraint that the step violates behind a concave kink; False if none."""
        kinks, local = self.all_kinks, self.local
        if not len(kinks):
            return False
        side = self._push(self._totals())
        push = torch.as_tensor(side, device=self.device)
        oriented = (local.signs * push)[kinks.samples] * kinks.coefficients
        beyond = kinks.values + local.line.kink_changes(self.step)
        jumps = torch.where(kinks.values > 0, -oriented, oriented)
        effects = torch.where(oriented < 0, jumps * beyond, 0.0).clamp_max(0.0)
        totals = torch.zeros_like(local.constraints).index_add_(0, kinks.samples, effects)
        predicted = push * (local.constraints + local.signs * local.line.apply(self.step))
        scale = _PIECE_TOLERANCE * (1.0 + local.constraints.abs())
        violated = (predicted + totals < -scale) & (totals < -scale)
        chosen = torch.nonzero(violated[kinks.samples] & (effects < 0)).squeeze(1)
        samples = kinks.samples[chosen].cpu().numpy()
        keys = chosen.cpu().numpy()
        return self._append([(int(each), tuple(keys[samples == each].tolist())) for each in np.unique(samples)], side)

    def add_previous(self, previous: PieceStep) -> None:
        """Start from the pieces that carried the last step, as far as their kinks are still concave."""
        if not previous.pieces:
            return
        side = self._push(previous.multipliers.cpu().numpy())
        values, coefficients = self.all_kinks.values.cpu().numpy(), self.all_kinks.coefficients.cpu().numpy()
        found = []
        for piece in previous.pieces:
            factor = self.signs[piece.sample] * side[piece.sample]
            flipped = (key for key, right in piece.sides if right != (values[key] > 0) and factor * coefficients[key] < 0)
            found.append((piece.sample, tuple(sorted(flipped))))
        self._append([each for each in found if each[1]], side)

    def _push(self, totals: np.ndarray) -> np.ndarray:
        """The side to which each equality pushes: the sign of its multiplier; 1 for inequalities."""
        return np.where(self.equality & (totals < 0), -1.0, 1.0)

    def _append(self, pieces: Iterable[tuple[int, tuple[int, ...]]], side: np.ndarray) -> bool:
        known = set(zip(self.owners.tolist(), self.flips, strict=True))
        fresh = list(dict.fromkeys(piece for piece in pieces if piece not in known))
        new_keys = sorted({key for _, flipped in fresh for key in flipped} - set(self.kink_ids))
        if not fresh or len(self.kink_ids) + len(new_keys) > _MAX_KINK_ROWS:
            return False
        for sample, flipped in fresh:
            if self.is_equality[sample]:  # behind a kink, an equality acts as the inequality on the side it pushes to
                self.is_equality[sample], self.orientation[sample] = False, side[sample]
            self.owners = np.append(self.owners, sample)
            self.flips.append(flipped)
        sides = side[[sample for sample, _ in fresh]]
        self.orientation = np.append(self.orientation, sides)
        self.is_equality = np.append(self.is_equality, np.zeros(len(fresh), dtype=bool))
        if new_keys:
            self.kink_ids += new_keys
            self._set_rows()
        else:
            self._set_table()
        return True

    def _totals(self) -> np.ndarray:
        totals = np.zeros(self.count)
        np.add.at(totals, self.owners, self.multipliers * self.orientation)
        return totals

    def _carrying_pieces(self) -> tuple[Piece, ...]:
        """The pieces with multipliers, by the sides on which they take the appended kinks of their sample."""
        right = dict(zip(self.kink_ids, (self.kinks.values > 0).tolist(), strict=True))
        of_sample: dict[int, list[int]] = {}
        for key, sample in zip(self.kink_ids, self.kinks.samples.tolist(), strict=True):
            of_sample.setdefault(sample, []).append(key)
        pieces = []
        for row in np.flatnonzero(self.multipliers != 0.0):
            sample, flipped = int(self.owners[row]), set(self.flips[row])
            keys = of_sample.get(sample, ())
            pieces.append(Piece(sample, tuple((key, right[key] != (key in flipped)) for key in keys)))
        return tuple(piece for piece in pieces if piece.sides)

    def result(self) -> PieceStep:
        totals, flipped = self._totals(), np.zeros(len(self.kink_ids))
        for multiplier, orientation, keys in zip(self.multipliers, self.orientation, self.flips, strict=True):
            for key in keys:
                flipped[self.position[key] - self.count] += multiplier * orientation
        carried = totals[self.kinks.samples.cpu().numpy()]
        shares = np.divide(flipped, carried, out=np.zeros_like(flipped), where=np.abs(carried) > 1e-300)
        tensors = [torch.as_tensor(each, device=self.device) for each in (self.gram, self.weights, totals, shares)]
        gram, weights, multipliers, share = tensors
        pieces = self._carrying_pieces()
        return PieceStep(
            self.step, self.rows, gram, weights, self.kinks, self.jumps, multipliers, share, pieces, self.feasible
        )

"""The first-order step on a piecewise-smooth constraint system: adjacent pieces enter as constraints of their own.

At theta, output i is a piece of f; its rectifiers' kinks k lie at z_k = 0. Where the kink is *concave* for the constraint
(s_i * coefficient_k < 0), the constraint is locally the minimum of the two pieces, so both must hold, and a step that
crosses the kink must respect the piece behind it. Where it is convex, the constraint is the maximum: the current piece is
a safe model. Pieces are generated lazily, only where the step would violate them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.projections.dual_qp import DualQPStatus, least_distance

_MAX_ROUNDS = 30
_MAX_KINK_ROWS = 800


@dataclass(frozen=True)
class LocalModel:
    """Everything first-order at theta: constraint values c (n,), signs, equality mask, and theta - start."""

    line: Linearization
    constraints: Tensor
    signs: Tensor
    is_equality: Tensor
    offset: Tensor


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
    feasible: bool


def piece_step(local: LocalModel, relaxation: float = 0.0) -> PieceStep:
    """Solve min 1/2 ||theta + d - start||^2 over the linearized pieces, generating pieces until none is violated.

    Args:
        local: the model at theta.
        relaxation: r >= 0, violations v are allowed at the cost ||v||^2 / (2 r) (default 0: none are allowed).
    """
    program = _PieceProgram(local, relaxation)
    all_kinks = local.line.kinks()
    for _ in range(_MAX_ROUNDS):
        program.solve()
        if not len(all_kinks) or not program.add_violated_pieces(all_kinks):
            break
    return program.result()


class _PieceProgram:
    """The growing quadratic program: pieces are rows of ``combinations`` (P, n + k) over outputs and kinks."""

    def __init__(self, local: LocalModel, relaxation: float) -> None:
        self.local, self.relaxation = local, relaxation
        count = local.constraints.numel()
        self.count = count
        self.rows, self.kinks = local.line, Kinks.none(local.constraints)
        self.kink_ids = np.zeros(0, dtype=np.int64)
        self.jumps = local.constraints.new_zeros(0)
        self.owners = np.arange(count)
        self.flips: list[tuple[int, ...]] = [()] * count
        self.orientation = np.ones(count)
        self.is_equality = local.is_equality.cpu().numpy().copy()
        self.feasible = True
        self._refresh()

    def _refresh(self) -> None:
        """Recompute what depends on the rows."""
        self.gram = self.rows.gram().cpu().numpy()
        self.row_offset = self.rows.apply(self.local.offset).cpu().numpy()

    def _combinations(self) -> np.ndarray:
        signs, jumps = self.local.signs.cpu().numpy(), self.jumps.cpu().numpy()
        position = {int(key): self.count + index for index, key in enumerate(self.kink_ids)}
        table = np.zeros((len(self.owners), self.count + len(self.kink_ids)))
        table[np.arange(len(self.owners)), self.owners] = signs[self.owners]
        for row, flipped in enumerate(self.flips):
            for key in flipped:
                table[row, position[key]] = jumps[position[key] - self.count]
        return table * self.orientation[:, None]

    def _piece_values(self, combinations: np.ndarray) -> np.ndarray:
        constraints = self.local.constraints.cpu().numpy()[self.owners] * self.orientation
        return constraints + combinations[:, self.count :] @ self.kinks.values.cpu().numpy()

    def solve(self) -> None:
        combinations = self._combinations()
        gram = combinations @ self.gram @ combinations.T
        rhs = combinations @ self.row_offset - self._piece_values(combinations)
        relaxed = self.relaxation * np.trace(gram) / max(1, len(gram))
        solution = least_distance(gram + relaxed * np.eye(len(gram)), rhs, self.is_equality)
        if solution.status is DualQPStatus.INFEASIBLE or not np.isfinite(solution.multipliers).all():
            self.feasible = False
            ridge = 1e-3 * max(np.trace(gram) / max(1, len(gram)), 1e-300)
            solution = least_distance(gram + ridge * np.eye(len(gram)), rhs, self.is_equality)
        self.piece_multipliers = solution.multipliers
        self.weights = combinations.T @ solution.multipliers
        tensor = torch.as_tensor(self.weights, device=self.local.offset.device)
        self.step = self.rows.adjoint(tensor) - self.local.offset

    def add_violated_pieces(self, all_kinks: Kinks) -> bool:
        """Append the worst piece of every constraint that the step violates behind a concave kink; False if none."""
        local, side = self.local, self._sides()
        oriented = (local.signs * side)[all_kinks.samples] * all_kinks.coefficients
        beyond = all_kinks.values + local.line.kink_changes(self.step)
        oriented_jumps = torch.where(all_kinks.values > 0, -oriented, oriented)
        effects = torch.where(oriented < 0, oriented_jumps * beyond, 0.0).clamp_max(0.0)
        totals = torch.zeros_like(local.constraints).index_add_(0, all_kinks.samples, effects)
        predicted = side * (local.constraints + local.signs * local.line.apply(self.step))
        scale = 1e-12 * (1.0 + local.constraints.abs())
        violated = (predicted + totals < -scale) & (totals < -scale)
        if not violated.any():
            return False
        chosen = torch.nonzero(violated[all_kinks.samples] & (effects < 0)).squeeze(1).cpu().numpy()
        return self._append(all_kinks, side.cpu().numpy(), chosen)

    def _sides(self) -> Tensor:
        """The side to which each equality pushes: the sign of its multiplier; 1 for inequalities."""
        push = np.where(self.local.is_equality.cpu().numpy() & (self._totals() < 0), -1.0, 1.0)
        return torch.as_tensor(push, device=self.local.offset.device)

    def _append(self, all_kinks: Kinks, side: np.ndarray, chosen: np.ndarray) -> bool:
        samples = all_kinks.samples.cpu().numpy()[chosen]
        known_pieces = set(zip(self.owners.tolist(), self.flips, strict=True))
        known_kinks = set(self.kink_ids.tolist())
        fresh = [int(key) for key in chosen if int(key) not in known_kinks]
        if len(known_kinks) + len(fresh) > _MAX_KINK_ROWS:
            return False
        added = False
        for sample in np.unique(samples):
            piece = tuple(int(key) for key in chosen[samples == sample])
            if (int(sample), piece) not in known_pieces:
                self._add_piece(int(sample), piece, side[sample])
                added = True
        if fresh:
            self.kink_ids = np.append(self.kink_ids, fresh)
            self.kinks = all_kinks.select(torch.as_tensor(self.kink_ids, device=self.local.offset.device))
            signed = self.local.signs[self.kinks.samples] * self.kinks.coefficients
            self.jumps = torch.where(self.kinks.values > 0, -signed, signed)
            self.rows = self.local.line.with_kinks(self.kinks)
            self._refresh()
        return added

    def _add_piece(self, sample: int, piece: tuple[int, ...], side: float) -> None:
        self._turn_into_inequality(sample, side)
        self.owners = np.append(self.owners, sample)
        self.flips.append(piece)
        self.orientation = np.append(self.orientation, side)
        self.is_equality = np.append(self.is_equality, False)

    def _turn_into_inequality(self, sample: int, side: float) -> None:
        """An equality whose solution sits behind a kink acts as the inequality on the side that it pushes to."""
        if self.is_equality[sample]:
            self.is_equality[sample] = False
            self.orientation[sample] = side

    def _totals(self) -> np.ndarray:
        totals = np.zeros(self.count)
        np.add.at(totals, self.owners, self.piece_multipliers * self.orientation)
        return totals

    def result(self) -> PieceStep:
        device = self.local.offset.device
        totals, flipped = self._totals(), np.zeros(len(self.kink_ids))
        position = {int(key): index for index, key in enumerate(self.kink_ids)}
        for multiplier, orientation, piece in zip(self.piece_multipliers, self.orientation, self.flips, strict=True):
            for key in piece:
                flipped[position[key]] += multiplier * orientation
        carried = totals[self.kinks.samples.cpu().numpy()] if len(flipped) else flipped
        shares = np.divide(flipped, carried, out=np.zeros_like(flipped), where=np.abs(carried) > 1e-300)

        def tensor(values: Sequence[float] | np.ndarray) -> Tensor:
            return torch.as_tensor(np.asarray(values), device=device)

        return PieceStep(
            self.step,
            self.rows,
            tensor(self.gram),
            tensor(self.weights),
            self.kinks,
            self.jumps,
            tensor(totals),
            tensor(shares),
            self.feasible,
        )

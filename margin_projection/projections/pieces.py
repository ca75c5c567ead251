"""The first-order step on a piecewise-smooth constraint system: adjacent pieces enter as constraints of their own.

At theta, output i is a piece of f; its rectifiers' kinks k lie at z_k = 0. Where the kink is *concave* for the constraint
(s_i * coefficient_k < 0), the constraint is locally the minimum of the two pieces, so both must hold, and a step that
crosses the kink must respect the piece behind it. Where it is convex, the constraint is the maximum: the current piece is
a safe model. Pieces are generated lazily, only where the step would violate them.

A kink that the last step left stuck at z = 0 enters the gradients with its fraction alpha in [0, 1] between the left and
the right slope, so that kinks behind one another (whose effects multiply) are consistent at the solution.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.projections.dual_qp import DualQPStatus, least_distance

STUCK = 1e-9  # fractions beyond this from 0 and from 1 belong to stuck kinks
_MAX_ROUNDS = 40
_MAX_KINK_ROWS = 800
_AT_ONCE = 0.01  # share of the step within which a kink is crossed at once
_SAME_FRACTION = 1e-3  # fractions closer than this need no new linearization
_PIECE_TOLERANCE = 1e-13  # violations of a piece below this are rounding
_RELAXATION = 1e-3  # of the mean squared gradient, where the linearized constraints contradict each other


@dataclass(frozen=True)
class LocalModel:
    """Everything first-order at theta: constraint values c (n,), signs, equality mask, theta - start.

    ``line`` has generalized gradients with ``fractions`` (K,) of the right slope at all K kinks: 0 or 1 by the side of z,
    except at kinks on which theta lies; ``plain`` is the linearization without exceptions.
    """

    line: Linearization
    constraints: Tensor
    signs: Tensor
    is_equality: Tensor
    offset: Tensor
    fractions: Tensor
    plain: Linearization

    def with_fractions(self, fractions: Tensor) -> LocalModel:
        """The same model with these fractions (K,) of the right slope."""
        index = torch.nonzero(fractions != (self.plain.preactivations() > 0)).squeeze(1)
        return replace(self, line=self.plain.with_fractions(index, fractions[index]), fractions=fractions)


@dataclass(frozen=True)
class Piece:
    """A piece of one constraint: on which side it takes the listed kinks (True: the right one, z > 0)."""

    sample: int
    sides: tuple[tuple[int, bool], ...] = ()


@dataclass
class PieceStep:
    """The step to the projection of the start onto the linearized pieces.

    Attributes:
        step: (p,) d.
        rows: the linearization with the preactivations of all generated pieces appended to the n outputs.
        gram: of ``rows``.
        row_weights: (n + k,) w with theta + d - start = rows^T w: signed multipliers of outputs and kinks.
        kink_index: (k,) the appended kinks, as positions in the model's listing; ``kinks`` their data.
        jumps: (k,) the change of grad c_i per unit of the kink's fraction.
        base: (k,) the fractions that the rows have; ``fractions`` (k,) those that the multipliers over the pieces imply.
        multipliers: (n,) lambda_i, the total over the pieces of constraint i, nonnegative for inequalities.
        pieces: the pieces that carry multipliers, a warm start for the next step.
        feasible: whether the quadratic program had a solution as posed; otherwise it was relaxed.
    """

    step: Tensor
    rows: Linearization
    gram: Tensor
    row_weights: Tensor
    kink_index: Tensor
    kinks: Kinks
    jumps: Tensor
    base: Tensor
    fractions: Tensor
    multipliers: Tensor
    pieces: tuple[Piece, ...]
    feasible: bool

    @property
    def stuck(self) -> Tensor:
        """(k,) bool: kinks whose two sides both carry multipliers, so that z = 0 must hold."""
        return (self.fractions > STUCK) & (self.fractions < 1.0 - STUCK)


def piece_step(local: LocalModel, previous: PieceStep | None = None) -> PieceStep:
    """Solve min 1/2 ||theta + d - start||^2 over the linearized pieces, generating pieces until none is violated.

    Args:
        local: the model at theta.
        previous: the step at the last point, whose pieces are tried first (default None).
    """
    program = _PieceProgram(local)
    if previous is not None:
        program.add_previous(previous)
    program.solve()
    for _ in range(_MAX_ROUNDS):
        if not program.add_violated():
            break
        program.solve()
    return program.result()


def consistent_fractions(local: LocalModel, piece: PieceStep) -> Tensor | None:
    """The fractions (K,) at kinks where theta lies, as the step itself implies them; None where they are already used.

    A kink that the step crosses at once belongs to the side it leads to, a stuck one has the fraction of the multipliers.
    Other kinks of the same sample see the change only through a new linearization.
    """
    if not local.fractions.numel():
        return None
    implied = local.fractions.clone()
    z, changes = local.line.preactivations(), local.line.kink_changes(piece.step)
    here = (z.abs() <= _AT_ONCE * changes.abs()) | ((implied > 0.0) & (implied < 1.0))
    implied[here] = (z + changes > 0).to(implied.dtype)[here]
    stuck = piece.stuck
    touching = here[piece.kink_index[stuck]]
    implied[piece.kink_index[stuck][touching]] = piece.fractions[stuck][touching]
    return implied if float((implied - local.fractions).abs().max()) > _SAME_FRACTION else None


class _PieceProgram:
    """The growing quadratic program: row r of ``table`` combines outputs and kinks into the gradient of one piece.

    With base fraction a, taking kink k on its right side adds jump_k ((1 - a) dz_k d + min(z_k, 0)) to the constraint's
    linear model, on its left side jump_k (-a dz_k d - max(z_k, 0)), jump_k = s_i coefficient_k.
    """

    def __init__(self, local: LocalModel) -> None:
        self.local, self.device = local, local.offset.device
        self.all_kinks = local.line.kinks()
        self.fractions = local.fractions.cpu().numpy()
        self.signs = local.signs.cpu().numpy()
        self.constraints = local.constraints.cpu().numpy()
        self.equality = local.is_equality.cpu().numpy()
        self.count = self.signs.size
        self.pieces = [Piece(sample) for sample in range(self.count)]
        self.orientation = np.ones(self.count)
        self.is_equality = self.equality.copy()
        self.multipliers = np.zeros(self.count)
        self.feasible = True
        self.kink_ids: list[int] = []
        self._set_rows()

    def _set_rows(self) -> None:
        """Rebuild what depends on the appended kinks."""
        self.kink_index = torch.as_tensor(self.kink_ids, dtype=torch.int64, device=self.device)
        self.kinks = self.all_kinks.select(self.kink_index)
        self.jumps = self.local.signs[self.kinks.samples] * self.kinks.coefficients
        self.rows = self.local.line.with_kinks(self.kinks)
        self.gram = self.rows.gram().cpu().numpy()
        self.row_offset = self.rows.apply(self.local.offset).cpu().numpy()
        self.position = {key: index for index, key in enumerate(self.kink_ids)}
        self._set_table()

    def _set_table(self) -> None:
        """The combinations (P, n + k), their Gram matrix, and the right-hand side of the quadratic program."""
        jumps, z = self.jumps.cpu().numpy(), self.kinks.values.cpu().numpy()
        owners = np.array([piece.sample for piece in self.pieces])
        table = np.zeros((len(owners), self.count + len(self.kink_ids)))
        table[np.arange(len(owners)), owners] = self.signs[owners]
        values = self.constraints[owners]
        for row, piece in enumerate(self.pieces[self.count :], self.count):
            for key, right in piece.sides:
                at = self.position[key]
                table[row, self.count + at] = jumps[at] * (right - self.fractions[key])
                values[row] += jumps[at] * (min(z[at], 0.0) if right else -max(z[at], 0.0))
        table *= self.orientation[:, None]
        self.owners, self.table, self.table_gram = owners, table, table @ self.gram @ table.T
        self.rhs = table @ self.row_offset - values * self.orientation

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
        changes = local.line.kink_changes(self.step)
        beyond = kinks.values + changes
        excess = beyond.clamp_min(0.0) - kinks.values.clamp_min(0.0) - local.fractions * changes
        effects = torch.where(oriented < 0, oriented * excess, 0.0).clamp_max(0.0)
        totals = torch.zeros_like(local.constraints).index_add_(0, kinks.samples, effects)
        predicted = push * (local.constraints + local.signs * local.line.apply(self.step))
        scale = _PIECE_TOLERANCE * (1.0 + local.constraints.abs())
        violated = (predicted + totals < -scale) & (totals < -scale)
        chosen = torch.nonzero(violated[kinks.samples] & (effects < 0)).squeeze(1)
        sides: dict[int, list[tuple[int, bool]]] = {}
        listing = zip(kinks.samples[chosen].tolist(), chosen.tolist(), (beyond[chosen] > 0).tolist(), strict=True)
        for sample, key, right in listing:
            sides.setdefault(sample, []).append((key, right))
        return self._append([Piece(sample, tuple(each)) for sample, each in sides.items()], side)

    def add_previous(self, previous: PieceStep) -> None:
        """Start from the pieces that carried the last step, as far as their kinks are still concave."""
        side = self._push(previous.multipliers.cpu().numpy())
        coefficients = self.all_kinks.coefficients.cpu().numpy()
        found = []
        for piece in previous.pieces:
            factor = self.signs[piece.sample] * side[piece.sample]
            kept = tuple(
                (key, right)
                for key, right in piece.sides
                if self.fractions[key] != float(right) and factor * coefficients[key] < 0
            )
            if kept:
                found.append(Piece(piece.sample, kept))
        self._append(found, side)

    def _push(self, totals: np.ndarray) -> np.ndarray:
        """The side to which each equality pushes: the sign of its multiplier; 1 for inequalities."""
        return np.where(self.equality & (totals < 0), -1.0, 1.0)

    def _append(self, pieces: Iterable[Piece], side: np.ndarray) -> bool:
        known = set(self.pieces)
        fresh = list(dict.fromkeys(piece for piece in pieces if piece not in known))
        new_keys = sorted({key for piece in fresh for key, _ in piece.sides} - set(self.kink_ids))
        if not fresh or len(self.kink_ids) + len(new_keys) > _MAX_KINK_ROWS:
            return False
        for piece in fresh:
            if self.is_equality[piece.sample]:  # behind a kink it acts as the inequality on the side it pushes to
                self.is_equality[piece.sample] = False
                self.orientation[piece.sample] = side[piece.sample]
        self.pieces += fresh
        self.orientation = np.append(self.orientation, side[[piece.sample for piece in fresh]])
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
        """The pieces with multipliers, by the sides on which they take all the appended kinks of their sample."""
        of_sample: dict[int, list[int]] = {}
        for key, sample in zip(self.kink_ids, self.kinks.samples.tolist(), strict=True):
            of_sample.setdefault(sample, []).append(key)
        pieces = []
        for row in np.flatnonzero(self.multipliers != 0.0):
            piece, keys = self.pieces[row], of_sample.get(int(self.owners[row]), [])
            listed = dict(piece.sides)
            natural = [key for key in keys if key in listed or self.fractions[key] in (0.0, 1.0)]
            sides = tuple((key, listed.get(key, bool(self.fractions[key]))) for key in natural)
            pieces.append(Piece(piece.sample, sides))
        return tuple(piece for piece in pieces if piece.sides)

    def _implied_fractions(self, base: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """The average side of each appended kink over its constraint's pieces, weighted by their multipliers."""
        moved = np.zeros(len(self.kink_ids))
        for multiplier, orientation, piece in zip(self.multipliers, self.orientation, self.pieces, strict=True):
            for key, right in piece.sides if multiplier else ():
                moved[self.position[key]] += multiplier * orientation * (right - self.fractions[key])
        carried = totals[self.kinks.samples.cpu().numpy()]
        moved = np.divide(moved, carried, out=np.zeros_like(moved), where=np.abs(carried) > 1e-300)
        return np.clip(base + moved, 0.0, 1.0)

    def result(self) -> PieceStep:
        totals, base = self._totals(), self.fractions[self.kink_ids]
        fractions = self._implied_fractions(base, totals)

        def tensor(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, device=self.device)

        return PieceStep(
            step=self.step,
            rows=self.rows,
            gram=tensor(self.gram),
            row_weights=tensor(self.weights),
            kink_index=self.kink_index,
            kinks=self.kinks,
            jumps=self.jumps,
            base=tensor(base),
            fractions=tensor(fractions),
            multipliers=tensor(totals),
            pieces=self._carrying_pieces(),
            feasible=self.feasible,
        )

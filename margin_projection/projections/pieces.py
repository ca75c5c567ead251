"""The first-order step on a piecewise-smooth constraint system: adjacent pieces enter as constraints of their own.

At theta, output i is a piece of f; its rectifiers' kinks k lie at z_k = 0. Where the kink is *concave* for the
constraint (s_i * coefficient_k < 0), the constraint is locally the minimum of the two pieces, so both must hold, and
a step that crosses the kink must respect the piece behind it. Where it is convex, the constraint is the maximum: the
current piece is a safe model. Pieces are generated lazily, only where the step would violate them.

Once both pieces at a kink carry multipliers it is *stuck*: z = 0 becomes an equality whose multiplier says where
between the left and the right slope the kink's generalized gradient lies, its fraction in [0, 1]; outside, the kink
is released. At the next point a stuck kink enters the gradients with that fraction, so that kinks behind one another,
whose effects multiply, are consistent at the solution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.projections.dual_qp import DualQPStatus, least_distance

STUCK = 1e-9  # fractions beyond this from 0 and from 1 belong to stuck kinks
_MAX_ROUNDS = 40
_FEW_ROUNDS = 5  # rounds after which a step that leads far, beyond _FAR times the distance moved, is taken as it is
_FAR = 0.3
_MAX_KINK_ROWS = 800
_AT_ONCE = 0.01  # share of the step within which a kink is crossed at once
_SAME_FRACTION = 1e-3  # fractions closer than this need no new linearization
_PIECE_TOLERANCE = 1e-13  # violations of a piece below this are rounding
_RELAXATION = 1e-3  # of the mean squared gradient, where the linearized constraints contradict each other


@dataclass(frozen=True)
class LocalModel:
    """Everything first-order at theta: constraint values c (n,), signs, equality mask, theta - start.

    ``line`` has generalized gradients with ``fractions`` (K,) of the right slope at all K kinks: 0 or 1 by the side
    of z, except at kinks on which theta lies; ``plain`` is the linearization without exceptions.
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

    def without(self, kinks: set[int]) -> Piece:
        """The same piece with nothing said of these kinks."""
        return Piece(self.sample, tuple(side for side in self.sides if side[0] not in kinks))


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
        base: (k,) the fractions that the rows have; ``fractions`` (k,) those that the multipliers imply.
        multipliers: (n,) lambda_i, the total over the pieces of constraint i, nonnegative for inequalities.
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
    feasible: bool

    @property
    def stuck(self) -> Tensor:
        """(k,) bool: kinks whose two sides both carry multipliers, so that z = 0 must hold."""
        return (self.fractions > STUCK) & (self.fractions < 1.0 - STUCK)


def piece_step(local: LocalModel) -> PieceStep:
    """Solve min 1/2 ||theta + d - start||^2 over the linearized pieces, generating pieces until none is violated."""
    program = _PieceProgram(local)
    for count in range(_MAX_ROUNDS):
        program.solve()
        if (count >= _FEW_ROUNDS and program.is_far()) or not program.update():
            break
    else:
        program.solve()
    return program.result()


def consistent_fractions(local: LocalModel, piece: PieceStep) -> Tensor | None:
    """The fractions (K,) at kinks where theta lies, as the step itself implies them; None where they are already used.

    A kink that the step crosses at once belongs to the side it leads to, a stuck one has the fraction of the
    multipliers. Other kinks of the same sample see the change only through a new linearization.
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
    """The growing quadratic program: rows of ``table`` combine outputs and kinks into pieces and stuck kinks.

    With base fraction a, taking kink k on its right side adds jump_k ((1 - a) dz_k d + min(z_k, 0)) to the constraint's
    linear model, on its left side jump_k (-a dz_k d - max(z_k, 0)), jump_k = s_i coefficient_k. Each kink is stuck and
    released at most once, so that the generation ends.
    """

    def __init__(self, local: LocalModel) -> None:
        self.local, self.device = local, local.offset.device
        self.all_kinks = local.line.kinks()
        self.base = local.fractions.cpu().numpy()
        self.signs = local.signs.cpu().numpy()
        self.constraints = local.constraints.cpu().numpy()
        self.equality = local.is_equality.cpu().numpy()
        self.count = self.signs.size
        self.pieces = [Piece(sample) for sample in range(self.count)]
        self.push = np.ones(self.count)
        self.stuck = np.flatnonzero((self.base > STUCK) & (self.base < 1.0 - STUCK)).tolist()
        self.released: set[int] = set()
        self.kink_ids: list[int] = list(self.stuck)
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

    def _set_table(self) -> None:
        """The combinations, sparse (P + S, n + k), with their signs, equality mask and right-hand side."""
        jumps, z = self.jumps.cpu().numpy(), self.kinks.values.cpu().numpy()
        owners = np.array([piece.sample for piece in self.pieces])
        alone = np.bincount(owners, minlength=self.count)[owners] == 1
        pieces, stuck = len(owners), len(self.stuck)
        held = np.array([self.position[key] for key in self.stuck], dtype=np.int64)
        sides = [(row, self.position[key], right) for row, each in enumerate(self.pieces) for key, right in each.sides]
        rows, at, right = np.array(sides, dtype=np.int64).reshape(-1, 3).T
        flips = jumps[at] * (right - self.base[self.kink_ids][at])
        values = np.concatenate([self.constraints[owners], z[held]])
        np.add.at(values, rows, jumps[at] * np.where(right, np.minimum(z[at], 0.0), -np.maximum(z[at], 0.0)))
        orientation = np.concatenate([np.where(alone, 1.0, self.push[owners]), np.ones(stuck)])
        entries = np.concatenate([self.signs[owners], flips, np.ones(stuck)])
        row = np.concatenate([np.arange(pieces), rows, pieces + np.arange(stuck)])
        column = np.concatenate([owners, self.count + at, self.count + held])
        shape = (pieces + stuck, self.count + len(self.kink_ids))
        self.table = csr_array((entries * orientation[row], (row, column)), shape=shape)
        self.owners, self.orientation = owners, orientation
        self.is_equality = np.concatenate([alone & self.equality[owners], np.ones(stuck, dtype=bool)])
        self.rhs = self.table @ self.row_offset - values * orientation

    def solve(self) -> None:
        self._set_table()
        gram = (self.table @ (self.table @ self.gram).T).T
        solution = least_distance(gram, self.rhs, self.is_equality)
        self.feasible = solution.status is DualQPStatus.OPTIMAL
        if solution.status is DualQPStatus.INFEASIBLE or not np.isfinite(solution.multipliers).all():
            size = max(float(np.trace(gram)) / len(self.rhs), 1e-300)
            solution = least_distance(gram + _RELAXATION * size * np.eye(len(gram)), self.rhs, self.is_equality)
        signed = solution.multipliers * self.orientation
        self.weights = self.table.T @ solution.multipliers
        self.totals = np.zeros(self.count)
        np.add.at(self.totals, self.owners, signed[: len(self.owners)])
        self.signed_multipliers = signed
        self.fractions = self._implied_fractions()
        self.step = self.rows.adjoint(torch.as_tensor(self.weights, device=self.device)) - self.local.offset

    def _implied_fractions(self) -> np.ndarray:
        """(k,) the side of each appended kink, weighted by the multipliers: (row weight) / (lambda_i jump_k) + base."""
        jumps = self.jumps.cpu().numpy() * self.totals[self.kinks.samples.cpu().numpy()]
        moved = self.weights[self.count :]
        moved = np.divide(moved, jumps, out=np.zeros_like(moved), where=np.abs(jumps) > 1e-300)
        return self.base[self.kink_ids] + moved

    def is_far(self) -> bool:
        """Whether the step is so long that the linear model ends before it: further pieces are not worth their cost."""
        return float(self.step.norm()) > _FAR * max(1.0, float(self.local.offset.norm()))

    def update(self) -> bool:
        """Release, stick and append as the solution demands; False where it is the solution of the full program."""
        if not len(self.all_kinks):
            return False
        released = self._release()
        stuck = self._stick()
        self.push = np.where(self.equality & (self.totals < 0), -1.0, 1.0)
        return self._append_violated() or released or stuck

    def _release(self) -> bool:
        """Let go of stuck kinks whose fraction left [0, 1]: their constraint is better off on one side."""
        fractions = self.fractions[[self.position[key] for key in self.stuck]]
        carried = self.totals[self.all_kinks.samples[self.stuck].cpu().numpy()] != 0.0
        pulled = self.signed_multipliers[len(self.owners) :] != 0.0
        wrong = (fractions < -STUCK) | (fractions > 1.0 + STUCK) | (~carried & pulled)
        leaving = {key for key, gone in zip(self.stuck, wrong, strict=True) if gone}
        self.stuck = [key for key in self.stuck if key not in leaving]
        self.released |= leaving
        return bool(leaving)

    def _stick(self) -> bool:
        """Hold kinks at z = 0 whose two sides both carry multipliers, and drop them from the pieces."""
        between = (self.fractions > STUCK) & (self.fractions < 1.0 - STUCK)
        held = set(self.stuck) | self.released
        fresh = {key for key, inside in zip(self.kink_ids, between, strict=True) if inside and key not in held}
        if not fresh:
            return False
        self.stuck += sorted(fresh)
        self.pieces = list(dict.fromkeys(piece.without(fresh) for piece in self.pieces))
        return True

    def _append_violated(self) -> bool:
        """Append the worst piece of every constraint that the step violates behind a concave kink; False if none."""
        kinks, local = self.all_kinks, self.local
        push = torch.as_tensor(self.push, device=self.device)
        oriented = (local.signs * push)[kinks.samples] * kinks.coefficients
        changes = local.line.kink_changes(self.step)
        beyond = kinks.values + changes
        excess = beyond.clamp_min(0.0) - kinks.values.clamp_min(0.0) - local.fractions * changes
        effects = torch.where(oriented < 0, oriented * excess, 0.0).clamp_max(0.0)
        effects[self.stuck] = 0.0
        totals = torch.zeros_like(local.constraints).index_add_(0, kinks.samples, effects)
        predicted = push * (local.constraints + local.signs * local.line.apply(self.step))
        scale = _PIECE_TOLERANCE * (1.0 + local.constraints.abs())
        violated = (predicted + totals < -scale) & (totals < -scale)
        chosen = self._strongest(torch.nonzero(violated[kinks.samples] & (effects < 0)).squeeze(1), effects)
        sides: dict[int, list[tuple[int, bool]]] = {}
        listing = zip(kinks.samples[chosen].tolist(), chosen.tolist(), (beyond[chosen] > 0).tolist(), strict=True)
        for sample, key, right in listing:
            sides.setdefault(sample, []).append((key, right))
        return self._append([Piece(sample, tuple(each)) for sample, each in sides.items()])

    def _strongest(self, chosen: Tensor, effects: Tensor) -> Tensor:
        """The chosen kinks, in increasing order, without the weakest new ones where they are too many to append.

        A piece with fewer kinks on their other side is a weaker, still valid, constraint.
        """
        known = torch.isin(chosen, self.kink_index)
        room = _MAX_KINK_ROWS - len(self.kink_ids)
        fresh = chosen[~known]
        if fresh.numel() > room:
            fresh = fresh[effects[fresh].argsort()[:room]]
        return torch.cat([chosen[known], fresh]).sort().values

    def _append(self, pieces: list[Piece]) -> bool:
        known = set(self.pieces)
        fresh = [piece for piece in pieces if piece not in known]
        new_keys = sorted({key for piece in fresh for key, _ in piece.sides} - set(self.kink_ids))
        self.pieces += fresh
        if new_keys:
            self.kink_ids += new_keys
            self._set_rows()
        return bool(fresh)

    def result(self) -> PieceStep:
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
            base=tensor(self.base[self.kink_ids]),
            fractions=tensor(np.clip(self.fractions, 0.0, 1.0)),
            multipliers=tensor(self.totals),
            feasible=self.feasible,
        )

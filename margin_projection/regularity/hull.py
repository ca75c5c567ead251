"""The distance from 0 to a convex hull of gradients: the best margin of MFCQ over all directions, proved on both sides.

For positive scales s_j on the *counted* rows, by duality of the least-distance program,

    gamma = min { ||sum_j l_j g_j|| : l >= 0, sum_{counted} s_j l_j = 1 }
          = max { min_{counted} <g_j, d> / s_j : ||d|| <= 1, <g_j, d> >= 0 for every other row }.

Any feasible weights l give an upper bound and any feasible direction d a lower one; both ends are evaluated again from
products with the gradients, apart from the solver. At a kink every piece's gradient is a row: pieces are generated
while the direction found violates one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.projections.dual_qp import DualQPStatus, least_distance
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.point_geometry import PointGeometry

ROUNDING = 1e-12  # relative error granted to a product with the gradients
_MAX_ROUNDS = 60
_REPAIRED = 1e-6  # largest turn towards theta, relative, that repairs a slope negative by rounding
_VIOLATION = 1e-10  # relative margin by which a piece must be violated to be generated


@dataclass(frozen=True)
class HullDistance:
    """The margin gamma with its certificate.

    Attributes:
        margin: gamma as an interval; [0, 0] and no direction where 0 lies in the hull up to rounding.
        weights: (n,) nonnegative, sum over the counted rows of s_j l_j = 1: the dual certificate, an upper bound.
        direction: (p,) of unit length: the primal certificate, a lower bound; None where there is none.
    """

    margin: Interval
    weights: np.ndarray
    direction: Tensor | None


def hull_distance(
    geometry: PointGeometry, rows: np.ndarray, scales: np.ndarray, counted: np.ndarray | None = None
) -> HullDistance:
    """gamma for the gradients at a point (see the module).

    Args:
        geometry: the constraints and their gradients.
        rows: (n,) bool, the rows that take part, at least one of them counted.
        scales: (n,) s_j > 0.
        counted: (n,) bool, the rows whose weights are normalized (default: all of ``rows``).

    Returns:
        The interval, and the certificates of its two ends.
    """
    counted = rows if counted is None else counted & rows
    program = _HullProgram(geometry, np.flatnonzero(rows), np.where(counted, scales, 0.0))
    return program.solve()


class _HullProgram:
    """min ||d|| s.t. <piece of row j, d> >= s_j (0 where not counted), the pieces generated lazily."""

    def __init__(self, geometry: PointGeometry, index: np.ndarray, targets: np.ndarray) -> None:
        self.geometry, self.index, self.targets = geometry, index, targets
        self.owners = list(index)
        none = np.zeros(len(geometry.kinks), dtype=bool)
        self.table = [self._piece(row, none) for row in index]

    def _piece(self, row: int, flipped: np.ndarray) -> np.ndarray:
        """(n + k,) the combination of output and kink rows that is the gradient of a piece of constraint ``row``."""
        combination = np.zeros(self.targets.size + flipped.size)
        combination[row] = self.geometry.system.signs[row]
        combination[self.targets.size :] = np.where(flipped, self.geometry.flips, 0.0) if flipped.size else 0.0
        return combination

    def solve(self) -> HullDistance:
        geometry = self.geometry
        gram = to_numpy(geometry.rows.gram()) if len(geometry.kinks) else None
        for _ in range(_MAX_ROUNDS):
            table, owners = np.array(self.table), np.array(self.owners)
            block = geometry.gram[np.ix_(owners, owners)] if gram is None else table @ gram @ table.T
            solution = least_distance(block, self.targets[owners], np.zeros(len(owners), dtype=bool))
            ray = solution.ray if solution.status is DualQPStatus.INFEASIBLE else None
            multipliers = np.maximum(solution.multipliers if ray is None else ray, 0.0)
            step = geometry.rows.adjoint(torch.as_tensor(multipliers @ table, device=geometry.theta.device))
            if ray is not None or not self._generate(step):
                break
        return self._result(multipliers, owners, step, ray is None)

    def _generate(self, step: Tensor) -> bool:
        """Append the worst piece of each violated row; False where none is."""
        geometry = self.geometry
        if not len(geometry.kinks):
            return False
        changes, worst = geometry.flip_changes(step), geometry.slopes(step)
        size = ROUNDING + _VIOLATION * float(np.abs(worst).max(initial=0.0))
        known = {(row, piece.tobytes()) for row, piece in zip(self.owners, self.table, strict=True)}
        fresh = False
        for row in self.index[worst[self.index] < self.targets[self.index] - size]:
            piece = self._piece(row, (geometry.kink_samples == row) & (changes < 0.0))
            if (row, piece.tobytes()) not in known:
                self.owners.append(row)
                self.table.append(piece)
                fresh = True
        return fresh

    def _result(self, multipliers: np.ndarray, owners: np.ndarray, step: Tensor, solved: bool) -> HullDistance:
        weights = np.bincount(owners, multipliers, self.targets.size).astype(np.float64)
        total, length = float(weights @ self.targets), float(step.norm())
        error = ROUNDING * float(self.geometry.clarke_norms @ weights)
        upper = (length + error) / total if total > 0.0 else np.inf
        lower, direction = 0.0, None
        if solved and length > 0.0:
            lower, direction = certified_margin(self.geometry, step / length, self.index, self.targets)
        method = "products of the gradients with the direction found, rounding subtracted"
        dual = "length of the combination of the gradients found, rounding added"
        scaled = weights / total if total > 0.0 else weights
        return HullDistance(Interval(lower, max(lower, upper), method, dual), scaled, direction)


def certified_margin(
    geometry: PointGeometry, direction: Tensor, index: np.ndarray, targets: np.ndarray
) -> tuple[float, Tensor | None]:
    """(gamma, direction) proved by a unit direction: min slope / s_j over the counted rows, 0 where a row blocks it.

    Rows that do not count may have slope 0: a slope negative by rounding is repaired by turning the direction a little
    towards theta, along which every constraint at the boundary has the slope r (Euler).
    """
    norms = ROUNDING * geometry.clarke_norms
    safe = geometry.slopes(direction) - norms
    counted, others = index[targets[index] > 0.0], index[targets[index] <= 0.0]
    deficit = float(np.maximum(-safe[others], 0.0).max(initial=0.0))
    if deficit > 0.0:
        along = float(geometry.slopes(geometry.theta)[others].min())
        if along <= 0.0 or deficit > _REPAIRED * along:
            return 0.0, None
        direction = direction + (2.0 * deficit / along) * geometry.theta
        direction = direction / direction.norm()
        safe = geometry.slopes(direction) - norms
        if safe[others].min() < 0.0:
            return 0.0, None
    lower = float((safe[counted] / targets[counted]).min())
    return (lower, direction) if lower > 0.0 else (0.0, None)

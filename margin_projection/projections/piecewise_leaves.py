"""Convex pieces of a rectifier sum's feasible set, and the descent from piece to piece.

A unit that enters a row with a plus sign is a maximum of linear functions there; choosing one of its slopes gives a
smaller, so a convex and *feasible* piece, with no condition on the sign of the preactivation. A unit that enters with a
minus sign is concave there: its rows are cuts, added where the point violates them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_projection.projections.piecewise_data import RidgeData
from margin_projection.projections.piecewise_qp import least_violation_step, project_polyhedron

MOST_CUT_ROUNDS = 200
FEASIBILITY = 1e-12


@dataclass(frozen=True)
class Leaf:
    """The projection onto one convex piece.

    Attributes:
        weights: (units, d) the piece's nearest point.
        rows, slopes, multipliers: (k,), (k, units), (k,) the linear rows that define it and their multipliers.
    """

    weights: np.ndarray
    rows: np.ndarray
    slopes: np.ndarray
    multipliers: np.ndarray


def pattern_rows(data: RidgeData, pattern: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m,), (m, units): every row once: convex units with slopes by ``pattern``, concave ones as at ``weights``.

    Args:
        pattern: (n, units) booleans, whether the unit's right slope is chosen at a sample.
    """
    rows = np.arange(data.row_samples.size)
    convex = data.row_signs[:, None] * data.output_signs > 0
    chosen = np.where(pattern, 1.0, data.slope)[data.row_samples]
    return rows, np.where(convex, chosen, data.slopes(weights)[data.row_samples])


def solve_leaf(data: RidgeData, pattern: np.ndarray) -> Leaf | None:
    """Project the start onto the piece of ``pattern``; None where the piece is found empty."""
    rows, slopes = pattern_rows(data, pattern, data.weights)
    center = data.weights.reshape(-1)
    for _ in range(MOST_CUT_ROUNDS):
        found = project_polyhedron(data.gradient_rows(rows, slopes), data.row_offsets[rows], center)
        if found is None:
            return None
        weights = found.point.reshape(data.weights.shape)
        new_rows, new_slopes = pattern_rows(data, pattern, weights)
        slack = data.gradient_rows(new_rows, new_slopes) @ found.point - data.row_offsets
        violated = slack < -FEASIBILITY * (1.0 + np.abs(data.row_offsets))
        fresh = [row for row in np.flatnonzero(violated) if not _known(rows, slopes, row, new_slopes[row])]
        if not fresh:
            return Leaf(weights, rows, slopes, found.multipliers)
        rows, slopes = np.concatenate([rows, fresh]), np.concatenate([slopes, new_slopes[fresh]])
    return None


def emptiness_ray(data: RidgeData, pattern: np.ndarray) -> Leaf:
    """For an empty piece: nonnegative multipliers whose rows nearly cancel while their offsets do not (Farkas).

    They are the violations left by least squares; the caller judges them by the dual bound at their multiples.
    """
    rows, slopes = pattern_rows(data, pattern, data.weights)
    weights = data.weights
    for _ in range(20):
        gradients = data.gradient_rows(rows, slopes)
        step = least_violation_step(gradients, data.row_offsets[rows], weights.reshape(-1), 1e8)
        weights = step.reshape(weights.shape)
        new_rows, new_slopes = pattern_rows(data, pattern, weights)
        violated = data.gradient_rows(new_rows, new_slopes) @ step < data.row_offsets
        fresh = [row for row in np.flatnonzero(violated) if not _known(rows, slopes, row, new_slopes[row])]
        if not fresh:
            break
        rows, slopes = np.concatenate([rows, fresh]), np.concatenate([slopes, new_slopes[fresh]])
    left = np.maximum(data.row_offsets[rows] - data.gradient_rows(rows, slopes) @ weights.reshape(-1), 0.0)
    return Leaf(weights, rows, slopes, left)


def _known(rows: np.ndarray, slopes: np.ndarray, row: np.integer, candidate: np.ndarray) -> bool:
    return bool((slopes[rows == row] == candidate).all(axis=1).any())


def descend(data: RidgeData, pattern: np.ndarray, limit: int = 50) -> Leaf | None:
    """Move from piece to piece while the distance falls: the point's own pattern always holds the point."""
    best: Leaf | None = None
    for _ in range(limit):
        leaf = solve_leaf(data, pattern)
        if leaf is None or (best and data.displacement(leaf.weights) >= data.displacement(best.weights) * (1 - 1e-12)):
            break
        best = leaf
        pattern = data.slopes(leaf.weights) == 1.0
    return best


def restore(data: RidgeData, weights: np.ndarray, limit: int = 30) -> np.ndarray:
    """Reduce the violation from ``weights`` by solving one convex piece after the other (convex-concave procedure)."""
    for _ in range(limit):
        pattern = data.slopes(weights) == 1.0
        rows, slopes = pattern_rows(data, pattern, weights)
        moved = least_violation_step(data.gradient_rows(rows, slopes), data.row_offsets[rows], weights.reshape(-1), 1e6)
        candidate = moved.reshape(weights.shape)
        if data.violation(candidate) >= 0.9999 * data.violation(weights):
            break
        weights = candidate
    return weights

"""Lower bounds by Lagrangian duality: given multipliers, the units decouple, and each one is minimized over its cells.

For multipliers lambda >= 0 of linear rows, every feasible w has
    (1/2) ||w - w0||^2 >= <lambda, offsets> + sum_j min over cells c of q_jc(lambda),
    q_jc = -(1/2) ||v_jc||^2 - <w0_j, v_jc>,   v_jc = sum_k lambda_k c_kj slope_kjc x_k:
on a cell the unit is linear, and q_jc is the minimum of the Lagrangian over all w_j, cell or not. The value is computed
from raw numbers; nothing of the solver that proposed lambda enters it.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np

from margin_projection.projections.piecewise_data import RidgeData
from margin_projection.projections.piecewise_qp import UNBOUNDED

MOST_NEW_CUTS = 30
LONGEST_STEP = 1e3


@dataclass
class Cuts:
    """Linear rows shared by all nodes: row k is row ``rows[k]`` with the concave units' ``slopes[k]``."""

    rows: np.ndarray
    slopes: np.ndarray

    def add(self, rows: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Include rows (k,), (k, units); return the position of each one."""
        places = []
        for row, slope in zip(rows, slopes, strict=True):
            same = np.flatnonzero((self.rows == row) & (self.slopes == slope).all(axis=1))
            if not same.size:
                self.rows, self.slopes = np.append(self.rows, row), np.vstack([self.slopes, slope])
                same = np.array([self.rows.size - 1])
            places.append(same[0])
        return np.array(places, dtype=int)


@dataclass(frozen=True)
class Bound:
    """A dual value with what it was attained at: multipliers (k,), values (units, cells), vectors (units, cells, d)."""

    value: float
    multipliers: np.ndarray
    values: np.ndarray
    vectors: np.ndarray


class DualFunction:
    """The Lagrangian dual of a rectifier sum restricted to some cells a unit.

    Args:
        data: the rows.
        cells: (cells, n) booleans, every sign pattern of a unit.
    """

    def __init__(self, data: RidgeData, cells: np.ndarray) -> None:
        self.data, self.cells = data, cells
        self.cell_slopes = np.where(cells, 1.0, data.slope)
        rows = np.arange(data.row_samples.size)
        self.cuts = Cuts(rows, np.full((rows.size, data.units), np.nan))
        self.cuts.slopes = self._normalize(rows, data.slopes(data.weights)[data.row_samples])

    def _normalize(self, rows: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Slopes with 0 where the unit is convex in the row (there the cell decides)."""
        return np.where(self.data.row_signs[rows, None] * self.data.output_signs > 0, 0.0, slopes)

    def add_cuts(self, rows: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Include linear rows (k,), (k, units) and return their positions."""
        return self.cuts.add(rows, self._normalize(rows, slopes))

    def pad(self, multipliers: np.ndarray) -> np.ndarray:
        """Multipliers extended by zeros to all cuts known now."""
        return np.concatenate([multipliers, np.zeros(self.cuts.rows.size - multipliers.size)])

    def evaluate(self, multipliers: np.ndarray, allowed: np.ndarray) -> Bound:
        """The certified bound at ``multipliers`` (k,), clipped to >= 0, over the cells ``allowed`` (units, cells)."""
        data, cuts = self.data, self.cuts
        multipliers = np.maximum(self.pad(multipliers), 0.0)
        signs, samples = data.row_signs[cuts.rows], data.row_samples[cuts.rows]
        convex = {}
        for sign in (-1.0, 1.0):
            weights = np.bincount(samples, np.where(signs == sign, multipliers, 0.0), data.X.shape[0])
            convex[sign] = self.cell_slopes @ (weights[:, None] * data.X)
        concave = (multipliers[:, None] * cuts.slopes).T @ data.X[samples]
        vectors = np.stack([convex[sign] for sign in data.output_signs]) - concave[:, None, :]
        values = -0.5 * np.sum(vectors**2, axis=2) - np.einsum("jcd,jd->jc", vectors, data.weights)
        values = np.where(allowed, values, np.inf)
        value = float(multipliers @ data.row_offsets[cuts.rows] + values.min(axis=1).sum())
        return Bound(value, multipliers, values, vectors)

    def derivative(self, unit: int, cell: int, cuts: np.ndarray) -> np.ndarray:
        """(d, k) the matrix M with v_jc = M lambda over the cuts at the positions ``cuts`` (k,)."""
        data, rows = self.data, self.cuts.rows[cuts]
        coefficients = data.row_signs[rows] * data.output_signs[unit]
        samples = data.row_samples[rows]
        slopes = np.where(coefficients > 0, self.cell_slopes[cell, samples], self.cuts.slopes[cuts, unit])
        return (coefficients * slopes)[None, :] * data.X[samples].T


@dataclass
class Master:
    """What a node hands to its children: multipliers, and the cells with their weights for each unit."""

    multipliers: np.ndarray
    columns: list[dict[int, float]]


def maximize_dual(
    dual: DualFunction, allowed: np.ndarray, master: Master, cutoff: float, limit: int
) -> tuple[Bound, Master]:
    """Raise the dual bound by a bundle method with exact curvature, until ``cutoff``, no gain, or ``limit`` steps.

    The step maximizes the sum of the curved models' common quadratic and the linearized columns; its only use is to
    propose multipliers, whose bound is then evaluated exactly.
    """
    best = dual.evaluate(master.multipliers, allowed)
    columns = [
        {cell: weight for cell, weight in unit.items() if allowed[index, cell]}
        for index, unit in enumerate(master.columns)
    ]
    damping, scale = 1e-9, abs(cutoff) + 1e-100
    for _ in range(limit):
        for unit, known in enumerate(columns):
            known.setdefault(int(best.values[unit].argmin()), 0.0 if known else 1.0)
        proposal = _bundle_step(dual, best, columns, damping, scale)
        if proposal is None:
            break
        multipliers, predicted, columns = proposal
        trial = dual.evaluate(multipliers, allowed)
        grown = _grow(columns, trial)
        gain = trial.value - best.value
        if gain > 0.0:
            best = trial
        tiny = 1e-11 * (abs(best.value) + 1e-300)
        if best.value >= cutoff or (predicted - max(best.value, trial.value) <= tiny and not grown):
            break
        damping = damping * 10.0 + 1e-3 if gain <= 0.0 else damping * 0.1
    return best, Master(best.multipliers, columns)


def _grow(columns: list[dict[int, float]], trial: Bound) -> bool:
    """Add each unit's best cell at the trial point; whether any was new."""
    grown = False
    for unit, known in enumerate(columns):
        cell = int(trial.values[unit].argmin())
        if cell not in known:
            known[cell], grown = 0.0, True
    return grown


def _working_cuts(dual: DualFunction, at: Bound) -> np.ndarray:
    """Positions of the cuts that can matter: with a positive multiplier, or violated by the units' best points."""
    data, cuts = dual.data, dual.cuts
    best = at.values.argmin(axis=1)
    points = data.weights + at.vectors[np.arange(data.units), best]
    samples = data.row_samples[cuts.rows]
    coefficients = data.row_signs[cuts.rows, None] * data.output_signs
    slopes = np.where(coefficients > 0, dual.cell_slopes[best][:, samples].T, cuts.slopes)
    gradient = data.row_offsets[cuts.rows] - np.sum(coefficients * slopes * (data.X @ points.T)[samples], axis=1)
    steepest = np.argsort(-gradient, kind="stable")[:MOST_NEW_CUTS]
    wanted = (at.multipliers > 0.0) | (np.arange(gradient.size) < data.row_samples.size)
    wanted[steepest[gradient[steepest] > 0.0]] = True
    return np.flatnonzero(wanted)


def _bundle_step(
    dual: DualFunction, at: Bound, columns: list[dict[int, float]], damping: float, scale: float
) -> tuple[np.ndarray, float, list[dict[int, float]]] | None:
    """Multipliers that maximize the model, the model's value there, and the new weights of the columns."""
    working, units = _working_cuts(dual, at), len(columns)
    count = working.size
    pairs = [(unit, cell) for unit, known in enumerate(columns) for cell in known]
    offsets = dual.data.row_offsets[dual.cuts.rows[working]]
    hessian = np.zeros((count + units, count + units))
    rows, limits = np.zeros((len(pairs), count + units)), np.zeros(len(pairs))
    lowest = at.values.min(axis=1)
    for position, (unit, cell) in enumerate(pairs):
        matrix = dual.derivative(unit, cell, working)
        weight = columns[unit][cell]
        if weight > 0.0:
            hessian[:count, :count] += weight * (matrix.T @ matrix)
        rows[position, :count] = matrix.T @ (at.vectors[unit, cell] + dual.data.weights[unit])
        rows[position, count + unit] = 1.0
        limits[position] = at.values[unit, cell] - lowest[unit]
    curvature = np.trace(hessian) / count
    ridge = np.full(count + units, (damping + 1e-10) * curvature + 1e-10 / scale)
    ridge[count:] = 1e-6 / scale
    hessian[np.diag_indices_from(hessian)] += ridge
    reach = LONGEST_STEP * (scale + at.multipliers.max())
    solution, _, flag, information = daqp.solve(
        hessian,
        np.concatenate([-offsets, -np.ones(units)]),
        rows,
        np.concatenate([np.full(count, reach), np.full(units, UNBOUNDED), limits]),
        np.concatenate([-at.multipliers[working], np.full(units + len(pairs), -UNBOUNDED)]),
        np.zeros(count + units + len(pairs), dtype=np.int32),
        primal_tol=1e-10,
    )
    if flag != 1 or not np.isfinite(solution).all():
        return None
    step = np.array(solution)
    moved, curved = step[:count], hessian[:count, :count]
    gain = float(offsets @ moved + step[count:].sum() - 0.5 * moved @ curved @ moved)
    multipliers = at.multipliers.copy()
    multipliers[working] = np.maximum(multipliers[working] + moved, 0.0)
    weights = np.maximum(information["lam"][count + units :], 0.0)
    return multipliers, at.value + gain, _reweigh(pairs, weights, limits - rows @ step, units)


def _reweigh(
    pairs: list[tuple[int, int]], weights: np.ndarray, slack: np.ndarray, units: int
) -> list[dict[int, float]]:
    """The columns with their new weights, without those that neither carry weight nor are tight."""
    fresh: list[dict[int, float]] = [{} for _ in range(units)]
    for (unit, cell), weight, distance in zip(pairs, weights, slack, strict=True):
        if weight > 1e-9 or distance < 1e-6 or not fresh[unit]:
            fresh[unit][cell] = float(weight)
    return fresh

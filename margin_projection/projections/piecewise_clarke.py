"""Multipliers and Clarke gradients that explain a displacement at a point of a rectifier sum's feasible set."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from margin_projection.projections.piecewise_data import RidgeData
from margin_projection.projections.piecewise_leaves import Leaf


@dataclass(frozen=True)
class Stationarity:
    """displacement = sum_i multipliers_i g_i up to ``residual``, g_i in the Clarke subdifferential of constraint i.

    Attributes:
        multipliers: (n,), one a sample; nonnegative for inequalities.
        gradient: (units, d) the sum on the right.
        residual: Euclidean norm of the difference.
        method: "pieces" (the leaf's own multipliers) or "least squares".
    """

    multipliers: np.ndarray
    gradient: np.ndarray
    residual: float
    method: str


def explain(data: RidgeData, leaf: Leaf, is_equality: np.ndarray, tolerance: float) -> Stationarity:
    """A Clarke-stationary representation of a leaf's displacement, the best one found."""
    first = _from_leaf(data, leaf, is_equality)
    if first.residual <= tolerance:
        return first
    second = _least_squares(data, leaf.weights, is_equality, first.multipliers)
    return second if second.residual < first.residual else first


def _slope_range(data: RidgeData, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, units) lowest and highest Clarke slope of every preactivation: [slope, 1] at a kink."""
    preactivations = data.X @ weights.T
    scale = np.linalg.norm(data.X, axis=1)[:, None] * (1.0 + np.linalg.norm(weights, axis=1))
    zero = np.abs(preactivations) <= 1e-11 * scale
    exact = np.where(preactivations > 0, 1.0, data.slope)
    return np.where(zero, data.slope, exact), np.where(zero, 1.0, exact)


def _from_leaf(data: RidgeData, leaf: Leaf, is_equality: np.ndarray) -> Stationarity:
    """Average the leaf's slopes with its multipliers, and clip them into the Clarke interval."""
    count = data.X.shape[0]
    samples, signed = data.row_samples[leaf.rows], data.row_signs[leaf.rows] * leaf.multipliers
    total = np.bincount(samples, signed, count)
    moments = np.zeros((count, data.units))
    np.add.at(moments, samples, signed[:, None] * leaf.slopes)
    lowest, highest = _slope_range(data, leaf.weights)
    safe = np.where(total == 0.0, 1.0, total)
    slopes = np.clip(np.where(total[:, None] == 0.0, lowest, moments / safe[:, None]), lowest, highest)
    return _assemble(data, leaf.weights, total, slopes, is_equality, "pieces")


def _assemble(
    data: RidgeData, weights: np.ndarray, total: np.ndarray, slopes: np.ndarray, is_equality: np.ndarray, method: str
) -> Stationarity:
    """From signed multipliers of f itself and slopes (n, units) to the constraints' multipliers and gradient sum."""
    gradient = data.output_signs[:, None] * (slopes * total[:, None]).T @ data.X
    residual = float(np.linalg.norm(weights - data.weights - gradient))
    signs = data.row_signs[: data.X.shape[0]]
    multipliers = np.where(is_equality, total, total * signs) if is_equality.size else total
    return Stationarity(multipliers, gradient, residual, method)


def _least_squares(
    data: RidgeData, weights: np.ndarray, is_equality: np.ndarray, guess: np.ndarray, limit: int = 256
) -> Stationarity:
    """Fit multipliers and kink slopes over the signs of the equalities' multipliers, the leaf's signs first."""
    signs = data.row_signs[: data.X.shape[0]].copy()
    active = np.abs(data.outputs(weights) * signs - data.row_offsets[: signs.size]) <= 1e-9
    free = np.flatnonzero(is_equality & active)
    preferred = np.where(guess[free] < 0.0, -1.0, 1.0)
    best: Stationarity | None = None
    for flips in itertools.islice(itertools.product((1.0, -1.0), repeat=free.size), limit):
        signs[free] = preferred * np.array(flips)
        trial = _fit(data, weights, np.where(active, signs, 0.0), is_equality)
        if best is None or trial.residual < best.residual:
            best = trial
        if best.residual <= 1e-12 * (1.0 + np.linalg.norm(weights)):
            break
    assert best is not None
    return best


def _fit(data: RidgeData, weights: np.ndarray, signs: np.ndarray, is_equality: np.ndarray) -> Stationarity:
    """Least squares for displacement = sum_i sign_i m_i g_i with m_i >= 0 and g_i in the Clarke subdifferential.

    Each m_i is split over the vertices of sample i's Clarke subdifferential: one nonnegative weight for every choice of
    left or right slopes at its kinks (of the first six of them, the others keep their left slope).
    """
    lowest, highest = _slope_range(data, weights)
    columns, owners, vertices = [], [], []
    for sample in np.flatnonzero(signs):
        kinks = np.flatnonzero(highest[sample] > lowest[sample])[:6]
        for choice in itertools.product((0, 1), repeat=kinks.size):
            slopes = lowest[sample].copy()
            slopes[kinks] = np.where(choice, highest[sample, kinks], lowest[sample, kinks])
            columns.append(np.outer(signs[sample] * data.output_signs * slopes, data.X[sample]).reshape(-1))
            owners.append(sample)
            vertices.append(slopes)
    count = data.X.shape[0]
    if not columns:
        return _assemble(data, weights, np.zeros(count), lowest, is_equality, "least squares")
    displacement = (weights - data.weights).reshape(-1)
    solution = lsq_linear(np.array(columns).T, displacement, bounds=(0.0, np.inf), method="bvls", tol=1e-15).x
    total = np.bincount(owners, solution, count)
    moments = np.zeros((count, data.units))
    np.add.at(moments, np.array(owners), solution[:, None] * np.array(vertices))
    slopes = np.where(total[:, None] > 0.0, moments / np.where(total > 0.0, total, 1.0)[:, None], lowest)
    return _assemble(data, weights, total * signs, slopes, is_equality, "least squares")

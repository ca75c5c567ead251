"""The constraints of a rectifier sum as one-sided rows, in coordinates of the span of the samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from margin_projection.projections.problem import ProjectionProblem


@dataclass(frozen=True)
class RidgeData:
    """Rows r: row_signs_r f(x_i; w) >= row_offsets_r with i = row_samples_r; an equality is two rows.

    Attributes:
        X: (n, d') samples in the coordinates ``basis``.
        basis: (d, d') orthonormal columns that span the samples; weights never move outside that span.
        weights: (units, d') the start in these coordinates.
        output_signs: (units,) g_j.
        slope: left slope of phi.
        row_samples, row_signs, row_offsets: (m,).
    """

    X: np.ndarray
    basis: np.ndarray
    weights: np.ndarray
    output_signs: np.ndarray
    slope: float
    row_samples: np.ndarray
    row_signs: np.ndarray
    row_offsets: np.ndarray

    @property
    def units(self) -> int:
        """The number of units."""
        return int(self.output_signs.size)

    def slopes(self, weights: np.ndarray) -> np.ndarray:
        """(n, units) the derivative of phi at every preactivation (the left one at 0)."""
        return np.where(self.X @ weights.T > 0, 1.0, self.slope)

    def outputs(self, weights: np.ndarray) -> np.ndarray:
        """(n,) f(x_i; weights)."""
        preactivations = self.X @ weights.T
        return np.where(preactivations > 0, preactivations, self.slope * preactivations) @ self.output_signs

    def slack(self, weights: np.ndarray) -> np.ndarray:
        """(m,) row_signs f - row_offsets, nonnegative on the set."""
        return self.row_signs * self.outputs(weights)[self.row_samples] - self.row_offsets

    def violation(self, weights: np.ndarray) -> float:
        """The largest violation of a row."""
        return float(max(0.0, -self.slack(weights).min()))

    def gradient_rows(self, rows: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """(k, units * d') gradients of rows whose units have the ``slopes`` (k, units)."""
        coefficients = self.row_signs[rows, None] * self.output_signs * slopes
        return (coefficients[:, :, None] * self.X[self.row_samples[rows], None, :]).reshape(rows.size, -1)

    def displacement(self, weights: np.ndarray) -> float:
        """(1/2) ||weights - start||^2."""
        return 0.5 * float(np.sum((weights - self.weights) ** 2))


def ridge_data(problem: ProjectionProblem) -> RidgeData:
    """The rows of a problem whose model is a sum of rectifiers."""
    system = problem.system
    model = system.model
    start = problem.start.detach().cpu().numpy().reshape(model.units, model.dimension)  # type: ignore[attr-defined]
    basis = _span(system.X)
    samples = np.arange(system.num_constraints)
    twice = np.flatnonzero(system.is_equality)
    return RidgeData(
        system.X @ basis,
        basis,
        start @ basis,
        np.asarray(model.output_signs, dtype=np.float64),  # type: ignore[attr-defined]
        float(model.slope),  # type: ignore[attr-defined]
        np.concatenate([samples, twice]),
        np.concatenate([system.signs, -system.signs[twice]]),
        np.concatenate([system.offsets, -system.offsets[twice]]),
    )


def _span(X: np.ndarray) -> np.ndarray:
    """(d, d') orthonormal basis of the rows' span; the identity where they span everything."""
    _, singular, right = np.linalg.svd(X, full_matrices=False)
    rank = int((singular > 1e-14 * max(X.shape) * singular[0]).sum()) if singular.size else 0
    return np.eye(X.shape[1]) if rank == X.shape[1] else right[:rank].T

"""Stationarity of a projection for networks with one hidden layer, from points and multipliers alone.

f(x; W, a) = sum_j a_j phi(<w_j, x>), phi = [z]_+^k. At a kink (k = 1, <w_j, x_i> = 0) the slope of phi is any number in
[0, 1]: whether some choice of slopes explains the displacement is a least-squares problem with bounds. Derivatives are
written out here, so that nothing of the solver and nothing of the networks' own derivatives is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

_KINK = 1e-8  # |<w, x>| up to this, relative to ||x|| (1 + ||w||), counts as on the kink


@dataclass(frozen=True)
class Stationarity:
    """KKT conditions of min (1/2) ||theta - start||^2 over {y_i f(x_i; theta) >= 1}.

    Attributes:
        violation: the largest [1 - y_i f_i]_+.
        residual: ||point - start - sum_i lambda_i y_i g_i||, g_i the best Clarke gradients.
        negativity: the largest negative multiplier, as a nonnegative number.
        complementarity: max_i |lambda_i (y_i f_i - 1)|.
        kinks: how many slopes were free.
    """

    violation: float
    residual: float
    negativity: float
    complementarity: float
    kinks: int

    @property
    def worst(self) -> float:
        """The largest of the four."""
        return max(self.violation, self.residual, self.negativity, self.complementarity)


def stationarity(
    X: np.ndarray, y: np.ndarray, power: int, start: np.ndarray, point: np.ndarray, multipliers: np.ndarray
) -> Stationarity:
    """The conditions at ``point``.

    Args:
        X, y: (n, d) samples and labels -1 or +1.
        power: k >= 1 of the activation [z]_+^k.
        start, point: (p,) parameters, W (h, d) row by row, then a (h,); p = h (d + 1).
        multipliers: (n,) as in `Projection.multipliers`.

    >>> X, y = np.array([[1.0]]), np.array([1.0])  # a [w]_+ >= 1 from (1/2, 1/2): nearest is (1, 1)
    >>> stationarity(X, y, 1, np.array([0.5, 0.5]), np.array([1.0, 1.0]), np.array([0.5])).worst
    0.0
    """
    hidden = point.size // (X.shape[1] + 1)
    W, a = point[:-hidden].reshape(hidden, -1), point[-hidden:]
    z = X @ W.T
    rectified = np.maximum(z, 0.0)
    margins = y * (rectified**power @ a)
    pull = multipliers * y
    slopes = power * rectified ** (power - 1) * (z > 0.0)
    near = np.abs(z) <= _KINK * np.linalg.norm(X, axis=1)[:, None] * (1.0 + np.linalg.norm(W, axis=1))
    free = near & (np.abs(pull)[:, None] > 0.0) if power == 1 else np.zeros_like(near)
    slopes = np.where(free, 0.0, slopes)
    weights = (pull[:, None] * slopes * a).T @ X
    rest = point - start - np.concatenate([weights.ravel(), rectified.T**power @ pull])
    return Stationarity(
        violation=float(np.maximum(1.0 - margins, 0.0).max()),
        residual=_explain(rest, free, X, pull, a),
        negativity=float(np.maximum(-multipliers, 0.0).max()),
        complementarity=float(np.abs(multipliers * (margins - 1.0)).max()),
        kinks=int(free.sum()),
    )


def _explain(rest: np.ndarray, free: np.ndarray, X: np.ndarray, pull: np.ndarray, a: np.ndarray) -> float:
    """The norm of ``rest`` (p,) minus the best combination of the kinks' gradients, slopes in [0, 1]."""
    samples, units = np.nonzero(free)
    if not samples.size:
        return float(np.linalg.norm(rest))
    d = X.shape[1]
    columns = np.zeros((rest.size, samples.size))
    for column, (i, j) in enumerate(zip(samples, units, strict=True)):
        columns[j * d : (j + 1) * d, column] = pull[i] * a[j] * X[i]
    sizes = np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
    best = lsq_linear(columns / sizes, rest, (0.0, sizes), method="bvls", tol=1e-15)
    slopes = np.clip(best.x / sizes, 0.0, 1.0)
    return float(np.linalg.norm(rest - columns @ slopes))

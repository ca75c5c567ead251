"""Spectral densities by stochastic Lanczos quadrature, kept as the quadrature measures themselves.

For a Gaussian start vector g the spectral measure of A at g has mass ||g||^2 and the mean, over g, of the number of
eigenvalues in any set. m Lanczos steps give its Gauss quadrature: nodes and weights that integrate polynomials of
degree 2 m - 1 exactly, and bounds on the measure of every half-line (Chebyshev, Markov, Stieltjes): `mass_bounds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal

from margin_projection._validation import check_integer
from margin_projection.curvature.lanczos import lanczos
from margin_projection.curvature.operators import SymmetricOperator


@dataclass(frozen=True)
class SpectralMeasure:
    """Gauss quadratures of the spectral measures at k Gaussian vectors.

    Attributes:
        size: p, the number of eigenvalues.
        nodes, weights: per probe, its nodes (ascending) and weights, which sum to 1.
        masses: (k,) ||g||^2 of the probes.
        diagonals, offdiagonals: per probe, its Jacobi matrix; the last off-diagonal couples to what was not computed.
        seed: of the probes.
        unit: the rounding unit of the arithmetic in which the matrix was multiplied.
    """

    size: int
    nodes: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    masses: np.ndarray
    diagonals: tuple[np.ndarray, ...]
    offdiagonals: tuple[np.ndarray, ...]
    seed: int
    unit: float = float(np.finfo(np.float64).eps)

    @property
    def num_probes(self) -> int:
        """k."""
        return len(self.nodes)

    @property
    def rounding(self) -> float:
        """A bound on what rounding moves nodes by, up to a modest factor: 100 units times the largest one."""
        largest = max(float(np.abs(nodes).max()) for nodes in self.nodes)
        return 100.0 * self.unit * max(largest, float(np.finfo(np.float64).tiny))

    def moments(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Estimates of tr(A^j) / p for j = 0..count-1, and their standard errors over the probes (infinite for one)."""
        powers = [np.vander(nodes, count, increasing=True) for nodes in self.nodes]
        values = np.array([w @ p for w, p in zip(self.weights, powers, strict=True)])
        errors = values.std(0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.full(count, np.inf)
        return values.mean(0), errors

    def mass_bounds(self, point: float) -> tuple[np.ndarray, np.ndarray]:
        """Bounds on the share of each probe's measure below ``point``: (k,) at least, (k,) at most.

        The lower one bounds the measure of (-inf, point), the upper one that of (-inf, point]. They are the best that
        follow from the Jacobi matrices: those of the quadrature with a node at ``point``.
        """
        pairs = zip(self.diagonals, self.offdiagonals, strict=True)
        bounds = [_half_line(point, diagonal, offdiagonal, self.rounding) for diagonal, offdiagonal in pairs]
        return np.array([low for low, _ in bounds]), np.array([high for _, high in bounds])


def spectral_measure(
    operator: SymmetricOperator, *, order: int = 100, probes: int = 10, seed: int = 0
) -> SpectralMeasure:
    """Stochastic Lanczos quadrature with full reorthogonalization; all probes are multiplied together.

    Args:
        operator: a symmetric matrix.
        order: m, Lanczos steps a probe, at least 1 (default 100; at most p are made).
        probes: k, Gaussian start vectors, at least 1 (default 10).
        seed: a nonnegative integer (default 0).

    Raises:
        InputError: a count is out of range.
    """
    check_integer("order", order, 1)
    check_integer("probes", probes, 1)
    generator = torch.Generator().manual_seed(check_integer("seed", seed, 0))
    starts = torch.randn(operator.size, probes, generator=generator, dtype=torch.float64)
    found = lanczos(operator, starts.to(operator.dtype).to(operator.device), order)
    steps = found.steps.tolist()
    diagonals = _rows(found.diagonals, steps)
    offdiagonals = _rows(found.offdiagonals, steps)
    quadratures = [_gauss(a, b) for a, b in zip(diagonals, offdiagonals, strict=True)]
    masses = found.norms.double().square().numpy(force=True)
    nodes, weights = (tuple(part) for part in zip(*quadratures, strict=True))
    unit = float(torch.finfo(operator.dtype).eps)
    return SpectralMeasure(operator.size, nodes, weights, masses, diagonals, offdiagonals, seed, unit)


def _rows(table: torch.Tensor, steps: Sequence[int]) -> tuple[np.ndarray, ...]:
    return tuple(row[:count] for row, count in zip(table.double().numpy(force=True), steps, strict=True))


def _gauss(diagonal: np.ndarray, offdiagonal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nodes, vectors = eigh_tridiagonal(diagonal, offdiagonal[:-1])
    return nodes, vectors[0] ** 2


def _half_line(point: float, diagonal: np.ndarray, offdiagonal: np.ndarray, rounding: float) -> tuple[float, float]:
    if offdiagonal[-1] == 0.0:  # an invariant subspace: the quadrature is the measure
        nodes, weights = _gauss(diagonal, offdiagonal)
    else:
        nodes, weights = _gauss_radau(point, diagonal, offdiagonal)
    return float(weights[nodes < point - rounding].sum()), float(weights[nodes <= point + rounding].sum())


def _gauss_radau(point: float, diagonal: np.ndarray, offdiagonal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quadrature with a prescribed node: the Jacobi matrix with one row more that makes it an eigenvalue."""
    pivot = diagonal[0] - point
    tiny = np.finfo(np.float64).tiny ** 0.5
    for a, b in zip(diagonal[1:], offdiagonal[:-1], strict=True):
        pivot = a - point - b * b / (pivot if abs(pivot) > tiny else tiny)
    last = point + offdiagonal[-1] ** 2 / (pivot if abs(pivot) > tiny else tiny)
    return _gauss(np.append(diagonal, last), np.append(offdiagonal, 0.0))

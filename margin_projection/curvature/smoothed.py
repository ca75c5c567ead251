"""The published practice: epsilon-rank read off a Gaussian-smoothed density on a grid, and what smoothing does to it.

Prakash et al. smooth the Lanczos quadrature with a Gaussian of variance 1e-5 max(1, lambda_max - lambda_min) on a grid
of 10,000 points and take the share of the density outside [-eps, eps]. The kernel's width grows with the *range* of the
spectrum: the mass of eigenvalues at 0 leaks out of the interval as soon as the width is comparable with eps, so
lambda_max alone moves the statistic. `SmoothedRank.leak` is what a spectrum that is all 0 would show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from margin_projection._validation import check_integer, check_real
from margin_projection.curvature.spectral_measure import SpectralMeasure

RELATIVE_VARIANCE = 1e-5
GRID_POINTS = 10_000


@dataclass(frozen=True)
class SmoothedRank:
    """The share of a smoothed density outside [-eps, eps].

    Attributes:
        eps: the threshold.
        share: of the smoothed density on the grid, in [0, 1].
        width: the kernel's standard deviation. spacing: of the grid.
        leak: the share of a smoothed point mass at 0 outside [-eps, eps]: erfc(eps / (width sqrt 2)).
    """

    eps: float
    share: float
    width: float
    spacing: float
    leak: float


def smoothed_epsilon_rank(
    measure: SpectralMeasure,
    eps: float,
    *,
    relative_variance: float = RELATIVE_VARIANCE,
    grid_points: int = GRID_POINTS,
) -> SmoothedRank:
    """The statistic as published, with its kernel width and grid spacing.

    Args:
        measure: see `spectral_measure`.
        eps: above 0.
        relative_variance: times max(1, range) is the kernel's variance (default 1e-5).
        grid_points: at least 2 (default 10,000), from the smallest node to the largest, five widths beyond.

    Raises:
        InputError: a number is out of range.
    """
    eps = check_real("eps", eps, 0.0, open_below=True)
    check_real("relative_variance", relative_variance, 0.0, open_below=True)
    check_integer("grid_points", grid_points, 2)
    lowest = min(float(nodes[0]) for nodes in measure.nodes)
    highest = max(float(nodes[-1]) for nodes in measure.nodes)
    width = math.sqrt(relative_variance * max(1.0, highest - lowest))
    grid = np.linspace(lowest - 5.0 * width, highest + 5.0 * width, grid_points)
    density = smoothed_density(measure, grid, width)
    outside = np.abs(grid) > eps
    share = float(density[outside].sum() / density.sum())
    return SmoothedRank(eps, share, width, float(grid[1] - grid[0]), math.erfc(eps / (width * math.sqrt(2.0))))


def smoothed_density(measure: SpectralMeasure, grid: np.ndarray, width: float) -> np.ndarray:
    """The mean over the probes of the quadratures, each node spread by a Gaussian of that width, on a grid."""
    density = np.zeros_like(grid)
    for nodes, weights in zip(measure.nodes, measure.weights, strict=True):
        kernel = np.exp(-0.5 * ((grid[:, None] - nodes) / width) ** 2)
        density += kernel @ weights
    return density / (measure.num_probes * width * math.sqrt(2.0 * math.pi))

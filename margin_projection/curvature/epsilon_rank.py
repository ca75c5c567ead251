"""epsilon-rank from the quadrature measure itself, with an interval that holds with the stated probability.

Let r be the number of eigenvalues with |lambda| > eps, P the projector onto their eigenvectors. For k Gaussian probes
sum ||P g||^2 / sum ||g||^2 has the Beta distribution with parameters k r / 2 and k (p - r) / 2, whatever the matrix;
and m Lanczos steps bound ||P g||^2 from both sides (see `SpectralMeasure.mass_bounds`). So the set of r under which the
observed bounds are not too unlikely is a confidence interval, as that of Clopper and Pearson is for a proportion: both
the randomness of the probes and the finite order are in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from margin_projection._validation import check_real
from margin_projection.curvature.spectral_measure import SpectralMeasure


@dataclass(frozen=True)
class EpsilonRank:
    """How many eigenvalues lie outside [-eps, eps].

    Attributes:
        eps: the threshold.
        share: the estimate, as a share of all eigenvalues, in [0, 1].
        rank: the estimate, share times p.
        lower, upper: ends of the confidence interval of the rank, whole numbers in [0, p].
        confidence: its level.
        resolution: the width of the bounds on the share that the finite order leaves; more steps make it smaller,
            more probes do not.
    """

    eps: float
    share: float
    rank: float
    lower: int
    upper: int
    confidence: float
    resolution: float


def epsilon_rank(measure: SpectralMeasure, eps: float, *, confidence: float = 0.95) -> EpsilonRank:
    """The epsilon-rank of the matrix behind a measure.

    Args:
        measure: see `spectral_measure`; of Gaussian probes.
        eps: above 0, in the units of the eigenvalues.
        confidence: in (0, 1), default 0.95.

    Raises:
        InputError: eps or confidence is out of range.
    """
    eps = check_real("eps", eps, 0.0, open_below=True)
    confidence = check_real("confidence", confidence, 0.0, 1.0 - 1e-12, open_below=True)
    (left_least, left_most), (right_least, right_most) = measure.mass_bounds(-eps), measure.mass_bounds(eps)
    least, most = left_least + 1.0 - right_most, left_most + 1.0 - right_least
    shares = measure.masses / measure.masses.sum()
    low, high = float(shares @ np.clip(least, 0.0, 1.0)), float(shares @ np.clip(most, 0.0, 1.0))
    ends = _interval(low, high, measure.num_probes, measure.size, (1.0 - confidence) / 2.0)
    middle = (low + high) / 2.0
    return EpsilonRank(eps, middle, middle * measure.size, *ends, confidence, high - low)


def _interval(low: float, high: float, probes: int, size: int, tail: float) -> tuple[int, int]:
    """The ranks that an observed share in [low, high] does not exclude at level ``tail`` on either side."""
    ranks = np.arange(size + 1)
    first, second = probes * ranks / 2.0, probes * (size - ranks) / 2.0
    inner = slice(1, size)
    at_least, at_most = np.ones(size + 1), np.ones(size + 1)  # P(share >= low), P(share <= high)
    at_least[inner] = beta.sf(low, first[inner], second[inner])
    at_most[inner] = beta.cdf(high, first[inner], second[inner])
    slack = 1e-9
    at_least[0] = float(low <= slack)
    at_most[size] = float(high >= 1.0 - slack)
    possible = np.flatnonzero((at_least >= tail) & (at_most >= tail))
    if not possible.size:  # an observation that is unlikely under every rank: the most likely ones remain
        possible = np.array([int(np.argmax(np.minimum(at_least, at_most)))])
    return int(possible.min()), int(possible.max())

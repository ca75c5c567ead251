"""When a task is trainable: exact conditions for the linearized network, bounds from dead units, measured thresholds.

Linearized network, squared loss (1 / (2 n)) ||r||^2, gradient descent with step eta: r_T = (I - eta K)^T r_0 with the
kernel K = J J^T / n (Prakash et al. 2026, section 4, statement 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from margin_projection._validation import InputError, check_array, check_integer, check_real


@dataclass(frozen=True)
class LinearizedTraining:
    """What gradient descent on the linearized network reaches.

    Attributes:
        loss_start, loss: (1 / (2 n)) ||r||^2 before and after the steps, exact.
        lower: the necessary condition's bound: no matter how fast the directions with mu > eps are learned, the loss is
            at least this (0 where eta eps > 1, since the bound needs eta eps <= 1).
        upper: the sufficient condition's bound: at most this (infinite where eta mu_max > 2).
        epsilon_rank: number of mu > eps.
    """

    loss_start: float
    loss: float
    lower: float
    upper: float
    epsilon_rank: int


def linearized_training(
    kernel: np.ndarray, residual: np.ndarray, *, rate: float, steps: int, eps: float
) -> LinearizedTraining:
    """Gradient descent on a linear model of the outputs, and the bounds by the epsilon-rank of its kernel.

    With P the projector onto eigenvectors with mu <= eps, and q = max |1 - eta mu| over those with mu > eps:
    lower = ||P r_0||^2 (1 - eta eps)^(2 T) / (2 n) for eta eps <= 1, and
    upper = (||P r_0||^2 + q^(2 T) ||(I - P) r_0||^2) / (2 n) for eta mu_max <= 2.

    Args:
        kernel: (n, n) symmetric, positive semidefinite: J J^T / n.
        residual: (n,) r_0.
        rate: eta, above 0. steps: T, at least 0. eps: at least 0.

    Raises:
        InputError: shapes that do not fit, or a kernel that is not symmetric or not positive semidefinite.
    """
    K, r = check_array("kernel", kernel, 2), check_array("residual", residual, 1)
    check_real("rate", rate, 0.0, open_below=True)
    check_real("eps", eps, 0.0)
    check_integer("steps", steps, 0)
    if K.shape != (r.size, r.size) or not np.allclose(K, K.T):
        raise InputError("kernel", K, f"symmetric, of shape ({r.size}, {r.size})")
    mu, basis = np.linalg.eigh(K)
    if mu[0] < -1e-9 * max(1.0, mu[-1]):
        raise InputError("kernel", float(mu[0]), "positive semidefinite (its smallest eigenvalue)")
    mu = np.maximum(mu, 0.0)
    energy = (basis.T @ r) ** 2 / (2.0 * r.size)
    top = mu > eps
    remaining = float(energy[~top].sum())
    slowest = float(np.abs(1.0 - rate * mu[top]).max()) if top.any() else 0.0
    lower = remaining * (1.0 - rate * eps) ** (2 * steps) if rate * eps <= 1.0 else 0.0
    stable = rate * mu[-1] <= 2.0
    upper = remaining + slowest ** (2 * steps) * float(energy[top].sum()) if stable else np.inf
    after = float((energy * (1.0 - rate * mu) ** (2 * steps)).sum())
    return LinearizedTraining(float(energy.sum()), after, lower, upper, int(top.sum()))


def dead_unit_rank_bound(num_parameters: int, dead_units: int, fan_in: int, fan_out: int, *, bias: bool = True) -> int:
    """p - m (fan_in + [bias] + fan_out): at most this is the rank of the Hessian of a two-layer ReLU network.

    m units that are strictly inactive on every sample make the rows and columns of their incoming and outgoing
    weights 0 (Prakash et al. 2026, section 4, statement 2). A loss with weight decay is not meant.
    """
    check_integer("num_parameters", num_parameters, 1)
    count = check_integer("dead_units", dead_units, 0) * (check_integer("fan_in", fan_in, 1) + bias + fan_out)
    if count > num_parameters:
        raise InputError("dead_units", dead_units, f"units that have at most {num_parameters} parameters together")
    return num_parameters - count


def persistence_margin(weights: np.ndarray, bias: float, X: np.ndarray) -> float:
    """gamma / ||w|| with gamma = min_x -(<w, x> + b): a dead unit stays dead on X' at directed distance below it.

    The distance is sup over x' in X' of the Euclidean distance to X (statement 3). Negative or 0 where the unit is not
    strictly inactive on X; infinite for w = 0 and b < 0.
    """
    w, samples = check_array("weights", weights, 1), check_array("X", X, 2)
    gamma = float((-(samples @ w + check_real("bias", bias))).min())
    norm = float(np.linalg.norm(w))
    return gamma / norm if norm > 0.0 else np.copysign(np.inf, gamma) if gamma else 0.0


@dataclass(frozen=True)
class Threshold:
    """Which value separates success from failure.

    Attributes:
        threshold: success is predicted at and above it; of largest sensitivity + specificity.
        sensitivity, specificity: there.
        area: under the ROC curve, with its 95 % interval (bootstrap over cases).
        false_positive_rates, true_positive_rates: the curve.
    """

    threshold: float
    sensitivity: float
    specificity: float
    area: float
    area_interval: tuple[float, float]
    false_positive_rates: np.ndarray
    true_positive_rates: np.ndarray


def trainability_threshold(
    values: np.ndarray, succeeded: np.ndarray, *, seed: int = 0, resamples: int = 1000
) -> Threshold:
    """The tau-trainability threshold of a measurement at task start (an epsilon-rank, say), measured.

    Args:
        values: (n,) at task starts.
        succeeded: (n,) bool, at least one of each.
        seed, resamples: of the bootstrap.

    Raises:
        InputError: shapes differ, or all cases have the same outcome.
    """
    x, good = check_array("values", values, 1), np.asarray(succeeded, dtype=bool)
    if x.shape != good.shape:
        raise InputError("succeeded", good, f"of shape ({x.size},)")
    if good.all() or not good.any():
        raise InputError("succeeded", int(good.sum()), f"successes and failures, one of each at least, of {x.size}")
    cuts = np.append(np.unique(x), np.inf)[::-1]
    true_rates = np.array([(x[good] >= cut).mean() for cut in cuts])
    false_rates = np.array([(x[~good] >= cut).mean() for cut in cuts])
    best = int(np.argmax(true_rates - false_rates))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        chosen = rng.integers(x.size, size=x.size)
        if good[chosen].any() and not good[chosen].all():
            drawn.append(_area(x[chosen], good[chosen]))
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
    return Threshold(
        float(cuts[best]), float(true_rates[best]), float(1.0 - false_rates[best]), _area(x, good),
        (float(low), float(high)), false_rates, true_rates,
    )  # fmt: skip


def _area(values: np.ndarray, good: np.ndarray) -> float:
    """P(value of a success > value of a failure) + P(equal) / 2: Mann and Whitney's statistic."""
    result = stats.mannwhitneyu(values[good], values[~good], method="asymptotic").statistic
    return float(result) / (int(good.sum()) * int((~good).sum()))

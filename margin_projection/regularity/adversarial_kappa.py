"""A search for points x near theta* at which d(x, C*) / max_m d(x, C_m) is large: lower bounds on kappa.

Near theta* the sets look like their tangent cones T_m = {v : <g_j, v> >= 0, j active in C_m} (= 0 for equalities; by
MFCQ), so that the ratio of distances to the cones, attained in the limit along rays from theta*, bounds kappa from
below on every ball. Distances to the cones are small convex programs over the gradients' Gram matrix. The numerator is
the dual value of a program, the denominators are lengths of feasible steps, so the ratio is proved up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from margin_projection.projections.dual_qp import DualQPStatus, least_distance

_SLACK = 1e-9  # relative error granted to the distances of both programs
_ROUNDING = 1e-15  # relative error of the products of two gradients
_SHRINK = 0.7  # of the size of random changes after a failed round
_MANY = 150  # active constraints beyond which the search is cut to a few evaluations


@dataclass(frozen=True)
class TangentSearch:
    """The largest ratio met and where: x = theta* + t sum_j weights_j g_j for small t > 0."""

    ratio: float
    weights: np.ndarray
    evaluations: int


class TangentCones:
    """Distances to the tangent cones of every C_m and of C*, from the Gram matrix of the active gradients alone.

    Args:
        gram: (a, a) of the active gradients.
        tasks: (a,) the task of each.
        is_equality: (a,) bool.
    """

    def __init__(self, gram: np.ndarray, tasks: np.ndarray, is_equality: np.ndarray) -> None:
        self.gram, self.tasks, self.is_equality = gram, tasks, is_equality
        self.norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
        self.parts = [np.flatnonzero(tasks == task) for task in np.unique(tasks)]

    def ratio(self, weights: np.ndarray) -> float:
        """A proved lower bound on d(v, T) / max_m d(v, T_m) at v = sum_j weights_j g_j; 0 where v lies in T."""
        slopes, size = self.gram @ weights, float(np.abs(weights) @ self.norms)
        lower = self._distance(np.arange(len(slopes)), slopes, size)[0]
        if lower <= 0.0:
            return 0.0
        worst = max(self._distance(part, slopes, size)[1] for part in self.parts)
        return lower * (1.0 - _SLACK) / (worst * (1.0 + _SLACK)) if math.isfinite(worst) and worst > 0.0 else 0.0

    def _distance(self, index: np.ndarray, slopes: np.ndarray, size: float) -> tuple[float, float]:
        """(lower, upper) bounds on the distance to the cone of the rows ``index``, for v a sum of lengths ``size``."""
        block = self.gram[np.ix_(index, index)]
        solution = least_distance(block, -slopes[index], self.is_equality[index])
        if solution.status is not DualQPStatus.OPTIMAL:
            return 0.0, math.inf
        terms = float(np.abs(solution.multipliers) @ self.norms[index])
        square = max(0.0, float(solution.multipliers @ block @ solution.multipliers))
        length = math.sqrt(square + _ROUNDING * len(slopes) * terms**2)
        value = float(-slopes[index] @ solution.multipliers) - _ROUNDING * len(slopes) * terms * size
        return (value / length if length > 0.0 else 0.0), length


def search_tangent_ratio(
    cones: TangentCones, candidates: list[np.ndarray], seed: int, rounds: int = 60
) -> TangentSearch:
    """The largest ratio over the candidates, random combinations of normals, and random changes of the best.

    Args:
        cones: the tangent cones.
        candidates: weights (a,) to begin with.
        seed: nonnegative.
        rounds: random changes tried (default 60; fewer where many constraints are active).
    """
    size = len(cones.gram)
    generator = np.random.default_rng(seed)
    rounds = rounds if size <= _MANY else rounds // 10
    pairs = [-np.eye(size)[i] - np.eye(size)[j] for i in range(min(size, 6)) for j in range(i)]
    draws = [-generator.exponential(size=size) * (generator.random(size) < 0.5) for _ in range(max(4, rounds // 4))]
    signed = [generator.standard_normal(size) for _ in range(4)] if cones.is_equality.any() else []
    best, best_ratio, evaluations = np.zeros(size), 0.0, 0
    for weights in [*candidates, *pairs[: rounds // 2], *draws, *signed]:
        ratio = cones.ratio(weights)
        evaluations += 1
        if ratio > best_ratio:
            best, best_ratio = weights, ratio
    spread = 0.5
    for _ in range(rounds):
        scale = float(np.abs(best).max(initial=0.0)) or 1.0
        trial = best + spread * scale * generator.standard_normal(size) * (generator.random(size) < 0.3)
        ratio = cones.ratio(trial)
        evaluations += 1
        if ratio > best_ratio:
            best, best_ratio = trial, ratio
        else:
            spread = max(_SHRINK * spread, 1e-3)
    return TangentSearch(best_ratio, best, evaluations)

"""What is proved on a ball around a point of C*: constants, kappa-linear regularity, and the curvature of normals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

_MAX_ROUNDS = 30
_GROWTH = 1.0 + 1e-3


@dataclass(frozen=True)
class BallConstants:
    """Proved for every x of B_radius(theta*); every constant is an upper bound, infinite where nothing is proved.

    Attributes:
        radius: rho >= 0; 0 stands for the limit rho -> 0.
        influence_radius: R >= 2 rho: the ball on which G and beta were taken, large enough to hold every point that the
            proofs speak of (the projections of x, and a point of C* within kappa max_m d(x, C_m) of it).
        lipschitz, smoothness: G and beta on B_R, the largest over the constraints that can be violated there.
        kappa: d(x, C*) <= kappa max_m d(x, C_m).
        kappa_euclidean: d(x, C*) <= kappa_euclidean sqrt(sum_m d(x, C_m)^2).
        kappa_from_set: (M,) for x in C_a: d(x, C*) <= kappa_from_set[a] max_{m != a} d(x, C_m).
        normal_curvature: chi with <u, z - p> <= (chi / 2) ||u|| ||z - p||^2 for p, z in C_m and in B_R, u a proximal
            normal of C_m at p.
        cycle_norm: bound on d(x_M, C*) / d(x_0, C*) over one cycle from x_0 in C_M, beside what kappa gives; infinite
            where there is none (classification). first_cycle_norm: the same from any x_0.
        kappa_method: how kappa was obtained, in words.
    """

    radius: float
    influence_radius: float
    lipschitz: float
    smoothness: float
    kappa: float
    kappa_euclidean: float
    kappa_from_set: np.ndarray
    normal_curvature: float
    cycle_norm: float
    first_cycle_norm: float
    kappa_method: str

    @property
    def expansion(self) -> float:
        """q = 1 / (1 - chi rho): how much a step onto one set can lengthen the squared distance to a point of C*."""
        product = self.normal_curvature * self.radius if math.isfinite(self.normal_curvature) else math.inf
        return 1.0 / (1.0 - product) if product < 1.0 else math.inf


class Neighbourhood(Protocol):
    """The family of balls around theta*."""

    def limit(self) -> BallConstants:
        """What is proved as the radius tends to 0."""

    def curvature(self, radius: float) -> float:
        """chi on B_radius(theta*) itself."""

    def at(self, radius: float) -> BallConstants:
        """What is proved on B_radius(theta*)."""


def with_influence(radius: float, on: Callable[[float, float], BallConstants]) -> tuple[BallConstants, bool]:
    """``on(radius, R)`` for the least R found, from 2 radius upwards, and whether R >= radius (1 + kappa) there."""
    influence = 2.0 * radius
    ball = on(radius, influence)
    for _ in range(_MAX_ROUNDS):
        needed = radius * (1.0 + ball.kappa)
        if needed <= influence or not math.isfinite(needed):
            break
        influence = needed * _GROWTH
        ball = on(radius, influence)
    return ball, radius * (1.0 + ball.kappa) <= influence

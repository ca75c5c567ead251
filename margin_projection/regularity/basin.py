"""The radius of the basin: starts from which all iterates provably stay near theta* and converge at the rate proved.

Iterates move by d(x, C_m) <= d(x, C*) a step, and these steps sum up to at most A rho_0 from B_{rho_0}(theta*), with

    A = S (1 + theta_1 / (1 - theta)),  S = sum_{i < M} q^{i/2}    (cyclic; theta, theta_1 the factors of a cycle),
    A = 1 / (eta (1 - sqrt(rho_iid)))                              (random, with probability 1 - eta; Markov).

Each step also lengthens the distance to theta* by at most the factor (1 - chi d(x, C_m))^{-1/2}. So the iterates stay
in B_rho(theta*) where rho_0 (1 + A) <= rho, or where rho_0 exp(a rho_0) <= rho with a = q chi A / 2: for convex sets
(chi = 0) from the whole ball. Both are maximized over rho. Proofs in docs/regularity.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import lambertw

from margin_projection.regularity.ball import BallConstants, Neighbourhood
from margin_projection.regularity.contraction import cyclic_factor, first_cycle_factor, random_factor

ESCAPE_PROBABILITY = 0.05
_RADII = 10
_SMALLEST = 2.0**-20  # the smallest radius looked at, relative to the report's own


@dataclass(frozen=True)
class Basin:
    """A proved basin B_radius(theta*).

    Attributes:
        radius: rho_0; 0 where nothing is proved.
        factor: what contracts: d(., C*) per cycle (cyclic), E d^2(., C*) per step (random).
        ball: the constants used, on the larger ball that the iterates never leave; None where nothing is proved.
        probability: with which random runs stay (1 for cyclic ones).
    """

    radius: float
    factor: float
    ball: BallConstants | None
    probability: float


def proved_basins(neighbourhood: Neighbourhood, radius: float, num_tasks: int) -> tuple[Basin, Basin]:
    """The largest proved basins of cyclic and of random orderings, over balls of at most ``radius`` around theta*."""
    radii = radius * np.geomspace(1.0, _SMALLEST, _RADII)
    balls: list[BallConstants] = []
    for each in reversed(radii):
        ball = neighbourhood.at(float(each))
        if not math.isfinite(ball.expansion):
            break  # the constants of larger balls are larger
        balls.append(ball)
    return _cyclic(balls, num_tasks), _random(balls, num_tasks)


def _cyclic(balls: Sequence[BallConstants], num_tasks: int) -> Basin:
    best = Basin(0.0, math.inf, None, 1.0)
    for ball in balls:
        factor, first = cyclic_factor(ball, num_tasks), first_cycle_factor(ball, num_tasks)
        if not (factor < 1.0 and math.isfinite(first)):
            continue
        steps = sum(ball.expansion ** (step / 2) for step in range(num_tasks))
        start = _start(ball, steps * (1.0 + first / (1.0 - factor)))
        if start > best.radius:
            best = Basin(start, factor, ball, 1.0)
    return best


def _random(balls: Sequence[BallConstants], num_tasks: int) -> Basin:
    best = Basin(0.0, math.inf, None, 1.0 - ESCAPE_PROBABILITY)
    for ball in balls:
        factor = random_factor(ball, num_tasks)
        if not (factor < 1.0 and math.isfinite(ball.expansion)):
            continue
        start = _start(ball, 1.0 / (ESCAPE_PROBABILITY * (1.0 - math.sqrt(factor))))
        if start > best.radius:
            best = Basin(start, factor, ball, 1.0 if ball.normal_curvature == 0.0 else 1.0 - ESCAPE_PROBABILITY)
    return best


def _start(ball: BallConstants, path: float) -> float:
    """rho_0, where the steps sum up to at most ``path`` rho_0."""
    exponent = 0.5 * ball.expansion * ball.normal_curvature * path
    if exponent == 0.0:
        return ball.radius
    return max(ball.radius / (1.0 + path), float(lambertw(exponent * ball.radius).real) / exponent)

"""How much one step, or one cycle, of projections shortens the distance to C*, from what is proved on a ball.

With q = 1 / (1 - chi rho) (`BallConstants.expansion`), for x in B_rho(theta*), p a projection of x onto C_m and z one
onto C*: ||p - z||^2 <= q (||x - z||^2 - d(x, C_m)^2). Everything here follows from that; proofs in docs/regularity.md.
"""

from __future__ import annotations

import math

from margin_projection.regularity.ball import BallConstants

_LARGEST_LOGARITHM = 700.0


def random_factor(ball: BallConstants, num_tasks: int) -> float:
    """E[d^2(p, C*)] <= factor d^2(x, C*) for a task drawn uniformly: q (1 - 1 / (M kappa_2^2)); 0 for one task."""
    if num_tasks == 1:
        return 0.0
    return ball.expansion * _left(num_tasks * ball.kappa_euclidean**2)


def cyclic_factor(ball: BallConstants, num_tasks: int) -> float:
    """d(x_M, C*) <= factor d(x_0, C*) over one cycle from x_0 in the last task's set; 0 for one task.

    For M = 2 each step contracts by itself: q sqrt((1 - 1/k_1^2)(1 - 1/k_2^2)), k_a = kappa from C_a. Otherwise
    sqrt(q (q^{M-1} - 1 / ((M - 1) k_M^2))). The bound by the norm of the tangent projectors' product is taken where it
    is smaller.
    """
    if num_tasks == 1:
        return 0.0
    q, from_set = ball.expansion, ball.kappa_from_set
    if not math.isfinite(q):
        return math.inf
    if num_tasks == 2:
        factor = q * math.sqrt(_left(from_set[0] ** 2) * _left(from_set[1] ** 2))
    else:
        factor = math.sqrt(q * (_power(q, num_tasks - 1) - _share((num_tasks - 1) * from_set[-1] ** 2)))
    return min(factor, ball.cycle_norm)


def first_cycle_factor(ball: BallConstants, num_tasks: int) -> float:
    """d(x_M, C*) <= factor d(x_0, C*) over the first cycle, from any x_0: sqrt(q)^M, 1 for convex sets, or less."""
    q = ball.expansion
    return min(_power(q, num_tasks / 2), ball.first_cycle_norm) if math.isfinite(q) else math.inf


def _power(base: float, exponent: float) -> float:
    """base^exponent for base >= 1, infinite beyond what float64 holds."""
    return base**exponent if exponent * math.log(base) < _LARGEST_LOGARITHM else math.inf


def _share(value: float) -> float:
    """1 / value, at most 1; 1 where value is 0 (nothing is violated)."""
    return min(1.0, 1.0 / value) if value > 0.0 else 1.0


def _left(value: float) -> float:
    """1 - 1 / value, between 0 and 1."""
    return 1.0 - _share(value)

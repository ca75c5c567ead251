"""Why Algorithm 2 stays in the plane u[1] = 0 for Theorem 5's tasks, and leaves every neighbourhood of it otherwise.

Tasks x_1 = (p, q), x_2 = (s, -t) with 0 < p < q, 0 < s < t, labels +1: f(x_1; .) = p (u^2 - v^2) + q (y^2 - z^2) and
f(x_2; .) = s (u^2 - v^2) + t (z^2 - y^2), writing (u, v, y, z) for (u[1], v[1], u[2], v[2]).
"""

from __future__ import annotations

import z3

from proofs_checks import steps


def stays_in_the_plane() -> tuple[steps.Step, ...]:
    """From u = 0, v = 0, every projection has u = 0 and v = 0."""
    x, rho, big, y0, y = z3.Reals("x rho Y y0 y")
    return (
        steps.implication(
            "u = 0 (B.1, B.3, B.4 at once)",
            "trading: where (u, y, z) is feasible, so is (0, Y, z) with Y^2 = y^2 + u^2 p/q, and it is nearer to (0, "
            "y0, z0)",
            [x != 0, rho > 1, y >= 0, y0 >= 0, big >= 0, big * big == y * y + x * x / rho],
            (big - y0) ** 2 < (y - y0) ** 2 + x * x,
        ),
        steps.argued(
            "signs", "y, y0 >= 0 may be assumed",
            "Y takes the sign of y0, and |y - y0| >= ||y| - |y0||, so replacing y by |y| and y0 by |y0| only shortens "
            "the competitor's distance. rho = q/p > 1 for C_1 and t/s > 1 for C_2, where z plays the part of y.",
        ),
        steps.argued(
            "v = 0", "v stays 0",
            "v enters both margins as -p v^2 and -s v^2: setting it to 0 keeps feasibility and shortens the step.",
        ),
    )  # fmt: skip


def joint_bound() -> steps.Step:
    """u^2 >= (q + t) / (t p + q s) at every point of C*."""
    p, q, s, t, u2, v2, w = z3.Reals("p q s t u2 v2 w")  # u2 = u[1]^2, v2 = v[1]^2, w = u[2]^2 - v[2]^2
    premises = [p > 0, q > 0, s > 0, t > 0, v2 >= 0, p * (u2 - v2) + q * w >= 1, s * (u2 - v2) - t * w >= 1]
    return steps.implication(
        "C*", "t f(x_1) + q f(x_2) = (t p + q s)(u^2 - v^2) >= t + q", premises, (t * p + q * s) * u2 >= q + t
    )


def escape() -> tuple[steps.Step, ...]:
    """From u != 0 (and y, z != 0) the iterates come arbitrarily near to C*."""
    a, b, m, q = z3.Reals("a b m q")  # a = y, b = z; one projection onto C_1
    return (
        steps.argued(
            "one step",
            "u' = u/(1 - m p), v' = v/(1 + m p), y' = y/(1 - m q), z' = z/(1 + m q), 0 <= m < 1/q, for C_1; the "
            "same with s, t and y, z exchanged for C_2",
            "KKT; m <= 1/q is the condition of global optimality of a quadratic program with one constraint, and m < "
            "1/q since y != 0. So |u| never decreases.",
        ),
        steps.implication(
            "the multiplier", "W = y^2 - z^2 grows by at most 4 m q S' with S' = y'^2 + z^2 (y' = a/(1-mq))",
            [m >= 0, q > 0, m * q < 1],
            (a * a - b * b * (1 - m * q) ** 2 / (1 + m * q) ** 2) - (a * a - b * b) * (1 - m * q) ** 2
            <= 4 * m * q * (a * a + b * b * (1 - m * q) ** 2),
        ),
        steps.argued(
            "growth", "S = y^2 + z^2 grows by at most the change of W, so S_k <= S_0 + k Gamma",
            "For C_1, S' - S = (y'^2 - y^2) - (z^2 - z'^2) <= y'^2 - y^2 <= W' - W, and W' = (1 - p (u'^2 - v'^2))/q "
            "on the boundary. While u'^2 < U* = (q + t)/(t p + q s), all W lie in a bounded interval; Gamma is its "
            "length.",
        ),
        steps.argued(
            "divergence",
            "while u^2 <= U* - eta, each step changes W by at least some gamma > 0, so m_k >= c/(S_0 + k Gamma)",
            "For u^2 - v^2 < U* the intervals of W that C_1 and C_2 allow are disjoint, at distance gamma > 0 for u^2 "
            "<= U* - eta (v only widens it). The sum of the m_k diverges (harmonic series), and |u_k| = |u_0| prod "
            "1/(1 - m_k p) would tend to infinity: so u_k^2 > U* - eta for some k.",
        ),
        steps.argued(
            "distance", "then d(theta_k, C*) tends to 0 with eta",
            "(sqrt(U*), y*, z*) with v = 0 and y*^2 - z*^2 = W* = (1 - p U*)/q is in C*; theta_k has W within O(eta) "
            "+ O(v^2) of W* at its last projection and v_k -> 0 (v is divided by 1 + m p, and the sum of the m_k "
            "diverges), and y, z are at least |W_k| away from 0 in square sum; so y*, z* can be taken within O(eta) + "
            "O(v_k^2) of y_k, z_k.",
        ),
    )  # fmt: skip

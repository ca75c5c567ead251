"""Lemma D.2: kappa-linear regularity of regression sets with kappa = G ||theta*|| / (r y_min). False.

Its proof bounds |sum_j lambda_j r y_j| from below by r y_min sum_j |lambda_j|, which fails as soon as two lambda_j y_j
have opposite signs. Two nearly parallel samples make the true constant as large as one likes.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import sympy
import z3

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, subtract
from proofs_checks.condition import Claim
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.two_lines import HYPOTHESES, geometry, square_distance, two_lines
from proofs_checks.statement import Statement, is_false, still_true


def _quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    samples, start = (x.x1, x.x2), found["start"]
    errors = [dot(sample, subtract(start, x.theta)) for sample in samples]
    squares = [error * error / dot(sample, sample) for error, sample in zip(errors, samples, strict=True)]
    inner = dot(x.x1, x.x2)
    cosine2 = inner * inner / (dot(x.x1, x.x1) * dot(x.x2, x.x2))
    return {
        **found, "distance2": square_distance(start, x), "largest2": A.maximum(squares),
        "sum2": squares[0] + squares[1], "cosine": A.sqrt(cosine2),
    }  # fmt: skip



def _mixed_signs_fail() -> bool:
    (l1, l2), (y1, y2), r = (1, -1), (1, 1), 1
    return abs(l1 * r * y1 + l2 * r * y2) < r * min(abs(y1), abs(y2)) * (abs(l1) + abs(l2))


def _eigenvalue_step() -> steps.Step:
    c, k, u, v = z3.Reals("c k u v")
    norm = u * u + v * v + 2 * c * u * v
    image = (u + c * v) ** 2 + (c * u + v) ** 2
    return steps.implication(
        "the bound", "for w = u q_1 + v q_2 in span(q_1, q_2): (1 - |c|) ||w||^2 <= <q_1, w>^2 + <q_2, w>^2",
        [c * c < 1, k >= 0, k * k == c * c], (1 - k) * norm <= image,
    )


REPAIR = Statement(
    id="schliserman2026/lemma-d2/repair",
    source="this project, docs/regularity.md, Theorem 7",
    title="Linear regularity of regression sets, from the least singular value",
    text=(
        "For two independent samples of a linear model with angle phi between them, sigma^2 = 1 - |cos phi| the least "
        "squared singular value of the stacked unit gradients: d^2(x, C*) <= (d^2(x, C_1) + d^2(x, C_2)) / sigma^2. So "
        "kappa = sqrt(2) / sigma. (For nonlinear models: docs/regularity.md, Theorem 7.)"
    ),
    instances=two_lines,
    derive=_quantities,
    hypotheses=HYPOTHESES,
    claims=(
        Claim(
            "linear regularity", lambda q, c: q.distance2 * (1 - c.cosine * q.cosine), "<=", lambda q, c: q.sum2,
        ),
    ),
    constants={"cosine": Constant(1, "down", "factor of |cos phi|")},
    corners={"right angle": Instance(x1=("1", "0"), x2=("0", "1"), theta=("1", "1"), offset=("1", "1"), inside="1")},
    own_proof=(
        steps.argued(
            "reduction", "d(x, C_m) = |<q_m, w>| with w = x - theta* and q_m = x_m / ||x_m||; d(x, C*) = ||w||",
            "C_m is the line through theta* with unit normal q_m, and C* = {theta*} since q_1, q_2 are independent. "
            "They span the plane, so w = u q_1 + v q_2 for some u, v.",
        ),
        steps.identity(
            "norms", "||w||^2 = u^2 + v^2 + 2 c u v with c = <q_1, q_2>; <q_1, w> = u + c v, <q_2, w> = c u + v",
            sympy.expand("(u + c*v)*u + (c*u + v)*v"), sympy.expand("u**2 + v**2 + 2*c*u*v"),
        ),
        _eigenvalue_step(),
    ),
    fates={
        "cosine halved": is_false("equality along q_1 -+ q_2"),
        "without C* is one point": still_true("the sets and C* are then the same line, up to a parallel empty one"),
        "without y_min > 0": still_true("labels do not enter the constant"),
        "without start in the ball": still_true("the sets are affine: the bound holds everywhere"),
    },
)  # fmt: skip

STATEMENT = Statement(
    id="schliserman2026/lemma-d2",
    source="Schliserman et al. 2026, Lemma D.2",
    title="kappa-linear regularity of the regression sets",
    text=(
        "f G-Lipschitz, beta-smooth, r-homogeneous, theta* in C*, y_min = min |y_j| > 0. Then on B_delta(theta*): "
        "d(x, C*) <= kappa max_m d(x, C_m) with kappa = G ||theta*|| / (r y_min)."
    ),
    instances=two_lines,
    derive=_quantities,
    hypotheses=HYPOTHESES,
    claims=(
        Claim(
            "kappa", lambda q, c: q.distance2, "<=",
            lambda q, c: c.kappa * c.kappa * q.G2 * q.norm2 / q.ymin2 * q.largest2,
        ),
    ),
    constants={"kappa": Constant(1, "down", "factor of G ||theta*|| / (r y_min)")},
    corners={
        "nearly parallel": Instance(x1=("1", "0"), x2=("1", "1/100"), theta=("1", "0"), offset=("0", "1"), inside="1"),
        "orthogonal": Instance(x1=("1", "0"), x2=("0", "1"), theta=("1", "1"), offset=("1", "1"), inside="1"),
    },
    proof=(
        steps.argued(
            "Euler", "<theta*, sum_j l_j grad h_j(theta*)> = sum_j l_j r y_j",
            "Euler's identity <grad f(x_j; theta*), theta*> = r f(x_j; theta*) = r y_j, multiplied by l_j and summed.",
        ),
        steps.false(
            "the lower bound", "|sum_j l_j r y_j| >= r y_min sum_j |l_j|", _mixed_signs_fail,
            "l = (1, -1), y = (1, 1): the left side is 0, the right side 2 r",
        ),
    ),
    repair=REPAIR,
    remarks=(
        "The bound holds where all l_j y_j have one sign, so for a single constraint in all; a linear model with two "
        "samples is enough to break it, whatever reading of the constants is taken.",
    ),
)  # fmt: skip

STATEMENTS = (STATEMENT,)

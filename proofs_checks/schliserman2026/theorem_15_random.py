"""Theorem 15, random orderings: the rate and the error bound of regression in expectation. Both false.

Expectations over all orderings of k steps are finite sums here. What holds for two one-sample tasks of a linear model:
E d^2 contracts by 1 - sigma^2 / 2 a step, sigma^2 = 1 - |cos phi|.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import integers

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot
from proofs_checks.condition import Claim, Inequality
from proofs_checks.constants import Constant, Count
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.theorem_15_cyclic import ERROR_STEP, KAPPA_STEP
from proofs_checks.schliserman2026.two_lines import (
    HYPOTHESES,
    each_claim_alone,
    geometry,
    largest_error,
    square_distance,
    trajectory,
    two_lines,
)
from proofs_checks.statement import Statement, is_false, still_true


def _instances(dropped: frozenset[str]) -> Any:
    return two_lines(dropped, k=integers(1, 3))


def _quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    samples = (x.x1, x.x2)
    orders = list(itertools.product((0, 1), repeat=x.k))
    ends = [trajectory(found["start"], samples, found["labels"], order, A)[-1] for order in orders]
    distances = [square_distance(end, x) for end in ends]
    errors = [largest_error(end, samples, found["labels"], A) for end in ends]
    inner = dot(x.x1, x.x2)
    cosine2 = inner * inner / (dot(x.x1, x.x1) * dot(x.x2, x.x2))
    return {
        **found, "k": x.k, "M": 2, "first2": square_distance(found["start"], x),
        "mean2": sum(distances[1:], distances[0]) / len(orders), "worst2": A.maximum(distances),
        "error": sum(errors[1:], errors[0]) / len(orders), "cosine": A.sqrt(cosine2), "exp": A.exp, "sqrt": A.sqrt,
    }  # fmt: skip


def _printed_rate(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    return q.exp(-q.k * q.ymin2 / (c.M(q.M) * c.denominator * q.G2 * q.norm2)) * q.first2


def _proved_rate(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    return (1 - c.gain * (1 - q.cosine) / 2) ** q.k * q.first2


_RATE = Claim("rate", lambda q, c: q.mean2, "<=", _printed_rate)
_ERROR = Claim("error bound", lambda q, c: q.error / q.sqrt(q.G2), "<=", lambda q, c: c.factor * q.mean2)


def _one_step() -> steps.Step:
    a, b, norm, sigma = z3.Reals("a b norm sigma2")  # a = <q_1, w>, b = <q_2, w>, norm = ||w||^2
    return steps.implication(
        "one step", "E ||w - <q, w> q||^2 = ||w||^2 - (<q_1, w>^2 + <q_2, w>^2)/2 <= (1 - sigma^2/2) ||w||^2",
        [sigma * norm <= a * a + b * b], ((norm - a * a) + (norm - b * b)) / 2 <= (1 - sigma / 2) * norm,
    )  # fmt: skip


REPAIR = Statement(
    id="schliserman2026/theorem-15-random/repair",
    source="this project, docs/regularity.md",
    title="Two one-sample regression tasks of a linear model, random",
    text=(
        "For two independent samples with angle phi and i.i.d. uniform tasks: E d^2(theta_k, C*) <= (1 - (1 - |cos "
        "phi|)/2)^k d^2(theta_0, C*), and E max_m F_m(theta_k) <= G^2 E d^2(theta_k, C*). (For nonlinear models: "
        "docs/regularity.md.)"
    ),
    instances=_instances,
    derive=_quantities,
    hypotheses=HYPOTHESES,
    claims=(
        Claim(
            "rate", lambda q, c: q.mean2, "<=", _proved_rate,
            variants={"expectation removed": Inequality("every path", lambda q, c: q.worst2, "<=", _proved_rate)},
        ),
        Claim("error bound", lambda q, c: q.error, "<=", lambda q, c: c.factor * q.G2 * q.mean2),
    ),
    constants={"gain": Constant(1, "up", "factor of sigma^2"), "factor": Constant(1, "down", "factor of G^2 E d^2")},
    corners={
        "along the bisector": Instance(
            x1=("1", "0"), x2=("3/5", "4/5"), theta=("1", "1"), offset=("1", "-2"), inside="1", k=1
        ),
        "orthogonal": Instance(x1=("1", "0"), x2=("0", "1"), theta=("1", "1"), offset=("1", "1"), inside="1", k=1),
        "orthogonal, along a sample": Instance(
            x1=("1", "0"), x2=("0", "1"), theta=("1", "1"), offset=("1", "0"), inside="1", k=1
        ),
    },
    own_proof=(
        steps.argued(
            "the least singular value", "(1 - |cos phi|) ||w||^2 <= <q_1, w>^2 + <q_2, w>^2 with w = theta_k - theta*",
            "The repair of Lemma D.2 (lemma-d2/repair), proved there with z3.",
        ),
        _one_step(),
        steps.argued("k steps", "the factor to the power k", "Tasks are independent: condition on the steps before."),
        steps.argued(
            "errors", "max_m F_m(theta_k) <= G^2 d^2(theta_k, C*) on every path",
            "Cauchy and Schwarz, then expectations.",
        ),
    ),
    fates={
        "gain doubled": is_false("equality along the bisector"),
        "factor halved": is_false("in one step the other sample's error may be the whole G^2 d^2 on half of the paths"),
        "rate: expectation removed": is_false("a path may meet the line on which it is already, and not move"),
        "without C* is one point": still_true("then q_1 = -+ q_2, sigma = 0 and distances do not grow"),
        "without y_min > 0": still_true("labels do not enter"),
        "without start in the ball": still_true("the sets are affine"),
    },
)  # fmt: skip

_RECURSION = steps.argued(
    "the recursion, as in Theorem 6",
    "(1/(1-eps) - 1/(M kappa^2))^k <= exp(-k/(2 M kappa^2)) with 1/(1-eps) = 1 + 1/(2 M kappa^2)",
    "The base is 1 - 1/(2 M kappa^2), and 1 - t <= exp(-t). (With the kappa of Lemma D.2, which is false.)",
)

STATEMENT = Statement(
    id="schliserman2026/theorem-15-random",
    source="Schliserman et al. 2026, Theorem 15",
    title="Regression rate, random orderings",
    text=(
        "f G-Lipschitz, beta-smooth, r-homogeneous, C* nonempty, y_min > 0, eps and delta as stated. Then there is "
        "theta* in C* such that theta_0 in B_delta(theta*) implies, for k >= 1: (1/G) E max_m F_m(theta_k) <= E "
        "d^2(theta_k, C*) <= exp(-(k/M) r^2 y_min^2 / (2 G^2 ||theta*||^2)) E d^2(theta_0, C*). (Instances: linear "
        "models whose C* is one point, so that theta* is known; the start is fixed.)"
    ),
    instances=_instances,
    derive=_quantities,
    hypotheses=HYPOTHESES,
    claims=(_ERROR, _RATE),
    constants={
        "factor": Constant(1, "down", "factor of E d^2 in the error bound"),
        "denominator": Constant(2, "down", "the 2 of the exponent's denominator"),
        "M": Count(meaning="number of tasks"),
    },
    corners={
        "nearly parallel": Instance(
            x1=("1", "0"), x2=("1", "1/100"), theta=("1", "0"), offset=("0", "1"), inside="1", k=1
        ),
        "long samples": Instance(x1=("3", "0"), x2=("3", "1"), theta=("1", "0"), offset=("1", "0"), inside="1", k=1),
    },
    proof=(
        ERROR_STEP,
        KAPPA_STEP,
        _RECURSION,
    ),
    repair=REPAIR,
)  # fmt: skip

STATEMENT = replace(
    STATEMENT,
    readings=each_claim_alone(
        STATEMENT, {"the error bound alone": (ERROR_STEP,), "the rate alone": (KAPPA_STEP, _RECURSION)}
    ),
)
STATEMENTS = (STATEMENT,)

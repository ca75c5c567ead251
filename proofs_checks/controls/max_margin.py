"""One task, linear model: weak regularization tends to the max-margin direction (Rosset, Zhu and Hastie, 2004)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, add, dot, scale
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.errors import Discard
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.secular import root_of
from proofs_checks.statement import Statement, still_true
from proofs_checks.strategies import instances, rationals


def _pairs(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Samples (a, b) and (a, -b), labels +1, turned by a rational rotation; lambda = 2^-bits, bits >= 4."""
    bits = rationals(1, 2, 1) if "lambda <= 1/16" in dropped else rationals(4, 200, 98)
    return instances(a=rationals("1/10", 3, 29), b=rationals(0, 5, 50), turn=rationals(-1, 1, 20), bits=bits)


def _minimizer(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """By symmetry w = s (cos, sin) with 2 lam s (1 + e^{a s}) = a; the max-margin solution is (1/a) (cos, sin)."""
    if x.a <= 0:
        raise Discard("the samples are not separable")
    bits = int(float(x.bits))
    lam = A.number(1) / 2**bits
    s = root_of(lambda value: 2 * lam * value * (1 + A.exp(x.a * value)) - x.a, A.number(0), x.a / (2 * lam), A)
    square = x.turn * x.turn
    axis = ((1 - square) / (1 + square), 2 * x.turn / (1 + square))
    across = (-axis[1], axis[0])
    samples = [add(scale(x.a, axis), scale(sign * x.b, across)) for sign in (1, -1)]
    w = tuple(s * entry for entry in axis)
    log = -A.log(lam)
    return {
        "a": x.a, "log": log, "margin": A.minimum([dot(sample, w) for sample in samples]),
        "norm2": square_length(w), "exp": A.exp, "lam": lam,
        "value": 1 + (log / x.a) ** 2,
    }  # fmt: skip


STATEMENT = Statement(
    id="controls/max-margin",
    source="Rosset, Zhu and Hastie 2004",
    title="Weak regularization tends to the max-margin separator",
    text=(
        "w minimizes the mean logistic loss + lambda ||w||^2, w* the shortest vector with margins 1, c = "
        "log(1/lambda): ||w||^2 <= (c ||w*||)^2 + 1, and every margin is at least -log(exp(n lambda (1 + c^2 "
        "||w*||^2)) - 1): so w/c -> w*. (Instances: two mirrored samples, turned.)"
    ),
    instances=_pairs,
    derive=_minimizer,
    hypotheses=(
        Hypothesis("separable: a > 0", lambda q, c: q.a, ">", lambda q, c: 0),
        Hypothesis("lambda <= 1/16", lambda q, c: q.log, ">", lambda q, c: 2),
    ),
    claims=(
        Claim("norm", lambda q, c: q.norm2, "<=", lambda q, c: q.value - 1 + c.gap),
        Claim(
            "margins", lambda q, c: 1 + q.exp(-q.margin), "<=", lambda q, c: q.exp(c.factor * 2 * q.lam * q.value)
        ),
    ),
    constants={
        "gap": Constant(1, "down", "the 1 beside (c ||w*||)^2"), "factor": Constant(1, "down", "factor of the loss")},
    corners={
        "one direction": Instance(a="1", b="0", turn="0", bits="20"),
        "nearly opposite": Instance(a="1/10", b="5", turn="1/2", bits="20"),
        "a tiny lambda": Instance(a="1", b="1", turn="1", bits="1000"),
    },
    own_proof=(
        steps.argued(
            "comparison", "L(w) + lambda ||w||^2 <= L(c w*) + lambda c^2 ||w*||^2 <= lambda + lambda c^2 ||w*||^2",
            "Margins of c w* are at least c, and log(1 + e^{-c}) = log(1 + lambda) <= lambda.",
        ),
        steps.argued("norm", "||w||^2 <= 1 + c^2 ||w*||^2", "L >= 0."),
        steps.argued(
            "margins", "log(1 + e^{-m}) <= n L(w) <= n lambda (1 + c^2 ||w*||^2) for every margin m",
            "All terms are >= 0.",
        ),
    ),
    fates={
        "factor halved": still_true("both samples of this family have the same margin, hence half of the loss each"),
        "without separable: a > 0": still_true("the strategy has no others"),
        "without lambda <= 1/16": still_true("the bounds hold for every lambda < 1"),
    },
    cost=6.0,
)  # fmt: skip

STATEMENTS = (STATEMENT,)

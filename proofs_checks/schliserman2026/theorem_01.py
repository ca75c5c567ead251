"""Theorem 1 and Remark 8: weakly regularized classification tends to sequential margin projections. Proved.

The printed proof assumes silently that f is continuous, that r > 0, and that the subsequences of successive steps are
nested. What it gives at every finite lambda is checked: the bounds on distance and margins from which compactness gives
the limit.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import sympy
import z3
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.vanishing import logistic_path, projected_path
from proofs_checks.statement import Statement, still_true
from proofs_checks.strategies import instances, nonzero_vectors, vectors

_SOURCE = "Schliserman et al. 2026, Theorem 1"


def _paths(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """One sample a step, one to three steps; lambda = 2^-bits."""
    bits = st.integers(0, 1) if "lambda < 1/e" in dropped else st.integers(4, 300)
    samples = st.lists(nonzero_vectors(2), min_size=1, max_size=3).map(tuple)
    return instances(samples=samples, bits=bits, start=st.just(("0", "0")))


def _path(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The last step, scaled by c_lambda = log(1/lambda) (r = 1)."""
    lam = A.number(1) / 2 ** x.bits
    scaling = -A.log(lam)
    points = logistic_path(scale(scaling, x.start) if any(x.start) else x.start, x.samples, lam, A)
    before, after = (scale(1 / scaling, point) for point in points[-2:])
    sample = x.samples[-1]
    missing = A.maximum([A.number(0), 1 - dot(sample, before)])
    distance2, move = missing * missing / square_length(sample), subtract(after, before)
    value = distance2 + 1 / (scaling * scaling)
    limit = projected_path(x.start, x.samples, A)[-1]
    return {
        "bits": x.bits, "move2": dot(move, move), "distance2": distance2, "c": scaling, "margin": dot(sample, after),
        "room": (A.log(scaling * scaling * value) - 0) / scaling if scaling > 0 else A.number(0), "value": value,
        "exp": A.exp, "lam": lam, "off": A.norm(subtract(after, limit)),
    }  # fmt: skip


def _loss_bound(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    """log(1 + e^{-c m}) <= c^2 lam (d^2 + 1/c^2), as 1 + e^{-c m} <= exp(...)."""
    return q.exp(c.slack * q.c * q.c * q.lam * q.value)


_CLAIMS = (
    Claim("distance", lambda q, c: q.move2, "<=", lambda q, c: q.distance2 + c.gap / (q.c * q.c)),
    Claim("loss", lambda q, c: 1 + q.exp(-q.c * q.margin), "<=", _loss_bound),
)
_CONTINUOUS = steps.gap(
    "existence, liminf", "Algorithm 1 has minimizers, C_m is closed, and m(Theta_n) -> m(Theta) for Theta_n -> Theta",
    "f(x; .) is only said to be homogeneous: f(w) = ||w|| 1_{w_2 > 0} is, and its C has no nearest point from (1, 0)",
    (
        steps.argued(
            "continuity", "f(x; .) continuous is assumed (upper semicontinuous margins are enough)",
            "Then C_m is closed, the objective is lower semicontinuous and coercive, and margins have limits.",
        ),
    ),
)  # fmt: skip


def _log_step() -> steps.Step:
    x = z3.Real("x")
    return steps.implication(
        "log(1 + lambda) <= lambda", "equal at 0, and the difference has the derivative lam/(1 + lam) >= 0", [x >= 0],
        1 - 1 / (1 + x) >= 0,
    )  # fmt: skip


def _divergence_step() -> steps.Step:
    s = sympy.symbols("s", positive=True)  # s = log(1/lambda)
    return steps.evaluated(
        "liminf, the limit", "lam^{m-1} / log(1/lam)^p = e^{(1-m) s} / s^p -> infinity for m < 1, p = 2/r",
        lambda: sympy.limit(sympy.exp(s / 1000) / s**7, s, sympy.oo) == sympy.oo,
        "sympy's limit at 1 - m = 1/1000, p = 7; exponentials beat powers",
    )  # fmt: skip


_PROOF = (
    _CONTINUOUS,
    steps.argued(
        "scaling", "Theta/c with c^r = log(1/lambda) minimizes G(Theta) = L(c Theta)/(c^2 lam) + ||Theta - hat||^2",
        "Divide the objective by c^2 lam and use f(x; c Theta) = c^r f(x; Theta), r > 0.",
    ),
    _log_step(),
    steps.argued(
        "recovery sequence, closed", "limsup G(Theta) <= ||Theta - hat||^2 for Theta in C",
        "Margins are at least 1, so L(c Theta) <= log(1 + e^{-c^r}) = log(1 + lam) <= lam, and c -> infinity.",
    ),
    _divergence_step(),
    steps.argued(
        "liminf", "G(Theta_n) -> infinity for Theta_n -> Theta not in C",
        "One margin stays below some m < 1; log(1 + x) >= x/2 for 0 <= x <= 1 gives L >= lam^m / (2n) for m in (0, "
        "1), and L >= log(2)/n for m <= 0. In general lam^{m-1} beats every power of log(1/lam).",
    ),
    steps.argued(
        "equicoercive", "G(Theta) >= ||Theta - hat||^2, hat -> Thetabar_{t-1}", "Sublevel sets are in one ball."
    ),
    steps.cited(
        "Lemma 3", "minimizers converge along a subsequence",
        "Braides 2006; proved with its missing hypothesis (see lemma-03), which holds since C_tau is not empty",
    ),
    steps.gap(
        "induction over t", "one subsequence for every t",
        "the limit Thetabar_t is along a subsequence that depends on t, and step t + 1 starts from it",
        (
            steps.argued(
                "nested subsequences", "take the subsequence of step t + 1 out of that of step t",
                "For a fixed k there are finitely many steps (Remark 9).",
            ),
        ),
    ),
    steps.argued("direction", "Thetabar_t is not 0", "f(x; 0) = 0 < 1, so 0 is in no C_m: directions converge, too."),
)  # fmt: skip
_OWN = (
    *(step for step in _PROOF if step.display != "Lemma 3"),
    steps.argued(
        "minimizers", "along a subsequence Theta_t/c -> a point of Pi(Thetabar_{t-1})",
        "The repair of Lemma 3, proved there. At finite lam: G(Theta_t/c) <= G(Pi) gives ||Theta_t/c - hat||^2 <= "
        "d^2 + 1/c^2 and L(Theta_t) <= c^2 lam (d^2 + 1/c^2); limits are in C and at distance d.",
    ),
)  # fmt: skip
_CORNERS = {
    "one sample": Instance(samples=[("1", "0")], bits=20, start=("0", "0")),
    "the same sample twice": Instance(samples=[("1", "0"), ("1", "0")], bits=20, start=("0", "0")),
    "opposite samples, nearly": Instance(samples=[("1", "1/10"), ("-1", "1/10")], bits=40, start=("0", "0")),
    "a tiny lambda": Instance(samples=[("1", "1")], bits=1000, start=("0", "0")),
    "a long sample": Instance(samples=[("100", "0")], bits=20, start=("0", "0")),
}
THEOREM = Statement(
    id="schliserman2026/theorem-01",
    source=_SOURCE,
    title="Vanishing regularization is sequential projection (classification)",
    text=(
        "f r-homogeneous, every C_m nonempty, logistic loss: for every t any sequence lambda -> 0 has a subsequence "
        "and Thetabar_t in Pi(Thetabar_{t-1}) with Theta_t/||Theta_t|| -> Thetabar_t/||Thetabar_t||. (Checked at "
        "finite lambda, c = log(1/lambda)^{1/r}: ||Theta_t/c - hat||^2 <= d^2(hat, C) + 1/c^2 and L(Theta_t) <= c^2 "
        "lambda (d^2 + 1/c^2), hat = Theta_{t-1}/c; linear models, one sample a task.)"
    ),
    instances=_paths,
    derive=_path,
    hypotheses=(
        Hypothesis("lambda < 1/e", lambda q, c: q.c, ">", lambda q, c: 1),
        Predicate("f continuous", lambda q, c: True, silent=True),
        Predicate("r > 0", lambda q, c: True, silent=True),
    ),
    claims=_CLAIMS,
    constants={
        "gap": Constant(1, "down", "the 1 of 1/c^2"), "slack": Constant(1, "down", "factor in the bound on the loss"),
    },
    corners=_CORNERS,
    proof=_PROOF,
    own_proof=_OWN,
    fates={
        "without lambda < 1/e": still_true("both bounds hold for every lambda < 1"),
        "without f "
        "continuous": still_true("the family is linear; see the step 'existence, liminf' for what can go wrong"),
        "without r > 0": still_true("the family is linear"),
    },
    remarks=(
        "How fast, and to which of several projections: docs/vanishing_regularization.md, with an expansion in "
        "log(1/lambda).",
    ),
    cost=4.0,
)  # fmt: skip


def _shifted(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return _paths(dropped).flatmap(lambda each: vectors(2).map(lambda start: each.with_values(start=start)))


REMARK_8 = replace(
    THEOREM,
    id="schliserman2026/remark-08",
    source="Schliserman et al. 2026, Remark 8",
    title="Nonzero initialization, scaled with lambda",
    text=(
        "With Theta_0 = c_lambda Thetabar_0 Theorem 1 holds with Algorithm 2 from Thetabar_0. (Checked at finite "
        "lambda, as theorem-01.)"
    ),
    instances=_shifted,
    corners={
        "in the set": Instance(samples=[("1", "0")], bits=20, start=("2", "0")),
        "on the boundary": Instance(samples=[("1", "0")], bits=20, start=("1", "0")),
        "behind": Instance(samples=[("1", "0"), ("0", "1")], bits=20, start=("-3", "-3")),
    },
    proof=(),
    own_proof=(
        steps.argued("the start", "hat = Thetabar_0 in the first step", "c_lambda Thetabar_0 / c_lambda."), *_OWN
    ),
    remarks=(),
)

STATEMENTS = (THEOREM, REMARK_8)

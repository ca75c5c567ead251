"""Lemmas C.3 and C.9: the constraint qualification (MFCQ) with a margin, and what it gives.

Gradients g_j of the active constraints of one set, as rows; D is the nonnegative orthant, so normals of D at 0 are the
vectors lambda <= 0.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, add, dot, scale
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.conics import POSSIBLE, conic_tasks, geometry
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, nonzero_vectors, rationals, vectors

_MARGIN, _SIGNS = "MFCQ with margin gamma", "lambda in N_D(F(x))"


# C.3


def _gradients(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """d, gamma, one to three gradients with <g_j, d> > gamma, and lambda <= 0 with sum -1 or less."""
    found = st.integers(1, 3).flatmap(
        lambda count: instances(
            direction=nonzero_vectors(3), gamma=rationals("1/10", 1, 9), gradients=st.tuples(*[vectors(3)] * count),
            excess=rationals("1/20", 2, 20), weights=st.tuples(*[rationals(0, 2, 20)] * count),
        )
    )  # fmt: skip
    return found.map(lambda each: _with_margin(each, _MARGIN not in dropped, _SIGNS not in dropped))


def _with_margin(instance: Instance, margin: bool, signs: bool) -> Instance:
    d, gradients = instance.direction, []
    for gradient in instance.gradients:
        wanted = instance.gamma + instance.excess if margin else Fraction(0)
        missing = (wanted - dot(gradient, d)) / square_length(d)
        gradients.append(add(gradient, scale(missing, d)))
    weights = list(instance.weights)
    if not any(weights):
        weights[0] = Fraction(1)
    if not signs and len(weights) > 1:
        gradients[1], weights[:2] = gradients[0], [Fraction(1), Fraction(-1)]
    signed = [-abs(weight) if signs else weight for weight in weights]
    return instance.with_values(gradients=gradients, weights=signed)


def _combination(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    total = scale(x.weights[0], x.gradients[0])
    for weight, gradient in zip(x.weights[1:], x.gradients[1:], strict=True):
        total = add(total, scale(weight, gradient))
    size = sum((abs(weight) for weight in x.weights), A.number(0))
    return {
        "margin": A.minimum([dot(gradient, x.direction) for gradient in x.gradients]), "gamma": x.gamma,
        "largest": A.maximum(x.weights), "image2": square_length(total), "size2": size * size,
        "direction2": square_length(x.direction),
    }  # fmt: skip


def _pairing_step() -> steps.Step:
    l1, l2, p1, p2, gamma = z3.Reals("l1 l2 p1 p2 gamma")
    return steps.implication(
        "pairing", "sum_j l_j <g_j, d> <= gamma sum_j l_j < 0 for l <= 0, l != 0 (two constraints; the sum is linear)",
        [l1 <= 0, l2 <= 0, l1 + l2 < 0, gamma > 0, p1 >= gamma, p2 >= gamma],
        z3.And(l1 * p1 + l2 * p2 <= gamma * (l1 + l2), l1 * p1 + l2 * p2 < 0),
    )  # fmt: skip


C3 = Statement(
    id="schliserman2026/lemma-c3",
    source="Schliserman et al. 2026, Lemma C.3",
    title="MFCQ implies metric regularity",
    text=(
        "If <grad h_j(x), d> > gamma > 0 for every active j, then lambda in N_D(F(x)) and grad F(x)^T lambda = 0 imply "
        "lambda = 0. (Checked with its constant: ||grad F^T lambda|| >= gamma sum |lambda_j| / ||d||.)"
    ),
    instances=_gradients,
    derive=_combination,
    hypotheses=(
        Hypothesis(_MARGIN, lambda q, c: q.margin, ">", lambda q, c: q.gamma),
        Hypothesis("gamma > 0", lambda q, c: q.gamma, ">", lambda q, c: 0),
        Hypothesis(_SIGNS, lambda q, c: q.largest, "<=", lambda q, c: 0),
        Hypothesis("lambda is not 0", lambda q, c: q.size2, ">", lambda q, c: 0),
    ),
    claims=(
        Claim("grad F^T lambda is not 0", lambda q, c: q.image2, ">", lambda q, c: 0),
        Claim("its size", lambda q, c: q.image2 * q.direction2, ">=", lambda q, c: (c.gamma * q.gamma) ** 2 * q.size2),
    ),
    constants={"gamma": Constant(1, "up", "factor of gamma")},
    corners={
        "one constraint along d": Instance(
            direction=("1", "0", "0"), gamma="1", gradients=[("101/100", "0", "0")], excess="1/100", weights=("-1",)
        ),
        "two nearly opposite gradients": Instance(
            direction=("1", "0", "0"), gamma="1/2", gradients=[("1", "9", "0"), ("1", "-9", "0")], excess="1/2",
            weights=("-1", "-1"),
        ),
    },
    own_proof=(
        _pairing_step(),
        steps.argued(
            "size", "||grad F^T l|| ||d|| >= |<grad F^T l, d>| >= gamma sum |l_j|", "Cauchy and Schwarz, and 'pairing'."
        ),
    ),
    fates={
        "gamma doubled": is_false("a single gradient along d, of size close to gamma"),
        f"without {_MARGIN}": is_false("gradients may vanish or cancel"),
        f"without {_SIGNS}": is_false("l = (1, -1) and two equal gradients"),
        "without gamma > 0": still_true("in this family <g_j, d> stays positive"),
        "without lambda is not 0": still_true("the family has no others"),
    },
)  # fmt: skip


# C.9


def _euler(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    theta = found["theta"]
    pairings = [dot(found["tasks"].gradient(theta, task), theta) for task in (0, 1)]
    return {**found, "pairings": tuple(pairings), "r": A.number(2)}


def _points(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return conic_tasks(dropped)


_C9_CORNERS = {
    "hyperbolas": Instance(turn="1/3", mu="-1", size="1", rho="1", offset="0", inside="1"),
    "lines": Instance(turn="1/2", mu="0", size="2", rho="1", offset="0", inside="1"),
    "circles": Instance(turn="1/2", mu="1", size="1/2", rho="1", offset="0", inside="1"),
}
_EULER = steps.argued(
    "Euler", "<grad h_j(theta*), theta*> = r f(x_j; theta*) y_j = r for every active j",
    "Differentiate f(x; c theta) = c^r f(x; theta) at c = 1; active means y_j f(x_j; theta*) = 1. At kinks every "
    "piece is homogeneous, so the identity holds for each Clarke subgradient.",
)  # fmt: skip


def _equality_only() -> bool:
    """f(w) = w^2 at w = 1: <grad f, w> = 2 w w is r = 2 and no more."""
    w, r = Fraction(1), 2
    return not 2 * w * w > r


_C9_REPAIR = Statement(
    id="schliserman2026/lemma-c9/repair",
    source="this project",
    title="MFCQ with d = theta* and the margin r attained",
    text=(
        "<grad h_j(theta*), theta*> = r for every active constraint: MFCQ holds with d = theta*, and with every margin "
        "gamma < r in the strict sense of Definition C.1; the same for all active constraints of C*."
    ),
    instances=_points,
    derive=_euler,
    hypotheses=(POSSIBLE, Predicate("differentiable at theta*", lambda q, c: True, silent=True)),
    claims=(Claim("margin", lambda q, c: q.pairings, ">=", lambda q, c: c.margin * q.r),),
    constants={"margin": Constant(1, "up", "the margin in units of r")},
    corners=_C9_CORNERS,
    own_proof=(_EULER,),
    fates={
        "margin doubled": is_false("equality always"),
        f"without {POSSIBLE.name}": still_true("Euler's identity needs f(theta*) = 1 only"),
        "without differentiable at theta*": still_true("the family is smooth"),
    },
)  # fmt: skip
C9 = replace(
    _C9_REPAIR,
    id="schliserman2026/lemma-c9",
    source="Schliserman et al. 2026, Lemma C.9",
    title="Margin sets satisfy MFCQ with d = theta* and margin r",
    text=(
        "Each C_m satisfies MFCQ at any theta* in C* with d = theta* and margin r, where margin gamma means <grad "
        "h_j(theta*), d> > gamma (Definition C.1)."
    ),
    claims=(Claim("margin", lambda q, c: q.pairings, ">", lambda q, c: c.margin * q.r),),
    own_proof=(),
    proof=(
        _EULER,
        steps.false(
            "the margin", "<grad h_j(theta*), theta*> > r", _equality_only,
            "Euler's identity gives equality: f(w) = w^2 at theta* = 1 has <grad f, theta*> = 2 = r",
        ),
    ),
    repair=_C9_REPAIR,
    fates={},
    remarks=(
        "A slip of > for >=; it matters where the margin enters a constant with no room, as in Lemma C.5 and C.11.",
    ),
)  # fmt: skip

STATEMENTS = (C3, C9)

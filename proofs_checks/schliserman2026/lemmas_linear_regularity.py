"""Lemmas C.5, C.8, C.11 and Proposition C.4: from margins of gradients to kappa-linear regularity and error bounds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy, integers

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.conics import INSIDE, POSSIBLE, WIDE, conic_tasks, geometry, on_circle
from proofs_checks.schliserman2026.linear_tasks import (
    IN_JOINT_SET,
    constants,
    largest_distance2,
    linear_tasks,
    to_joint_set2,
)
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_PAPER = "Schliserman et al. 2026"
_NEAR = "near the point"


# C.4


def _curves(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """F(x) = x + a x^2, D = [0, oo), and a point t left of 0, where F is increasing; mu' = 1 + more."""
    share = rationals(2, 9) if _NEAR in dropped else rationals(0, 1)
    return instances(a=rationals("1/10", 3, 29), share=share, more=rationals("1/20", 1, 19))


def _curve(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    radius = x.more / ((1 + x.more) * abs(x.a)) if x.a else A.number(1)
    t = -x.share * radius
    return {
        "share": abs(x.share), "mu": 1 + x.more, "a": x.a, "more": x.more, "distance": A.maximum([A.number(0), -t]),
        "violation": A.maximum([A.number(0), -(t + x.a * t * t)]),
    }  # fmt: skip


_CURVE = (
    Hypothesis(_NEAR, lambda q, c: q.share, "<=", lambda q, c: 1),
    Hypothesis("a > 0", lambda q, c: (q.a, q.more), ">", lambda q, c: (0, 0)),
)
_CURVE_CORNERS = {
    "at the point": Instance(a="1", share="0", more="1"),
    "at the end": Instance(a="1", share="1", more="1"),
}


def _radius_step() -> steps.Step:
    t, a, m = z3.Reals("t a m")
    return steps.implication(
        "the scalar case", "d(F(t), D) = |t| - a t^2 >= |t| / mu' for 0 <= |t| <= (1 - 1/mu')/a",
        [t >= 0, a > 0, m > 1, a * m * t <= m - 1], t <= m * (t - a * t * t),
    )  # fmt: skip


_C4_REPAIR = Statement(
    id="schliserman2026/proposition-c4/repair",
    source="this project; Rockafellar and Wets, Theorem 9.43",
    title="Metric regularity with every larger constant",
    text=(
        "d(x, C) <= mu' d(F(x), D) near xbar for every mu' > mu. (Proved here for F(x) = x + a x^2, a > 0, D = [0, "
        "oo), xbar = 0, mu = 1, with the neighbourhood |x| <= (1 - 1/mu')/a.)"
    ),
    instances=_curves,
    derive=_curve,
    hypotheses=_CURVE,
    claims=(Claim("error bound", lambda q, c: q.distance, "<=", lambda q, c: c.factor * q.mu * q.violation),),
    constants={"factor": Constant(1, "down", "factor of mu'")},
    corners=_CURVE_CORNERS,
    own_proof=(_radius_step(),),
    fates={
        f"without {_NEAR}": is_false("farther out F bends back"),
        "without a > 0": still_true("the strategy has no others"),
        "factor halved": is_false("equality at the end of the neighbourhood"),
    },
)  # fmt: skip
C4 = replace(
    _C4_REPAIR,
    id="schliserman2026/proposition-c4",
    source=f"{_PAPER}, Proposition C.4 (Rockafellar and Wets, 9.44)",
    title="Metric regularity with the constant itself",
    text=(
        "d(x, C) <= mu d(F(x), D) near xbar with mu = max over unit normals y of 1/||grad F(xbar)^T y||. (Instances: "
        "F(x) = x + a x^2, D = [0, oo), xbar = 0, mu = 1; every x < 0 near 0 is a counterexample, so no "
        "neighbourhood will do.)"
    ),
    claims=(Claim("error bound", lambda q, c: q.distance, "<=", lambda q, c: q.violation),),
    constants={},
    own_proof=(),
    proof=(steps.cited("9.44", "the modulus", "Rockafellar and Wets, where it is the infimum of the constants"),),
    fates={},
    repair=_C4_REPAIR,
    remarks=("The modulus of metric regularity is an infimum, which need not be attained in any neighbourhood.",),
)


# C.5


def _near_conics(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return conic_tasks(dropped, margin=rationals("1/10", "9/10", 8)).map(
        lambda each: each.with_values(rho="1", inside=20 if _NEAR in dropped else min(each.inside, 1))
    )


def _regular(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """v = theta*, gamma = margin * r, on the ball that docs/regularity.md, Theorem 2, grants."""
    found = geometry(x, A)
    kappa = found["kappa"] / x.margin
    reach = (1 - x.margin) * 2 / (found["beta"] * x.size)
    radius = reach / (1 + kappa)
    direction = on_circle(x.offset)
    point = (found["theta"][0] - x.inside * radius * direction[0], x.inside * radius * direction[1])
    tasks = found["tasks"]
    return {
        **found, "kappa2": kappa * kappa, "margin": x.margin, "joint2": tasks.to_joint2(point, A),
        "largest2": A.maximum([tasks.to_task2(point, task, A) for task in (0, 1)]),
    }  # fmt: skip


_REGULARITY = Claim(
    "linear regularity", lambda q, c: q.joint2, "<=", lambda q, c: c.kappa * c.kappa * q.kappa2 * q.largest2
)
_KAPPA = {"kappa": Constant(1, "down", "factor of kappa")}


def _conic_corner(turn: str, mu: str, **more: str) -> Instance:
    return Instance(turn=turn, mu=mu, size="1", rho="1", offset="0", inside="1", **more)


C5 = Statement(
    id="schliserman2026/lemma-c5",
    source=f"{_PAPER}, Lemma C.5",
    title="Linear regularity from MFCQ",
    text=(
        "h_{m,j} G-Lipschitz, v an MFCQ vector with margin gamma (<grad h_j(xbar), v> > gamma for all active j of "
        "all tasks): near xbar, d(x, C*) <= kappa max_m d(x, C_m) with kappa = G ||v|| / gamma. (Instances: two "
        "conics, v = theta*, gamma < r, on the ball of docs/regularity.md, Theorem 2.)"
    ),
    instances=_near_conics,
    derive=_regular,
    hypotheses=(
        POSSIBLE,
        INSIDE,
        Hypothesis("gamma < r", lambda q, c: (q.margin, 1 - q.margin), ">", lambda q, c: (0, 0)),
    ),
    claims=(_REGULARITY,),
    constants=_KAPPA,
    corners={
        "hyperbolas": _conic_corner("1/3", "-1", margin="9/10"),
        "lines": _conic_corner("1/2", "0", margin="9/10"),
        "ellipses": _conic_corner("2/3", "1/10", margin="1/2"),
    },
    own_proof=(
        steps.argued(
            "a direction", "x + w in C* for w = (G D / gamma) v, D = max_m d(x, C_m), if ||x - xbar|| is small",
            "Violations are at most G D. Gradients are continuous, so <grad h_j, v> >= gamma on a ball about xbar, "
            "since it is > gamma at xbar; along the segment to x + w each active h_j grows by at least G D. "
            "Constraints that are not active at xbar stay positive on a small ball.",
        ),
        steps.argued(
            "distance", "d(x, C*) <= ||w|| = G ||v|| D / gamma",
            "The ball: docs/regularity.md, Theorem 2, with R = (1 - gamma/r) r / (beta ||theta*||).",
        ),
    ),
    fates={
        f"without {POSSIBLE.name}": still_true("the exact distances of that family are those of other sets"),
        f"without {INSIDE.name}": still_true("in this family the bound holds farther out, too"),
        "without gamma < r": still_true("the strategy has no others"),
    },
    cost=1.5,
)  # fmt: skip


def _lenses(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two unit discs through 0 that overlap, C_m what is outside of one, and the point (-t, 0) between them."""
    return instances(turn=rationals("1/10", "9/10", 40), share=rationals("1/60", 1))


def _lens(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    cos, sin = on_circle(x.turn)
    t = x.share * sin
    return {"t": t, "sin": sin, "share": x.share, "cos": cos, "depth": 1 - A.sqrt((sin - t) ** 2 + cos * cos)}


_ATTAINED = Statement(
    id=C5.id,
    source=C5.source,
    title=C5.title,
    text=(
        "The same with <grad h_j(xbar), v> >= gamma, as Lemma C.11 uses it (Lemma C.9 has equality). (Instances: "
        "h_m(x) = ||x - c_m|| - 1, c = (-sin, +-cos), G = 1, xbar = 0, v = (1, 0), gamma = sin; x = (-t, 0), 0 < t "
        "<= sin, whose nearest point of C* is 0. Every such x is a counterexample, so no neighbourhood will do.)"
    ),
    instances=_lenses,
    derive=_lens,
    hypotheses=(
        Hypothesis("x between the discs", lambda q, c: (q.share, 1 - q.share), ">=", lambda q, c: (0, 0)),
        Hypothesis("the discs overlap", lambda q, c: (q.sin, q.cos), ">", lambda q, c: (0, 0)),
    ),
    claims=(Claim("linear regularity", lambda q, c: q.t * q.sin, "<=", lambda q, c: q.depth),),
    corners={"half way": Instance(turn="1/2", share="1/2")},
    reading="margin attained",
)  # fmt: skip
C5 = replace(C5, readings=(_ATTAINED,))


# C.8


def _error(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    error = found["tasks"].forgetting(found["start"], A)
    return {**found,
    "error2": error * error, "joint2": found["tasks"].to_joint2(found["start"], A), "G2": found["G"] ** 2}


C8 = Statement(
    id="schliserman2026/lemma-c8",
    source=f"{_PAPER}, Lemma C.8",
    title="Forgetting is at most G times the distance",
    text=(
        "d(theta, C*) <= delta and f G-Lipschitz on B_delta(Pi_{C*}(theta)) imply max_m F_m(theta) <= G d(theta, C*). "
        "(Instances: two conics, G on a larger ball.)"
    ),
    instances=conic_tasks,
    derive=_error,
    hypotheses=(POSSIBLE, WIDE, INSIDE),
    claims=(Claim("error bound", lambda q, c: q.error2, "<=", lambda q, c: c.factor**2 * q.G2 * q.joint2),),
    constants={"factor": Constant(1, "down", "factor of G")},
    corners={name: _conic_corner(*each) for name, each in
             {"hyperbolas": ("1/3", "-1"), "lines": ("0", "0"), "ellipses": ("2/3", "1/10")}.items()},
    own_proof=(
        steps.argued(
            "the bound", "[1 - y f(x; theta)]_+ <= |f(x; z) - f(x; theta)| <= G ||z - theta||, z = Pi_{C*}(theta)",
            "y f(x; z) >= 1, and theta is in B_delta(z). For every sample of every task.",
        ),
    ),
    fates={
        f"without {POSSIBLE.name}": still_true("the bound needs no theta*"),
        f"without {WIDE.name}": still_true("G has room in this family"),
        f"without {INSIDE.name}": still_true("G has room in this family"),
    },
)  # fmt: skip


# C.11


def _linear(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    return {
        **constants(x, A), "joint2": to_joint_set2(x.start, x.tasks, A),
        "largest2": largest_distance2(x.start, x.tasks, A),
    }  # fmt: skip


def _local(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    tasks, start = found["tasks"], found["start"]
    return {
        **found, "kappa2": found["kappa"] ** 2, "joint2": tasks.to_joint2(start, A),
        "largest2": A.maximum([tasks.to_task2(start, task, A) for task in (0, 1)]),
    }  # fmt: skip


C11 = Statement(
    id="schliserman2026/lemma-c11",
    source=f"{_PAPER}, Lemma C.11",
    title="Linear regularity around theta* with kappa = G ||theta*|| / r",
    text=(
        "f G-Lipschitz, beta-smooth (on all of R^p), r-homogeneous, theta* in C*: d(x, C*) <= (G ||theta*|| / r) max_m "
        "d(x, C_m) for x near theta*. (By theorem-06-cyclic f is linear, r = 1; then it holds everywhere.)"
    ),
    instances=lambda dropped: linear_tasks(dropped, integers(1, 3)),
    derive=_linear,
    hypotheses=(IN_JOINT_SET,),
    claims=(_REGULARITY,),
    constants=_KAPPA,
    corners={
        "behind a narrow wedge": Instance(theta=("1", "0"), tasks=[[("1", "3")], [("1", "-3")]], start=("0", "0")),
        "one task": Instance(theta=("1", "0"), tasks=[[("1", "0")]], start=("0", "5")),
    },
    proof=(
        steps.gap(
            "Lemmas C.5 and C.9", "kappa = G ||v|| / gamma with v = theta*, gamma = r",
            "Lemma C.5 needs <grad h_j, v> > gamma, and Euler's identity gives equality (see lemma-c9, and lemma-c5 "
            "for a counterexample with equality)",
            (
                steps.argued(
                    "linear models", "d(x, C*) <= G ||theta*|| max_m d(x, C_m) for all x",
                    "With v the largest violation at x, x + v theta* is in C*, and v <= G max_m d(x, C_m).",
                ),
            ),
        ),
    ),
    fates={"without theta* in C*": is_false("a tenth of theta* makes kappa ten times too small")},
)  # fmt: skip
_C11_LOCAL = Statement(
    id=C11.id,
    source=C11.source,
    title=C11.title,
    text=(
        "The same with G on a ball about theta* that holds B_{2 delta}(theta*), for x in B_delta(theta*). "
        "(Instances: two conics. Proved for every homogeneous model, with a factor that tends to 1: "
        "docs/regularity.md, Theorem 6.)"
    ),
    instances=conic_tasks,
    derive=_local,
    hypotheses=(POSSIBLE, WIDE, INSIDE),
    claims=(_REGULARITY,),
    constants=_KAPPA,
    corners={name: _conic_corner(*each) for name, each in
             {"hyperbolas": ("1/3", "-1"), "lines": ("1/2", "0"), "ellipses": ("2/3", "1/10")}.items()},
    reading="constants on a ball",
)  # fmt: skip
C11 = replace(C11, readings=(_C11_LOCAL,))


STATEMENTS = (C4, C5, C8, C11)

"""Proposition C.6 and Lemmas C.7, C.10: proximal normals of margin sets, and (eps, delta)-regularity.

C.7 prints the radius eps r / (beta ||xbar||), which Euler's identity at xbar would give; what is proved has ||xbar|| +
delta in the place of ||xbar||. Whether the printed radius is right stays open; no attack found a violation.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, sampled_from

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.errors import Discard
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_PAPER = "Schliserman et al. 2026"
_SMOOTH = "the gradient is Lipschitz"


# C.6


def _powers(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """h(w) = w_2 + b |w_1|^q with q = half / 2, at 0; lambda < 0; a point w_1 = t of the boundary."""
    halves = sampled_from([3]) if _SMOOTH in dropped else sampled_from([4, 5, 6])
    small = sampled_from([Fraction(1, 10**k) for k in range(9)])
    return instances(
        half=halves, b=rationals("1/10", 3, 29), weight=rationals(-2, "-1/10", 19),
        t=st.builds(lambda s, r: s * r, small, rationals("1/10", 1, 9)),
    )  # fmt: skip


def _power(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The normal v = lambda grad h(0) = (0, lambda), and z = (t, -b t^q) of the boundary of {h >= 0}."""
    t, q = abs(x.t), A.number(Fraction(x.half, 2))
    fall = x.b * A.power(t, q)
    return {
        "half": x.half, "t": t, "b": x.b, "weight": x.weight, "pairing": -x.weight * fall,
        "sigma": c.beta * x.b * q * (q - 1) * abs(x.weight) / 2, "square": t * t + fall * fall,
    }  # fmt: skip


C6 = Statement(
    id="schliserman2026/proposition-c6",
    source=f"{_PAPER}, Proposition C.6 (Rockafellar and Wets, 6.31)",
    title="Proximal normals of C are the images of those of D",
    text=(
        "MFCQ at x: N_C^prox(x) = {grad F(x)^T lambda : lambda in N_D^prox(F(x))}. (Checked at h(w) = w_2 + b "
        "|w_1|^q, q >= 2, w in the unit ball: v = lambda grad h(0) satisfies <v, z> <= sigma ||z||^2 on C with sigma "
        "= beta |lambda| / 2.)"
    ),
    instances=_powers,
    derive=_power,
    hypotheses=(
        Hypothesis(_SMOOTH, lambda q, c: q.half, ">=", lambda q, c: 4, silent=True),
        Hypothesis("lambda in N_D", lambda q, c: q.weight, "<=", lambda q, c: 0),
        Hypothesis("in the ball", lambda q, c: (q.t, q.b), "<=", lambda q, c: (1, 10)),
        Hypothesis("b >= 0", lambda q, c: q.b, ">=", lambda q, c: 0),
    ),
    claims=(Claim("proximal", lambda q, c: q.pairing, "<=", lambda q, c: q.sigma * q.square),),
    constants={"beta": Constant(1, "down", "factor of beta")},
    corners={
        "a parabola": Instance(half=4, b="1", weight="-1", t="1/1000"),
        "a cubic": Instance(half=6, b="1", weight="-1", t="1"),
        "a point of C": Instance(half=4, b="1", weight="-1", t="0"),
    },
    own_proof=(
        steps.argued(
            "images are "
            "normals", "v = sum_j l_j grad h_j(x), l in N_D: <v, z - x> <= (beta/2) sum |l_j| ||z - x||^2 on C",
            "l_j <= 0 for inequalities (l_j = 0 where h_j(x) > 0): l_j <grad h_j(x), z - x> <= l_j (h_j(z) - h_j(x)) "
            "+ |l_j| (beta/2) ||z - x||^2, and l_j h_j(z) <= 0 = l_j h_j(x). For equalities h_j(z) = h_j(x), any "
            "sign. So x is the nearest point of C to x + s v for small s.",
        ),
        steps.argued(
            "normals are images", "a proximal normal is sum_j l_j grad h_j(x), l in N_D",
            "x is nearest to x + s v: it minimizes ||z - x - s v||^2 on C, and MFCQ (for equalities: independent "
            "gradients) makes the KKT conditions necessary: -s v + sum mu_j (-grad h_j(x)) = 0 with mu_j >= 0 for "
            "inequalities, mu_j = 0 where h_j(x) > 0.",
        ),
    ),
    fates={
        "beta halved": is_false("a parabola near its apex has equality in the limit"),
        f"without {_SMOOTH}": is_false("q = 3/2: b |t|^{3/2} is not O(t^2), so (0, -1) is no proximal normal at 0"),
        "without lambda in N_D": still_true("the strategy has no others"),
        "without in the ball": still_true("the strategy has no others"),
        "without b >= 0": still_true("the strategy has no others"),
    },
    remarks=(
        "Silent: beta-smoothness. For F that is only continuously differentiable the equality is false for proximal "
        "normals (the example with q = 3/2); Theorem 6.31 is about limiting normals.",
    ),
)  # fmt: skip


# C.7


def _pairs(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two points of {w_1^2 + 2 tau w_1 w_2 + b w_2^2 >= 1} by slopes and outward factors; theta* is (1, 0)."""
    return instances(
        b=rationals(-3, 3, 48), tau=st.one_of(st.just(Fraction(0)), rationals(-1, 1, 40)), first=rationals(-1, 1, 120),
        second=rationals(-1, 1, 120), outward=st.one_of(st.just(Fraction(1)), rationals(1, "11/10", 20)),
    )  # fmt: skip


def _boundary_point(slope: Any, x: SimpleNamespace, A: Arithmetic) -> tuple[Any, Any]:
    level = 1 + 2 * x.tau * slope + x.b * slope * slope
    if not level > 0:
        raise Discard("no point of the conic has that slope")
    first = 1 / A.sqrt(level)
    return first, slope * first


def _beta(x: SimpleNamespace, A: Arithmetic) -> Any:
    """2 ||A||, A = [[1, tau], [tau, b]]."""
    half = (1 - x.b) / 2
    return abs(1 + x.b) + 2 * A.sqrt(half * half + x.tau * x.tau)


def _pair(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """p on the boundary with the normal u = -grad f(p), z in C, delta the distance of the farther one from theta*."""
    p, z = _boundary_point(x.first, x, A), scale(x.outward, _boundary_point(x.second, x, A))
    center = (A.number(1), A.number(0))
    delta = A.maximum([A.norm(subtract(point, center)) for point in (p, z)])
    u, move = scale(-1, (p[0] + x.tau * p[1], x.tau * p[0] + x.b * p[1])), subtract(z, p)
    return {
        "pairing": dot(u, move), "length": A.norm(u) * A.norm(move), "eps": _beta(x, A) * delta / 2, "delta": delta,
        "outward": x.outward,
    }  # fmt: skip


_IN_C = Hypothesis("both points in C", lambda q, c: q.outward, ">=", lambda q, c: 1)
_PAIR_CORNERS = {
    "the same point twice": Instance(b="1", tau="0", first="0", second="0", outward="1"),
    "a circle, either side": Instance(b="1", tau="0", first="1/30", second="-1/30", outward="1"),
    "an ellipse, either side": Instance(b="3", tau="0", first="1/5", second="-1/5", outward="1"),
    "a hyperbola": Instance(b="-1", tau="0", first="1/5", second="-1/5", outward="1"),
    "slanted": Instance(b="1", tau="1/10", first="-1/5", second="1/5", outward="1"),
}
_PAIR_FATES = {"without both points in C": still_true("the strategy has no others")}
_NORMAL_FORM = steps.argued(
    "the multipliers", "u = -sum_j mu_j grad h_j(p), mu >= 0 on the constraints active at p",
    "Proposition C.6 (MFCQ holds at p with the direction p, by Euler's identity).",
)  # fmt: skip
_TAYLOR = steps.argued(
    "the pairing", "<u, z - p> <= (beta/2) (sum_j mu_j) ||z - p||^2",
    "h_j(z) >= 0 = h_j(p), and h_j(z) <= h_j(p) + <grad h_j(p), z - p> + (beta/2) ||z - p||^2.",
)  # fmt: skip
_AT_P = steps.argued(
    "Euler "
    "at p", "r sum_j mu_j = <-u, p> <= ||u|| ||p||, ||p|| <= ||xbar|| + delta", "y_j f(x_j; p) = 1 on active ones."
)  # fmt: skip
_BALL = steps.argued("the ball", "||z - p|| <= 2 delta", "Both points are within delta of xbar.")
_C7_REPAIR = Statement(
    id="schliserman2026/lemma-c7/repair",
    source="this project, docs/regularity.md, Theorem 8",
    title="(eps, delta)-regularity with ||xbar|| + delta",
    text=(
        "f beta-smooth, r-homogeneous, xbar in C: C is (eps, delta)-regular at xbar with eps = beta delta (||xbar|| + "
        "delta) / r, for every delta > 0. (Instances: conics w_1^2 + 2 tau w_1 w_2 + b w_2^2 >= 1 about (1, 0).)"
    ),
    instances=_pairs,
    derive=_pair,
    hypotheses=(_IN_C,),
    claims=(
        Claim("regularity", lambda q, c: q.pairing, "<=", lambda q, c: c.factor * q.eps * (1 + q.delta) * q.length),
    ),
    constants={"factor": Constant(1, "down", "factor of eps")},
    corners=_PAIR_CORNERS,
    own_proof=(_NORMAL_FORM, _TAYLOR, _AT_P, _BALL),
    fates={**_PAIR_FATES, "factor halved": is_false("the circle, points on either side of theta*")},
)  # fmt: skip
C7 = replace(
    _C7_REPAIR,
    id="schliserman2026/lemma-c7",
    source=f"{_PAPER}, Lemma C.7",
    title="(eps, eps r / (beta ||xbar||))-regularity",
    text=(
        "Metric regularity and MFCQ at xbar: for every eps > 0, C is (eps, eps r / (beta ||xbar||))-regular at xbar, "
        "that is, eps = beta delta ||xbar|| / r for every delta > 0. (With the pairing of the lemmas. Instances: "
        "conics w_1^2 + 2 tau w_1 w_2 + b w_2^2 >= 1 about (1, 0).)"
    ),
    claims=(Claim("regularity", lambda q, c: q.pairing, "<=", lambda q, c: c.factor * q.eps * q.length),),
    own_proof=(),
    fates={**_PAIR_FATES, "factor halved": is_false("the circle, points on either side of theta*")},
    repair=_C7_REPAIR,
    remarks=(
        "The printed radius is what Euler's identity at xbar would give, r sum_j mu_j <= ||u|| ||xbar||; but the "
        "gradients of a normal u at p are taken at p, and ||p|| may exceed ||xbar||: with ||xbar|| + delta it is "
        "proved.",
        "Globally beta-smooth models of degree r = 1 are linear, where every eps >= 0 will do; the instances have r "
        "= 2. An expansion to second order in delta, for plane curves, found no violation: Euler's identity forces "
        "beta >= 2 / ||xbar||^2, which bounds how fast ||p|| can grow along the boundary.",
    ),
)  # fmt: skip


# C.10


def _some_radius(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """eps is given, and delta = min(1, eps r / (beta (||theta*|| + 1))); points farther out are passed over."""
    found = _pair(x, A, c)
    radius = A.minimum([A.number(1), c.radius * x.eps * 2 / (_beta(x, A) * 2)])
    if not found["delta"] <= radius:
        raise Discard("a point outside the ball")
    return {**found, "eps": x.eps}


def _close_pairs(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return instances(
        b=rationals(-3, 3, 48), tau=rationals(-1, 1, 40), first=rationals("-1/10", "1/10"),
        second=rationals("-1/10", "1/10"), outward=st.one_of(st.just(Fraction(1)), rationals(1, "51/50", 20)),
        eps=rationals("3/10", 2, 17),
    )  # fmt: skip


C10 = Statement(
    id="schliserman2026/lemma-c10",
    source=f"{_PAPER}, Lemma C.10",
    title="(eps, delta)-regularity for every eps and some delta",
    text=(
        "f beta-smooth, r-homogeneous, theta* in C*: for every eps > 0 there is delta > 0 such that each C_m is (eps, "
        "delta)-regular at theta*. (Checked with delta = min(1, eps r / (beta (||theta*|| + 1))), on conics.)"
    ),
    instances=_close_pairs,
    derive=_some_radius,
    hypotheses=(_IN_C, Hypothesis("eps > 0", lambda q, c: q.eps, ">", lambda q, c: 0)),
    claims=(Claim("regularity", lambda q, c: q.pairing, "<=", lambda q, c: q.eps * q.length),),
    constants={"radius": Constant(1, "up", "factor of delta")},
    corners={
        "a circle, either side": Instance(b="1", first="1/60", second="-1/60", outward="1", eps="1/2", tau="0"),
        "an ellipse": Instance(b="3", first="1/20", second="-1/20", outward="1", eps="1", tau="0"),
    },
    own_proof=(
        _NORMAL_FORM,
        _TAYLOR,
        _AT_P,
        steps.argued(
            "the radius",
            "beta delta (||theta*|| + delta) / r <= eps for delta = min(1, eps r / (beta (||theta*|| + 1)))",
            "delta <= 1 in the bracket, then the second bound.",
        ),
    ),
    fates={**_PAIR_FATES, "without eps > 0": still_true("the strategy has no others")},
)  # fmt: skip

STATEMENTS = (C6, C7, C10)

"""Lemma D.3: (eps, eps r y_min / (beta ||theta*||))-regularity of regression sets. False for tasks with two samples.

Counterexample: f(x_1; w) = w_1^2, f(x_2; w) = w_1^2 + eta w_1 w_2 - w_3^2, labels 1, theta* = (1, 0, 0). Near theta*
the set is the curve w_1 = 1, w_2 = w_3^2 / eta: as curved as one likes, while beta <= 2 + eta^2 and the labels stay.
With one constraint the step of the proof is right, up to Euler's identity at the wrong point (see lemma-c7).
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy, sampled_from

from proofs_checks import steps
from proofs_checks.arithmetic import EXACT, Arithmetic, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement, is_false
from proofs_checks.strategies import instances, rationals

_INSIDE = "both points in the ball"


def _curves(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """eta, eps, and where the second point is, as a share of delta; the first one is theta* itself."""
    share = rationals(0, 3) if _INSIDE in dropped else rationals(0, "7/10")
    return instances(eta=rationals("1/60", "1"), eps=rationals("1/60", "59/60"), share=share)


def _curve_quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    beta = 2 + x.eta * x.eta  # Hess f_2 = [[2, eta, 0], [eta, 0, 0], [0, 0, -2]]: norm 1 + sqrt(1 + eta^2)
    delta = c.delta * x.eps * 2 / beta  # r = 2, y_min = 1, ||theta*|| = 1
    third = x.share * A.minimum([delta, x.eta])  # (w_3^2/eta)^2 + w_3^2 <= 2 w_3^2 for w_3 <= eta
    move = (0 * third, third * third / x.eta, third)
    return {"pairing": move[1], "length": A.norm(move), "delta": delta, "eps": x.eps}


STATEMENT = Statement(
    id="schliserman2026/lemma-d3",
    source="Schliserman et al. 2026, Lemma D.3",
    title="(eps, delta)-regularity of the regression sets",
    text=(
        "f beta-smooth and r-homogeneous, theta* in C = {f(x_j; .) = y_j}. For every eps > 0, C is (eps, "
        "delta)-regular at theta* with delta = eps r y_min / (beta ||theta*||): <u, y - x> <= eps ||u|| ||y - x|| for "
        "x, y in C within delta of theta* and u a proximal normal of C at x. (Instances: the two-sample task above; x "
        "= theta*, u = (0, 1, 0), which is proximal: theta* is the nearest point of C to theta* + s u for 0 < s <= "
        "eta/2.)"
    ),
    instances=_curves,
    derive=_curve_quantities,
    hypotheses=(Hypothesis(_INSIDE, lambda q, c: q.length, "<=", lambda q, c: q.delta),),
    claims=(Claim("regularity", lambda q, c: q.pairing, "<=", lambda q, c: q.eps * q.length),),
    constants={"delta": Constant(1, "up", "factor of the radius")},
    corners={
        "a curved set": Instance(eta="1/10", eps="1/2", share="1/2"),
        "nearly straight": Instance(eta="1", eps="1/60", share="1/2"),
    },
    proof=(
        steps.false(
            "the step of Lemma D.2", "||sum_j l_j grad h_j|| ||theta*|| >= r y_min sum_j |l_j|",
            lambda: _combination() < 2 * 1 * 2,
            "l = (-1, 1): grad h_2 - grad h_1 = (0, eta, 0) at theta*, of norm eta, while r y_min sum |l_j| = 4",
        ),
    ),
    remarks=(
        "u is a proximal normal: the squared distance from theta* + s u to (1, t^2/eta, t) is (t^2/eta - s)^2 + t^2 "
        ">= s^2 for s <= eta/2, and the points with w_1 = -1 are at distance 2 or more.",
    ),
)  # fmt: skip


def _combination() -> Any:
    """The norm of grad h_2 - grad h_1 at theta* for eta = 1/10."""
    first, second = (EXACT.number(2), EXACT.number(0)), (EXACT.number(2), EXACT.number("1/10"))
    return EXACT.norm(subtract(second, first))


def _conics(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two points of w_1^2 + b w_2^2 = 1 by their rational parameters, and a radius that holds both."""
    small = rationals("-1/3", "1/3")
    return instances(b=rationals(-2, 2), first=small, second=small, sign=sampled_from([1, -1]))


def conic_point(b: Any, t: Any) -> tuple[Any, Any]:
    """A point of w_1^2 + b w_2^2 = 1, (1, 0) for t = 0."""
    return (1 - b * t * t) / (1 + b * t * t), 2 * t / (1 + b * t * t)


def _conic_quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    p, z = conic_point(x.b, x.first), conic_point(x.b, x.second)
    beta = 2 * A.maximum([A.number(1), abs(x.b)])
    center = (A.number(1), A.number(0))
    delta = A.maximum([A.norm(subtract(point, center)) for point in (p, z)])
    normal = scale(x.sign, (p[0], x.b * p[1]))
    move = subtract(z, p)
    return {
        "pairing": dot(normal, move), "length": A.norm(normal) * A.norm(move),
        "eps": c.factor * beta * (1 + delta) * delta / 2,
    }  # fmt: skip


REPAIR = Statement(
    id="schliserman2026/lemma-d3/repair",
    source="this project, docs/regularity.md, Theorem 8",
    title="(eps, delta)-regularity of a regression set with one sample",
    text=(
        "f beta-smooth and r-homogeneous, C = {f(x; .) = y}, y != 0, theta* in C: C is (eps, delta)-regular at theta* "
        "with eps = beta delta (||theta*|| + delta) / (r |y|). With several samples the least singular value of their "
        "gradients takes the place of r |y| / ||theta||. (Instances: conics w_1^2 + b w_2^2 = 1 about (1, 0).)"
    ),
    instances=_conics,
    derive=_conic_quantities,
    claims=(Claim("regularity", lambda q, c: q.pairing, "<=", lambda q, c: q.eps * q.length),),
    constants={"factor": Constant(1, "down", "factor of eps")},
    corners={
        "the same point twice": Instance(b="1", first="1/5", second="1/5", sign=1),
        "a circle, either side": Instance(b="1", first="1/60", second="-1/60", sign=-1),
    },
    own_proof=(
        steps.argued(
            "the multiplier", "u = l grad f(p) with |l| <= ||u|| ||p|| / (r |y|)",
            "f is differentiable and grad f(p) != 0, since <grad f(p), p> = r f(p) = r y != 0 (Euler); a proximal "
            "normal of a level set is then a multiple l of the gradient, and |l| r |y| = |<u, p>| <= ||u|| ||p||.",
        ),
        steps.argued(
            "the pairing", "<u, z - p> = l (f(z) - f(p) - remainder) with |remainder| <= (beta/2) ||z - p||^2",
            "f(z) = f(p) = y and beta-smoothness, for either sign of l.",
        ),
        steps.argued(
            "the ball", "||z - p|| <= 2 delta and ||p|| <= ||theta*|| + delta",
            "Both points are within delta of theta*. Together: <u, z - p> <= beta delta (||theta*|| + delta) / (r |y|) "
            "||u|| ||z - p||.",
        ),
    ),
    fates={"factor halved": is_false("the circle: points on either side of theta* reach (1 + o(1)) eps")},
)  # fmt: skip

STATEMENT = replace(STATEMENT, repair=REPAIR)
STATEMENTS = (STATEMENT,)

"""The claims in the text around Theorem 6: which networks satisfy its assumptions, and whether it applies from 0.

A globally Lipschitz homogeneous function that is not 0 has degree 1, a globally smooth one degree 2 or is linear: no
network of degree 3 has either property, and none of degree 2 both. On every ball both hold. And 0, where Algorithm 2
starts, is never in the ball B_delta(theta*) of a model of degree 2 or more.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.conics import POSSIBLE, conic_tasks, geometry
from proofs_checks.statement import Statement, still_true
from proofs_checks.strategies import instances, nonzero_vectors, rationals, vectors

_SOURCE = "Schliserman et al. 2026, text around Theorem 6"


# squared ReLU networks


def _network(theta: Any, x: Any, A: Arithmetic) -> Any:
    """a [w x]_+^2 for one hidden unit, theta = (a, w_1, w_2): degree 3."""
    hidden = A.maximum([A.number(0), dot(theta[1:], x)])
    return theta[0] * hidden * hidden


def _networks(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return instances(first=vectors(3), second=vectors(3), x=nonzero_vectors(2), c=rationals(2, 9, 7))


def _values(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    u, w = x.first, x.second
    value, far = _network(u, x.x, A), _network(scale(x.c, u), x.x, A)
    return {"c": x.c, "value": abs(value), "far": abs(far), "w": w}


_ON_BALLS_TEXT = (
    "For a [w x]_+^2, degree 3, on the ball of radius R: |f(u) - f(w)| <= sqrt(2) R^2 ||x||^2 ||u - w||, and the "
    "gradient has the Lipschitz constant 2 sqrt(2) R ||x||^2."
)


def _ball_values(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    u, w = x.first, x.second
    radius2 = A.maximum([dot(u, u), dot(w, w)])
    x2, move = dot(x.x, x.x), subtract(u, w)
    change = _network(u, x.x, A) - _network(w, x.x, A)
    pairing = change - dot(_gradient(w, x.x, A), move)
    return {
        "change2": change * change, "move2": dot(move, move), "radius2": radius2, "x2": x2, "x4": x2 * x2,
        "remainder2": pairing * pairing,
    }  # fmt: skip


def _gradient(theta: Any, x: Any, A: Arithmetic) -> tuple[Any, ...]:
    hidden = A.maximum([A.number(0), dot(theta[1:], x)])
    return (hidden * hidden, *scale(2 * theta[0] * hidden, x))


def _gradient_step() -> steps.Step:
    a, h = z3.Reals("a h")
    return steps.implication(
        "the gradient", "h^4 + 4 a^2 h^2 <= 2 for a^2 + h^2 <= 1 (||x|| = R = 1; h = [w x]_+)", [a * a + h * h <= 1],
        h**4 + 4 * a * a * h * h <= 2,
    )  # fmt: skip


_ON_BALLS = Statement(
    id="schliserman2026/text-networks-satisfy/repair",
    source="this project",
    title="On every ball both constants are finite",
    text=_ON_BALLS_TEXT,
    instances=_networks,
    derive=_ball_values,
    claims=(
        Claim("Lipschitz", lambda q, c: q.change2, "<=", lambda q, c: c.G * q.radius2**2 * q.x4 * q.move2),
        Claim("smooth", lambda q, c: q.remainder2, "<=", lambda q, c: c.beta * q.radius2 * q.x4 * q.move2**2),
    ),
    constants={
        "G": Constant(2, "down", "G^2 / (R^4 ||x||^4)"), "beta": Constant(2, "down", "(beta/2)^2 / (R^2 ||x||^4)")},
    corners={
        "both at 0": Instance(first=("0", "0", "0"), second=("0", "0", "0"), x=("1", "0"), c="2"),
        "across the kink": Instance(first=("1", "1", "0"), second=("1", "-1", "0"), x=("1", "0"), c="2"),
        "along the ray": Instance(first=("1", "1", "0"), second=("2", "2", "0"), x=("1", "0"), c="2"),
    },
    own_proof=(
        _gradient_step(),
        steps.argued(
            "scaling", "||grad f|| <= sqrt(2) R^2 ||x||^2",
            "grad f = ([w x]_+^2, 2 a [w x]_+ x): with ||x|| = 1 (f depends on w x only, |w x| <= ||w|| ||x||) and R "
            "= 1 by homogeneity of degree 2.",
        ),
        steps.argued(
            "the Hessian", "||Hess f|| <= 2 |a| ||x||^2 + 2 |h| ||x|| <= 2 sqrt(2) R ||x||^2",
            "Hess f = [[0, 2 h x^T], [2 h x, 2 a 1_{h > 0} x x^T]] almost everywhere, h = [w x]_+ <= ||w|| ||x||, "
            "and |a| + ||w|| <= sqrt(2) R. The gradient is continuous and piecewise smooth: beta = 2 sqrt(2) R "
            "||x||^2.",
        ),
    ),
    fates={},
)  # fmt: skip
NETWORKS = Statement(
    id="schliserman2026/text-networks-satisfy",
    source=_SOURCE,
    title="Networks with smooth activations satisfy the assumptions",
    text=(
        "'Both assumptions (G-Lipschitz and beta-smooth) hold for DNNs with smooth activations (e.g., squared "
        "ReLU)', with the definitions of footnotes 3 and 4, which are global. (Instances: a [w x]_+^2. A homogeneous "
        "f with f(0) = 0 that is G-Lipschitz satisfies |f(c u)| <= G c ||u|| for all c, and so |f(c u)| <= c |f(u)| "
        "for c >= 1: otherwise its degree exceeds 1, and c^{r-1} |f(u)| / ||u|| exceeds every G. Smoothness "
        "likewise: |f(c u)| <= c^2 |f(u)|.)"
    ),
    instances=_networks,
    derive=_values,
    hypotheses=(Hypothesis("c >= 1", lambda q, c: q.c, ">=", lambda q, c: 1),),
    claims=(
        Claim("Lipschitz", lambda q, c: q.far, "<=", lambda q, c: q.c * q.value),
        Claim("smooth", lambda q, c: q.far, "<=", lambda q, c: q.c**2 * q.value),
    ),
    corners={"one unit": Instance(first=("1", "1", "0"), second=("0", "0", "0"), x=("1", "0"), c="2")},
    repair=_ON_BALLS,
    remarks=(
        "docs/regularity.md, Proposition 1: global constants leave linear models only. So the hypotheses of Theorems "
        "6 and 15 hold for no network with two trainable layers.",
    ),
)  # fmt: skip


# from 0


def _from_zero(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    return {**found, "norm": abs(found["norm"])}


def _ray_step() -> steps.Step:
    r, eps, product = z3.Reals("r eps product")  # product = beta ||theta*||^2
    return steps.implication(
        "r >= 2", "beta ||theta*||^2 >= r (r - 1) >= r > eps r", [r >= 2, eps < 1, product >= r * (r - 1)],
        product > eps * r,
    )  # fmt: skip


_FAR = Statement(
    id="schliserman2026/text-applies-from-zero/repair",
    source="this project",
    title="0 is outside B_delta(theta*) for every model of degree 2 or more",
    text=(
        "f beta-smooth on a ball that holds the segment from 0 to theta*, r-homogeneous with r >= 2, theta* in C*, "
        "eps < 1: delta = eps r / (beta ||theta*||) < ||theta*||, so 0 is not in B_delta(theta*). (Instances: "
        "quadratic models, r = 2.)"
    ),
    instances=conic_tasks,
    derive=_from_zero,
    hypotheses=(POSSIBLE,),
    claims=(Claim("0 is outside", lambda q, c: q.norm, ">", lambda q, c: c.factor * q.delta),),
    constants={"factor": Constant(1, "up", "factor of delta")},
    corners={
        "a circle": Instance(turn="0", mu="1", size="1", rho="1/2", offset="0", inside="1"),
        "hyperbolas": Instance(turn="1/3", mu="-1", size="1", rho="1/2", offset="0", inside="1"),
    },
    own_proof=(
        steps.argued(
            "curvature along the ray", "beta ||theta*||^2 >= r (r - 1)",
            "t -> f(x; t theta*) = t^r f(x; theta*) has the second derivative r (r-1) t^{r-2} y f >= r (r-1) at t = "
            "1 (in absolute value), and beta ||theta*||^2 at most.",
        ),
        _ray_step(),
    ),
    fates={f"without {POSSIBLE.name}": still_true("the inequality needs f(theta*) >= 1 only, in absolute value")},
)  # fmt: skip


FROM_ZERO = replace(
    _FAR,
    id="schliserman2026/text-applies-from-zero",
    source=f"{_SOURCE}, Algorithm 2",
    title="Theorem 6 applies to Algorithm 2 as it is initialized",
    text=(
        "Thetabar_0 = 0 is in B_delta(theta*) for some theta* in C*. (Instances: quadratic models, r = 2, M = 2, every "
        "theta* of the family; for linear models, r = 1, it is true, since beta = 0 is allowed.)"
    ),
    claims=(Claim("0 is inside", lambda q, c: q.norm, "<=", lambda q, c: c.factor * q.delta),),
    own_proof=(),
    fates={},
    repair=_FAR,
    remarks=("The counterexample is one theta*; that no other one will do is the repair, which is proved for all.",),
)

STATEMENTS = (NETWORKS, FROM_ZERO)

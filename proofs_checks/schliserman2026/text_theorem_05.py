"""The claims in the text around Theorem 5, each as a statement of its own.

"It must hold that u[1] >= 2" fails by sign. That the failure persists under any ordering and on a set of data sets of
positive measure is true. That it extends to nonzero starts is not: the trap is the plane u[1] = 0, and from u[1] != 0
the iterates come to C*; it is true up to any fixed number of steps.
"""

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
from proofs_checks.schliserman2026.catastrophic import joint_bound2, joint_distance, pair_of_samples, trajectory_from
from proofs_checks.schliserman2026.escape_steps import escape, joint_bound, stays_in_the_plane
from proofs_checks.schliserman2026.theorem_05 import RANGE, REPAIR, forgetting_quantities, orders, small_eps
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_SOURCE = "Schliserman et al. 2026, text around Theorem 5"


# u[1] >= 2


def _joint_points(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Points of C*: u[1]^2 a multiple of the least one, u[2]^2 - v[2]^2 between what the tasks allow."""
    factor = rationals("1/20", "19/20", 18) if "in C*" in dropped else rationals(1, 4, 30)
    return instances(eps=small_eps(dropped), factor=factor, between=rationals(0, 1), sign=integers(0, 1))


def _joint_point(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    (p, q), (s, negative) = samples = pair_of_samples(x.eps, A)
    square = x.factor * joint_bound2(x.eps, A)
    low, high = (1 - p * square) / q, (1 - s * square) / negative
    difference = low + x.between * (high - low)
    found = [first * square + second * difference for first, second in samples]
    u = A.sqrt(square) * (1 - 2 * x.sign)
    return {"eps": x.eps, "margins": A.minimum(found), "u1": u, "absolute": abs(u)}


_IN = Hypothesis("in C*", lambda q, c: q.margins, ">=", lambda q, c: 1)
_AT_LEAST_TWO = Statement(
    id="schliserman2026/text-u1-at-least-2/repair",
    source="this project",
    title="|u[1]| >= 2",
    text="|u[1]| >= 2 for every point of C* of Theorem 5's tasks (even u[1]^2 >= 1/(1/9 + eps^2)).",
    instances=_joint_points,
    derive=_joint_point,
    hypotheses=(*RANGE, _IN),
    claims=(Claim("|u[1]|", lambda q, c: q.absolute, ">=", lambda q, c: c.bound),),
    constants={"bound": Constant(2, "up", "the 2")},
    corners={"the nearest point": Instance(eps="1/200", factor="1", between="0", sign=0)},
    own_proof=(
        joint_bound(),
        steps.implication(
            "eps < 0.01", "1/(1/9 + eps^2) >= 4", [z3.Real("e") > 0, 100 * z3.Real("e") < 1],
            4 * (z3.Q(1, 9) + z3.Real("e") ** 2) <= 1,
        ),
    ),
    fates={
        "bound doubled": is_false("the least |u[1]| is near 3"),
        "without eps > 0": still_true("the bound is even in eps"),
        "without eps < 0.01": still_true("1/9 + eps^2 <= 1/4 up to eps = 1/3"),
        "without in C*": is_false("outside C* u[1] may be anything"),
    },
)  # fmt: skip
U1 = replace(
    _AT_LEAST_TWO,
    id="schliserman2026/text-u1-at-least-2",
    source=_SOURCE,
    title="u[1] >= 2",
    text="'It must hold that u[1] >= 2' for every point of C*.",
    claims=(Claim("u[1]", lambda q, c: q.u1, ">=", lambda q, c: c.bound),),
    own_proof=(),
    fates={},
    repair=_AT_LEAST_TWO,
)


# any ordering, positive measure

ANY_ORDERING = replace(
    REPAIR,
    id="schliserman2026/text-any-ordering",
    source=_SOURCE,
    title="Under any ordering",
    text=(
        "The failure is no artefact of an adversarial ordering: from 0, under every ordering, d(theta_t, C*) >= 2 for "
        "all t >= 0 and the forgetting over all tasks is at least 1.5 for all t >= 1."
    ),
)


def _open_set(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """x_1 = (p, q), x_2 = (s, -t) within 1/100 of (1/9, 1) and (1/9, -1)."""
    near = {name: rationals("-1/100", "1/100") for name in "pqst"}
    return instances(order=orders(), **near)


def _perturbed(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    ninth = A.number("1/9")
    samples = ((ninth + x.p, 1 + x.q), (ninth + x.s, -1 - x.t))
    off = A.maximum([abs(value) for value in (x.p, x.q, x.s, x.t)])
    return {"off": off, **forgetting_quantities(samples, x.order, A)}


def _perturbation_steps() -> tuple[steps.Step, ...]:
    p, q, s, t, u2 = z3.Reals("p q s t u2")
    near = [z3.And(100 * (each - center) <= 1, 100 * (center - each) <= 1)
            for each, center in ((p, z3.Q(1, 9)), (q, z3.RealVal(1)), (s, z3.Q(1, 9)), (t, z3.RealVal(1)))]  # fmt: skip
    return (
        steps.implication("in the box", "0 < p < q and 0 < s < t", near, z3.And(p > 0, p < q, s > 0, s < t)),
        *stays_in_the_plane(),
        joint_bound(),
        steps.implication(
            "d >= 2", "u[1]^2 >= (q + t)/(t p + q s) >= 4", [*near, (t * p + q * s) * u2 >= q + t], u2 >= 4
        ),
        steps.implication(
            "forgetting", "1 + t/q >= 1.5 after C_1, 1 + q/t >= 1.5 after C_2", near, z3.And(2 * t >= q, 2 * q >= t)
        ),
    )  # fmt: skip


POSITIVE_MEASURE = Statement(
    id="schliserman2026/text-positive-measure",
    source=_SOURCE,
    title="On a set of data sets of positive measure",
    text=(
        "For all x_1 within 1/100 of (1/9, 1) and x_2 within 1/100 of (1/9, -1) in every coordinate (a set of positive "
        "measure), labels +1: from 0 and under every ordering d(theta_t, C*) >= 2 for all t >= 0, and the forgetting "
        "over all tasks is at least 1.5 for all t >= 1."
    ),
    instances=_open_set,
    derive=_perturbed,
    hypotheses=(Hypothesis("in the box", lambda q, c: 100 * q.off, "<=", lambda q, c: 1),),
    claims=(
        Claim("distance", lambda q, c: q.distances, ">=", lambda q, c: c.distance),
        Claim("forgetting", lambda q, c: q.forgetting[1:], ">=", lambda q, c: c.forgetting),
    ),
    constants={"distance": Constant(2, "up", "the 2 of d >= 2"), "forgetting": Constant("3/2", "up", "the 1.5")},
    corners={
        "a corner of the box": Instance(p="1/100", q="-1/100", s="1/100", t="1/100", order=(0, 1)),
        "Theorem 5": Instance(p="1/200", q="-1/200", s="-1/200", t="1/200", order=(0, 1)),
    },
    own_proof=_perturbation_steps(),
    fates={
        "distance doubled": is_false("d(theta_t, C*) is near 3"),
        "forgetting doubled": is_false("the forgetting is near 2"),
    },
    cost=4.0,
)  # fmt: skip


# nonzero initialization


def _starts(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Starts (u[1], u[2], v[1], v[2]) in the unit ball; the ratio of the first coordinates to the second; steps."""
    inside = {name: rationals("1/20", "9/20", 8) for name in ("u", "y", "v", "z")}
    return instances(ratio=rationals("1/400", "1/16", 30), length=integers(1, 12), **inside)


def _from_the_ball(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    e = A.number("1/200")
    samples = ((x.ratio * (1 + e), 1 - e), (x.ratio * (1 - e), -1 - e))
    start = (x.u, x.y, x.v, x.z)
    points = trajectory_from(start, samples, [k % 2 for k in range(x.length)], A)
    return {
        "first": joint_distance(start, samples, A), "last": joint_distance(points[-1], samples, A),
        "radius": A.norm(start), "samples": samples, "rho": x.ratio * (1 + e) / (1 - e),
    }  # fmt: skip


def _with_bound(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = _from_the_ball(x, A, c)
    (p, q), (s, negative) = found["samples"]
    least = A.sqrt((q - negative) / (q * s - negative * p))
    return {**found, "kept": least - c.growth * abs(x.u) / (1 - found["rho"]) ** x.length}


_BALL = Hypothesis("in the unit ball", lambda q, c: q.radius, "<=", lambda q, c: 1)
_FINITE_HORIZON = Statement(
    id="schliserman2026/text-nonzero-initialization/repair",
    source="this project",
    title="Nonzero starts, up to a fixed number of steps",
    text=(
        "For x_1 = (p, q), x_2 = (s, -t) with p/q, s/t <= rho < 1 and every start: d(theta_k, C*) >= ((q + t)/(t p + "
        "q s))^{1/2} - |u[1]| (1 - rho)^{-k}, so for every radius R, factor K and number T of steps there are ratios "
        "for which d(theta_k, C*) >= K R for all k <= T and all starts of norm at most R."
    ),
    instances=_starts,
    derive=_with_bound,
    hypotheses=(_BALL,),
    claims=(Claim("distance", lambda q, c: q.last, ">=", lambda q, c: q.kept),),
    constants={"growth": Constant(1, "down", "factor of |u[1]| (1 - rho)^-k, which is subtracted")},
    corners={"one step": Instance(ratio="1/100", length=1, u="1/2", y="1/4", v="1/4", z="1/4")},
    own_proof=(
        joint_bound(),
        steps.argued(
            "one step", "|u'| = |u|/(1 - m p) <= |u|/(1 - p/q)",
            "0 <= m <= 1/q (KKT and the condition of global optimality; m = 1/q where y = 0), and likewise s/t for "
            "C_2.",
        ),
        steps.argued(
            "k steps",
            "d(theta_k, C*) >= sqrt(U*) - |u_k| with U* = (q + t)/(t p + q s), which tends to infinity as rho -> 0",
            "Every point of C* has |u[1]| >= sqrt(U*). For fixed q, t, R, K and T take rho so small that sqrt(U*) >= "
            "K R + R (1 - rho)^{-T}.",
        ),
    ),
    fates={
        "growth halved": is_false("|u_k| >= |u_0|, and the other coordinates of C*'s nearest point may be near"),
        "without in the unit ball": still_true("the radius does not enter the bound"),
    },
    cost=4.0,
)  # fmt: skip

def _long_starts(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    inside = {name: rationals("1/20", "9/20", 8) for name in ("u", "y", "v", "z")}
    return instances(ratio=rationals("1/10", "1/8", 5), length=integers(1, 30), **inside)


NONZERO = replace(
    _FINITE_HORIZON,
    id="schliserman2026/text-nonzero-initialization",
    source=_SOURCE,
    title="Beyond zero initialization",
    text=(
        "For arbitrary, in particular random, starts in a bounded ball, after adjusting the ratio between the "
        "coordinates, the dynamics behave as from zero and the distance to C* stays arbitrarily larger than the "
        "radius: here, where d(theta_0, C*) >= 2 (twice the radius of the unit ball), d(theta_t, C*) >= 2 for all t."
    ),
    instances=_long_starts,
    derive=_from_the_ball,
    hypotheses=(_BALL, Hypothesis("ratio adjusted", lambda q, c: q.first, ">=", lambda q, c: 2)),
    claims=(Claim("distance", lambda q, c: q.last, ">=", lambda q, c: c.distance),),
    constants={"distance": Constant(2, "up", "the distance, in radii")},
    corners={
        "fifty steps": Instance(ratio="1/9", length=50, u="1/2", y="1/4", v="1/20", z="1/4"),
        "one step": Instance(ratio="1/9", length=1, u="1/2", y="1/4", v="1/20", z="1/4"),
    },
    proof=(),
    own_proof=(),
    fates={},
    repair=_FINITE_HORIZON,
    remarks=(
        "No ratio helps: from every start with u[1] != 0 the iterates come arbitrarily near to C*. "
        + " ".join(f"({step.display}) {step.asserts}." for step in escape()),
    ),
)
STATEMENTS = (U1, ANY_ORDERING, POSITIVE_MEASURE, NONZERO)

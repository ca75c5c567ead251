"""Propositions B.1-B.4: the projections behind Theorem 5, as printed.

One argument of ours replaces all of them: where b > a, a step with x != 0 can be traded for a shorter one with x = 0
(see `escape_steps`). B.2 lists two points that are no minimizers. B.3's proof uses z0^2 <= y0^2 + 1/c while it cites
>=.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy, sampled_from

from proofs_checks import steps
from proofs_checks.arithmetic import EXACT, Arithmetic
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.catastrophic import onto_hyperbola
from proofs_checks.schliserman2026.escape_steps import stays_in_the_plane
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import dyadics, instances, positive_rationals, rationals

_ORDER, _FEASIBLE = "b > a", "a feasible point"


def _weights(dropped: frozenset[str]) -> dict[str, SearchStrategy[Any]]:
    share = rationals("11/10", 4, 29) if _ORDER in dropped else rationals("1/30", "29/30", 28)
    return {"b": positive_rationals(extreme=False), "share": share}


# B.1


def _first_step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """A feasible point: (x, y) scaled by s >= 1 onto or beyond the boundary."""
    a = x.share * x.b
    form = a * x.x * x.x + x.b * x.y * x.y
    square = x.beyond / form if form > 0 else A.number(0)  # squared scale; form = 0 only for x = y = 0
    return {
        "a": a, "b": x.b, "form": form * square, "cost": (x.x * x.x + x.y * x.y) * square,
        "least": c.value / x.b, "x2": x.x * x.x * square,
    }  # fmt: skip


B1 = Statement(
    id="schliserman2026/proposition-b1",
    source="Schliserman et al. 2026, Proposition B.1",
    title="The first step from 0",
    text=(
        "For b > a > 0, x^2 + y^2 >= 1/b wherever a x^2 + b y^2 >= 1, with equality only for x = 0; so every "
        "minimizer is (0, +-b^{-1/2}), of value 1/b. (The second claim bounds the cost by 1/b + (1 - a/b) x^2.)"
    ),
    instances=lambda dropped: instances(
        **_weights(dropped), x=positive_rationals(False), y=dyadics(), beyond=rationals(1, 2, 10)
    ),
    derive=_first_step,
    hypotheses=(
        Hypothesis(_ORDER, lambda q, c: q.b, ">", lambda q, c: q.a),
        Hypothesis(_FEASIBLE, lambda q, c: q.form, ">=", lambda q, c: 1),
    ),
    claims=(
        Claim("value", lambda q, c: q.cost, ">=", lambda q, c: q.least),
        Claim("x = 0", lambda q, c: q.cost, ">=", lambda q, c: q.least + (1 - q.a / q.b) * q.x2),
    ),
    constants={"value": Constant(1, "up", "the 1 of 1/b")},
    corners={
        "the minimizer": Instance(b="2", share="1/2", x="0", y="1", beyond="1"),
        "x alone": Instance(b="2", share="1/2", x="1", y="0", beyond="1"),
    },
    proof=(
        steps.implication(
            "the bound", "x^2 + y^2 = (1/b)(b x^2 + b y^2) >= (1/b)(1 + (b - a) x^2)",
            [z3.Real("b") > z3.Real("a"), z3.Real("a") > 0,
             z3.Real("a") * z3.Real("x") ** 2 + z3.Real("b") * z3.Real("y") ** 2 >= 1],
            z3.Real("b") * (z3.Real("x") ** 2 + z3.Real("y") ** 2)
            >= 1 + (z3.Real("b") - z3.Real("a")) * z3.Real("x") ** 2,
        ),
    ),
    fates={
        "value doubled": is_false("the minimizer has value 1/b"),
        f"without {_ORDER}": is_false("for a > b the point (a^{-1/2}, 0) is nearer"),
        f"without {_FEASIBLE}": is_false("points nearer to 0 than the boundary cost less"),
    },
)  # fmt: skip


# B.2


def _second_step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Squared distances from (0, b^{-1/2}, 0) to the listed point of these signs, and to the point of signs (+, +)."""
    start = A.sqrt(1 / x.b)
    y, z2 = x.sign * start / 2, 1 / (4 * x.b) + 1 / x.c
    cost = (y - start) * (y - start) + z2
    least = (start / 2) * (start / 2) + z2
    return {"cost": cost, "least": least, "gap": z2 - y * y, "level": 1 / x.c, "a2": x.a2, "c": x.c}


_B2_HYPOTHESES = (
    Hypothesis("c > a2", lambda q, c: q.c, ">", lambda q, c: q.a2),
    Hypothesis("a2 > 0", lambda q, c: q.a2, ">", lambda q, c: 0, silent=True),
)
_B2_PROOF = (
    *stays_in_the_plane(),
    steps.implication(
        "the minimizers", "(y - s)^2 + z^2 >= s^2/2 + 1/c where z^2 >= y^2 + 1/c, with equality only for y = s/2",
        [z3.Real("k") > 0, z3.Real("z") ** 2 >= z3.Real("y") ** 2 + z3.Real("k")],
        (z3.Real("y") - z3.Real("s")) ** 2 + z3.Real("z") ** 2
        >= z3.Real("s") ** 2 / 2 + z3.Real("k") + 2 * (z3.Real("y") - z3.Real("s") / 2) ** 2,
    ),
)  # fmt: skip


def _b2_instances(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    a2 = rationals("11/10", 2, 9) if "c > a2" in dropped else rationals("1/20", "9/10", 17)
    return instances(b=rationals("1/2", 2), c=rationals(1, "11/10"), a2=a2, sign=sampled_from([1, -1]))


_B2_CLAIMS = (
    Claim("a minimizer", lambda q, c: q.cost, "=", lambda q, c: q.least),
    Claim("z^2 - y^2 = 1/c", lambda q, c: q.gap, "=", lambda q, c: q.level),
)


def _second_competitor(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Any feasible point with x = 0, at or beyond the boundary, against the listed ones with y of the start's sign."""
    start, level = A.sqrt(1 / x.b), x.beyond / x.c
    y = start * x.y
    cost = (y - start) * (y - start) + y * y + level
    least = c.value * (start * start / 2 + 1 / x.c)
    apart2 = (y - start / 2) * (y - start / 2)
    return {"cost": cost, "least": least, "apart2": apart2, "a2": x.a2, "c": x.c, "beyond": x.beyond}


def _second_competitors(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    a2 = rationals("11/10", 2, 9) if "c > a2" in dropped else rationals("1/20", "9/10", 17)
    a2 = rationals(-1, 0, 10) if "a2 > 0" in dropped else a2
    beyond = rationals(0, "9/10", 9) if _FEASIBLE in dropped else rationals(1, 2, 10)
    parts = {"b": rationals("1/2", 2), "c": rationals(1, "11/10"), "a2": a2, "beyond": beyond}
    return instances(y=dyadics(2), **parts)


B2_REPAIR = Statement(
    id="schliserman2026/proposition-b2/repair",
    source="this project",
    title="The second step",
    text=(
        "The minimizers are (0, (1/2) b^{-1/2}, +-sqrt(1/(4b) + 1/c)), of value 1/(2b) + 1/c: y has the sign of the "
        "start. Any other feasible (0, y, z) costs at least 2 (y - (1/2) b^{-1/2})^2 more."
    ),
    instances=_second_competitors,
    derive=_second_competitor,
    hypotheses=(*_B2_HYPOTHESES, Hypothesis(_FEASIBLE, lambda q, c: q.beyond, ">=", lambda q, c: 1)),
    claims=(Claim("least", lambda q, c: q.cost, ">=", lambda q, c: q.least + 2 * q.apart2),),
    constants={"value": Constant(1, "up", "factor of the least value")},
    corners={
        "a minimizer": Instance(b="1", c="1", a2="1/9", y="1/2", beyond="1"),
        "the other sign": Instance(b="1", c="1", a2="1/9", y="-1/2", beyond="1"),
    },
    own_proof=_B2_PROOF,
    fates={
        "value doubled": is_false("the minimizers have that value"),
        f"without {_FEASIBLE}": is_false("points nearer than the boundary cost less"),
        "without a2 > 0": still_true("v and u then change roles at most; the claim is about points with x = 0"),
        "without c > a2": still_true("the claim compares points with x = 0; only x = 0 itself needs c > a2"),
    },
)  # fmt: skip
B2 = Statement(
    id="schliserman2026/proposition-b2",
    source="Schliserman et al. 2026, Proposition B.2",
    title="The second step, as printed",
    text=(
        "For c > a2, projecting (0, b^{-1/2}, 0) onto {a2 x^2 - c y^2 + c z^2 >= 1} gives x = 0, y = +-(1/2) "
        "b^{-1/2}, z = +-sqrt(1/(4b) + 1/c), and z^2 - y^2 = 1/c at every minimizer: each of the listed points is a "
        "minimizer."
    ),
    instances=_b2_instances,
    derive=_second_step,
    hypotheses=_B2_HYPOTHESES,
    claims=_B2_CLAIMS,
    corners={"Theorem 5's b, c": Instance(b="199/200", c="201/200", a2="191/1800", sign=-1)},
    reading="each listed point is a minimizer",
    proof=(
        steps.false(
            "y = +-", "(0, -(1/2) b^{-1/2}, z) is as near to (0, b^{-1/2}, 0) as (0, (1/2) b^{-1/2}, z)",
            lambda: EXACT.number("9/4") > EXACT.number("1/4"), "b = 1: (3/2)^2 against (1/2)^2, with the same z",
        ),
    ),
    repair=B2_REPAIR,
)  # fmt: skip
B2 = replace(
    B2,
    readings=(
        replace(
            B2_REPAIR, id=B2.id, source=B2.source, reading="every minimizer is among those listed",
            text="Every minimizer has x = 0, y = +-(1/2) b^{-1/2}, z = +-sqrt(1/(4b) + 1/c), and z^2 - y^2 = 1/c.",
        ),
    ),
)  # fmt: skip


# B.3 and B.4


def _later_step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The projection of (0, y0, z0) within x = 0, against a feasible competitor with x != 0."""
    a = x.share * x.b
    level = 1 / x.b
    y, z = onto_hyperbola(x.y0, x.z0, level, A)
    least = (y - x.y0) * (y - x.y0) + (z - x.z0) * (z - x.z0)
    square = A.maximum([x.x * x.x, (level - x.y * x.y + x.z * x.z) * x.b / a])  # x^2 that makes (x, y, z) feasible
    cost = square + (x.y - x.y0) * (x.y - x.y0) + (x.z - x.z0) * (x.z - x.z0)
    return {"b": x.b, "a": a, "least": c.least * least, "cost": cost, "z0": x.z0, "y0": x.y0, "c": 2 - x.b}


def _later_instances(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    coordinates = {name: dyadics() for name in ("x", "y", "z")}
    starts = {"y0": rationals(0, 4, 40), "z0": rationals(0, 5, 50)}
    share = rationals(2, 9, 14) if _ORDER in dropped else rationals("1/30", "29/30", 28)
    return instances(b=rationals("99/100", "101/100", 20), share=share, **coordinates, **starts).map(
        lambda each: each if "in C_2" in dropped else each.with_values(z0=each.z0 + each.y0 + 2)
    )


def _later(number: int, source: str, proof: tuple[steps.Step, ...]) -> Statement:
    roles = "C_1 (y ahead)" if number == 3 else "C_2 (z ahead: y and z exchanged)"
    return Statement(
        id=f"schliserman2026/proposition-b{number}",
        source=source,
        title=f"Later steps onto {roles[:3]}",
        text=(
            f"For (0, y0, z0) in the other set, every projection onto {roles} has x = 0: no feasible point with x != "
            f"0 is "
            "nearer than the nearest one with x = 0."
        ),
        instances=_later_instances,
        derive=_later_step,
        hypotheses=(
            Hypothesis(_ORDER, lambda q, c: q.b, ">", lambda q, c: q.a),
            Hypothesis("in C_2", lambda q, c: q.c * (q.z0 * q.z0 - q.y0 * q.y0), ">=", lambda q, c: 1),
        ),
        claims=(Claim("x = 0", lambda q, c: q.cost, ">=", lambda q, c: q.least),),
        constants={"least": Constant(1, "up", "factor of the least cost with x = 0")},
        corners={
            "far along z": Instance(b="1", share="1/8", x="1", y="0", z="2", y0="0", z0="4"),
            "the start of the trajectory": Instance(b="1", share="1/9", x="3", y="1/2", z="1", y0="1/2", z0="3"),
        },
        proof=proof,
        own_proof=stays_in_the_plane(),
        fates={
            f"without {_ORDER}": is_false("for a > b moving along x is cheaper"),
            "without in C_2": still_true("the trade of x for y works from every start with x = 0"),
            "least doubled": is_false("competitors near the projection, with a small x, cost hardly more"),
        },
    )  # fmt: skip


def _branch_one_fails() -> bool:
    """y0 = 0, z0 = 2, b = c = 1: the candidate costs 5, and sqrt(z0^2 + 1) > sqrt(y0^2 + 2)."""
    return EXACT.number(4) + 1 > EXACT.number("2.02") and EXACT.number(4) + 1 > EXACT.number(0) + 2


_B3_PROOF = (
    steps.implication(
        "branch II", "1/a1 > 7.6 for eps < 0.01", [z3.Real("e") > 0, 100 * z3.Real("e") < 1],
        76 * (z3.Q(1, 9) + z3.Real("e")) < 10,
    ),
    steps.false(
        "branch I", "sqrt(z0^2 + 1/b) - |y0| <= sqrt(y0^2 + 1/c + 1/b) - |y0|, citing z0^2 >= y0^2 + 1/c",
        _branch_one_fails,
        "the cited inequality points the other way: y0 = 0, z0 = 2, b = c = 1 give sqrt(5) > sqrt(2). On the "
        "trajectory z0^2 = y0^2 + 1/c, and the step holds",
    ),
    steps.false(
        "branch I at most 2.02", "the candidate costs at most 2/b <= 2.02",
        lambda: 2 / EXACT.number("0.99001") > EXACT.number("2.02"),
        "2/b = 2/(1 - eps) exceeds 2.02 for eps > 0.0099010, by less than 0.0003",
    ),
)  # fmt: skip
B3 = _later(3, "Schliserman et al. 2026, Proposition B.3", _B3_PROOF)
B4 = _later(4, "Schliserman et al. 2026, Proposition B.4", (
    steps.false(
        "roles exchanged", "the proof of B.3 with the roles exchanged", _branch_one_fails,
        "it inherits the step of branch I, which fails for general points (0, y0, z0) of C_1",
    ),
))  # fmt: skip
STATEMENTS = (B1, B2, B3, B4)

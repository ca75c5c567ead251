"""Proposition 12: decrease in one step (random) and in one cycle, for regular sets. (a) is proved; (b) is cited.

(b) is proved here for convex sets from a point of C_M; for the general case it stays supported.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, integers

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis, Inequality, Predicate
from proofs_checks.constants import Constant, Count
from proofs_checks.errors import Discard
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.meeting_curves import ARC, LINES, Curves, meeting_curves, start_of
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import rationals

_SOURCE = "Schliserman et al. 2026, Proposition 12"
_LARGE = 4  # how far outside the ball a start may be, in radii, where that is dropped
_BALL, _CONTRACTS = "start in B_{delta/2}(theta*)", "rho < 1"
_REGULAR = Predicate("0 <= eps < 1, delta > 0", lambda q, c: bool(q.eps >= 0 and q.eps < 1 and q.delta > 0))


def _sets(dropped: frozenset[str], settled: SearchStrategy[int] | None = None) -> SearchStrategy[Instance]:
    inside = rationals(1, _LARGE) if _BALL in dropped else rationals("1/60", 1)
    found = meeting_curves(rationals(0, 1, 20), inside)
    if _CONTRACTS in dropped:
        found = found.map(lambda each: each.with_values(eps="9/10"))
    return found if settled is None else st.builds(_settled, found, settled)


def _settled(instance: Instance, settled: int) -> Instance:
    """With whether the start is first projected onto the last set."""
    return instance.with_values(settled=settled)


def _geometry(x: SimpleNamespace, A: Arithmetic) -> dict[str, Any]:
    sets = Curves(x, A)
    return {
        "sets": sets, "M": sets.count, "kappa2": sets.kappa2, "eps": sets.eps, "delta": x.delta,
        "inside": abs(x.inside), "arc": sets.arc, "start": start_of(x),
    }  # fmt: skip


_IN_BALL = Hypothesis(_BALL, lambda q, c: q.inside, "<=", lambda q, c: 1)


def _mean(values: list[Any]) -> Any:
    return sum(values[1:], values[0]) / len(values)


# (a)


def _random(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = _geometry(x, A)
    if not found["eps"] < 1:
        raise Discard("eps is not below 1")
    sets = found["sets"]
    ends = [sets.to_joint2(sets.onto(found["start"], task, A)) for task in range(sets.count)]
    return {**found, "first2": sets.to_joint2(found["start"]), "mean2": _mean(ends), "worst2": A.maximum(ends)}


def _factor_a(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    return 1 / (1 - c.share * q.eps) - c.gain / (c.M(q.M) * q.kappa2)


def _step_a() -> steps.Step:
    e, s, d2, eps, inner = z3.Reals("e s d2 eps inner")
    return steps.implication(
        "one step", "d^2(x, C*) = s^2 + e^2 + 2 <x - p, p - z>, <x - p, z - p> <= eps s e imply e^2 <= d^2/(1 - eps) - "
        "s^2",
        [e >= 0, s >= 0, eps >= 0, eps < 1, inner <= eps * s * e, d2 == s * s + e * e - 2 * inner],
        (1 - eps) * (e * e + s * s) <= d2,
    )  # fmt: skip


ONE_STEP = Statement(
    id="schliserman2026/proposition-12a",
    source=f"{_SOURCE} (a)",
    title="Decrease in one random step",
    text=(
        "C_1..C_M closed, theta* in C*, each (eps, delta)-regular at theta*, kappa-linearly regular on "
        "B_{delta/2}(theta*), rho = 1/(1-eps) - 1/(M kappa^2) < 1: theta_{t-1} in B_{delta/2}(theta*) implies E "
        "d^2(theta_t, C*) <= rho d^2(theta_{t-1}, C*). (Instances: lines through a point, a circle and a line.)"
    ),
    instances=_sets,
    derive=_random,
    hypotheses=(
        _REGULAR,
        _IN_BALL,
        Hypothesis(_CONTRACTS, lambda q, c: 1 / (1 - q.eps) - 1 / (q.M * q.kappa2), "<", lambda q, c: 1),
    ),
    claims=(
        Claim(
            "decrease", lambda q, c: q.mean2, "<=", lambda q, c: _factor_a(q, c) * q.first2,
            variants={
                "expectation removed": Inequality(
                    "every task", lambda q, c: q.worst2, "<=", lambda q, c: _factor_a(q, c) * q.first2
                )
            },
        ),
    ),
    constants={
        "share": Constant(1, "down", "factor of eps"), "gain": Constant(1, "up", "factor of 1/(M kappa^2)"),
        "M": Count(meaning="number of sets"),
    },
    corners={
        "orthogonal lines": Instance(kind=LINES, turns=("0", "1"), delta="1", eps="0", offset="0", inside="1"),
        "nearly parallel lines": Instance(kind=LINES, turns=("0", "1/50"), delta="1", eps="0", offset="1", inside="1"),
        "on the bisector of two lines": Instance(
            kind=LINES, turns=("1/2", "-1/2"), delta="1", eps="0", offset="0", inside="1"
        ),
        "a circle and a line": Instance(kind=ARC, turns=("1",), delta="1/10", eps="0", offset="1/2", inside="1"),
        "at theta*": Instance(kind=LINES, turns=("0", "1"), delta="1", eps="1/10", offset="0", inside="0"),
    },
    own_proof=(
        steps.argued(
            "the balls", "p = P_m x and z = P_{C*} x are in B_delta(theta*)",
            "||p - x|| <= ||theta* - x|| <= delta/2 since theta* is in C_m, and the same for z.",
        ),
        steps.argued(
            "regularity", "<x - p, z - p> <= eps ||x - p|| ||z - p||",
            "x - p is a proximal normal of C_m at p, and z is in C_m. (With the pairing <u, y - x> of the lemmas; "
            "Definition 10 as displayed has the opposite sign, see definition-10.)",
        ),
        _step_a(),
        steps.argued(
            "mean", "E e^2 <= d^2/(1-eps) - (1/M) sum_m s_m^2 <= (1/(1-eps) - 1/(M kappa^2)) d^2",
            "e >= d(p, C*), and sum_m s_m^2 >= max_m d^2(x, C_m) >= d^2 / kappa^2.",
        ),
    ),
    fates={
        "M squared": still_true("a weaker claim"),
        "decrease: expectation removed": is_false("a set that holds x already does not move it"),
        f"without {_BALL}": still_true("in this family everything holds farther out, too"),
        f"without {_CONTRACTS}": still_true("the proof does not use it"),
        f"without {_REGULAR.name}": still_true("the family has no others"),
    },
)  # fmt: skip


# (b)


def _cycle(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = _geometry(x, A)
    if not found["eps"] < 1:
        raise Discard("eps is not below 1")
    sets = found["sets"]
    start = sets.onto(found["start"], sets.count - 1, A) if x.settled else found["start"]
    end = sets.onto_all(start, range(sets.count), A)
    return {**found, "settled": x.settled, "first2": sets.to_joint2(start), "last2": sets.to_joint2(end)}


def _base(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    number = c.M(q.M) - 1
    return 1 / (1 - q.eps) ** number - c.gain / (number * q.kappa2) if number else q.eps - q.eps


_B_HYPOTHESES = (
    _REGULAR,
    _IN_BALL,
    Hypothesis(
        _CONTRACTS, lambda q, c: 1 / (1 - q.eps) ** (q.M - 1) - 1 / ((q.M - 1) * q.kappa2), "<", lambda q, c: 1
    ),
)
_B_CLAIM = Claim(
    "decrease", lambda q, c: q.last2 ** (q.M - 1), "<=", lambda q, c: _base(q, c) * q.first2 ** (q.M - 1)
)
_B_CONSTANTS: dict[str, Constant | Count] = {
    "gain": Constant(1, "up", "factor of 1/((M-1) kappa^2)"),
    "M": Count(meaning="number of sets"),
}


def _b_corner(kind: str, turns: tuple[str, ...], settled: int, offset: str = "0") -> Instance:
    delta = "1/10" if kind == ARC else "1"
    return Instance(kind=kind, turns=turns, delta=delta, eps="0", offset=offset, inside="1", settled=settled)


_B_CORNERS = {
    "orthogonal lines": _b_corner(LINES, ("0", "1"), 1),
    "nearly parallel lines": _b_corner(LINES, ("0", "1/50"), 1),
    "from outside every set": _b_corner(LINES, ("1/2", "-1/2"), 0),
    "three lines": _b_corner(LINES, ("0", "1/2", "1"), 0),
    "a circle and a line": _b_corner(ARC, ("1",), 1),
}
_B_FATES = {
    f"without {_BALL}": still_true("in this family everything holds farther out, too"),
    f"without {_CONTRACTS}": still_true("then the claim allows growth, which does not happen in this family"),
    f"without {_REGULAR.name}": still_true("the family has no others"),
}


def _convex(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Lines, eps = 0, from a point of the last one."""
    found = _sets(dropped, settled=integers(1, 1)).filter(lambda each: each.kind == LINES)
    return found.map(lambda each: each.with_values(eps="0"))


_CONVEX = Statement(
    id="schliserman2026/proposition-12b",
    source=f"{_SOURCE} (b)",
    title="Decrease in one cycle",
    text=(
        "C_1..C_M closed and convex (eps = 0), kappa-linearly regular on a ball about theta* in C*, theta_t in that "
        "ball and in C_M: d(theta_{t+M}, C*) <= (1 - 1/((M-1) kappa^2))^{1/(2(M-1))} d(theta_t, C*). (Instances: "
        "lines.)"
    ),
    instances=_convex,
    derive=_cycle,
    hypotheses=(*_B_HYPOTHESES, Predicate("theta_t in C_M", lambda q, c: q.settled == 1)),
    claims=(_B_CLAIM,),
    constants=_B_CONSTANTS,
    corners={name: each for name, each in _B_CORNERS.items() if each.settled and each.kind == LINES},
    own_proof=(
        steps.argued(
            "steps", "d^2(x_{M-1}, C*) <= d^2(x_0, C*) - s_1^2 - ... - s_{M-1}^2",
            "Fejer monotonicity: ||P x - z||^2 <= ||x - z||^2 - ||x - P x||^2 for convex sets and z = P_{C*} x_0. "
            "Iterates stay in the ball: theta* takes the place of z.",
        ),
        steps.argued(
            "lengths", "d^2(x_0, C*) <= kappa^2 (M-1) (s_1^2 + ... + s_{M-1}^2)",
            "d(x_0, C_M) = 0 and d(x_0, C_m) <= s_1 + ... + s_m <= sqrt(M-1) (sum s_i^2)^{1/2} for m < M.",
        ),
        steps.argued(
            "exponent", "d(x_M, C*) <= d(x_{M-1}, C*) <= b^{1/2} d(x_0, C*) <= b^{1/(2(M-1))} d(x_0, C*)",
            "b = 1 - 1/((M-1) kappa^2) is in [0, 1], and 1/(2(M-1)) <= 1/2.",
        ),
    ),
    reading="convex sets, from a point of C_M",
    fates={
        **_B_FATES,
        "gain halved": still_true("a weaker claim"),
        "without theta_t in C_M": still_true("two lines contract by cos phi from anywhere, three or more faster"),
    },
)  # fmt: skip
ONE_CYCLE = replace(
    _CONVEX,
    text=(
        "C_1..C_M closed, theta* in C*, each (eps, delta)-regular at theta*, kappa-linearly regular on "
        "B_{delta/2}(theta*), M | t, theta_t in B_{delta/2}(theta*), rho = (1/(1-eps)^{M-1} - 1/((M-1) "
        "kappa^2))^{1/(2(M-1))} < 1: d(theta_{t+M}, C*) <= rho d(theta_t, C*). (t = 0 included: theta_0 may be in none "
        "of the sets. Instances: lines through a point, a circle and a line.)"
    ),
    instances=lambda dropped: _sets(dropped, settled=integers(0, 1)),
    hypotheses=_B_HYPOTHESES,
    corners=_B_CORNERS,
    own_proof=(),
    proof=(
        steps.cited("(b)", "the decrease in one cycle", "Dao and Phan 2019, Corollary 5.10"),
        steps.gap(
            "staying in the ball", "every iterate of the cycle is where regularity is assumed",
            "only theta_t is put into B_{delta/2}(theta*); for eps > 0 the next iterate may leave it, and whether the "
            "cited corollary covers that cannot be told from the statement",
        ),
    ),
    reading="",
    readings=(_CONVEX,),
    fates=_B_FATES,
    remarks=("The exponent is weaker than what Fejer monotonicity gives, b^{1/2}.",),
)

STATEMENTS = (ONE_STEP, ONE_CYCLE)

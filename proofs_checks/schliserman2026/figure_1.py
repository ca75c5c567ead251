"""Figure 1: what it says of its three feasible sets in the plane.

(a) linear, x_1 = (5, -1), x_2 = (2, 2), y = +1; (b) [w_1 x]_+ + [w_2 x]_+ with x = 2; (c) w_1^2 x - w_2^2 x with x = 2.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import dyadics, instances, rationals, vectors

_SOURCE = "Schliserman et al. 2026, Figure 1"
_IN = "in the set"


# (a)


def _margin_a(w: Vector, A: Arithmetic) -> Any:
    return A.minimum([5 * w[0] - w[1], 2 * w[0] + 2 * w[1]])


def _points_a(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two points apex + s (1, 5) + t (1, -1) with s, t >= 0: the edges of the set."""
    low = -2 if _IN in dropped else 0
    coefficient = rationals(low, 3, 30)
    found = instances(first=st.tuples(coefficient, coefficient), second=st.tuples(coefficient, coefficient),
                      between=rationals(0, 1, 20), factor=rationals("1/10", 4, 39))  # fmt: skip
    return found.map(lambda each: each.with_values(first=_edge(each.first), second=_edge(each.second)))


def _edge(coefficients: Vector) -> Vector:
    s, t = coefficients
    quarter = s * 0 + 1
    return quarter / 4 + s + t, quarter / 4 + 5 * s - t


def _quantities_a(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    quarter = A.number("1/4")
    apex = (quarter, quarter)
    middle = add(scale(1 - x.between, x.first), scale(x.between, x.second))
    dilated = add(apex, scale(x.factor, subtract(x.first, apex)))
    return {
        "margins": (_margin_a(x.first, A), _margin_a(x.second, A)), "between": x.between, "factor": x.factor,
        "middle": _margin_a(middle, A), "dilated": _margin_a(dilated, A),
        "scaled": _margin_a(scale(x.factor, x.first), A),
    }  # fmt: skip


_A_HYPOTHESES = (
    Hypothesis(_IN, lambda q, c: q.margins, ">=", lambda q, c: 1),
    Hypothesis("0 <= s <= 1", lambda q, c: (q.between, 1 - q.between), ">=", lambda q, c: (0, 0)),
    Hypothesis("c > 0", lambda q, c: q.factor, ">", lambda q, c: 0),
)
_CONVEX = Claim("convex", lambda q, c: q.middle, ">=", lambda q, c: 1)
_A_CORNERS = {
    "the apex": Instance(first=("1/4", "1/4"), second=("1", "0"), between="1/2", factor="1/2"),
    "both edges": Instance(first=("5/4", "21/4"), second=("5/4", "-3/4"), between="1/2", factor="2"),
}
A1 = Statement(
    id="schliserman2026/figure-1a",
    source=_SOURCE,
    title="(a): a closed convex polyhedral cone region",
    text=(
        "{5 w_1 - w_2 >= 1, 2 w_1 + 2 w_2 >= 1} is convex, and a cone with the apex (1/4, 1/4), where both constraints "
        "are tight: apex + c (w - apex) is in it for every w in it and c > 0."
    ),
    instances=_points_a,
    derive=_quantities_a,
    hypotheses=_A_HYPOTHESES,
    claims=(_CONVEX, Claim("cone about its apex", lambda q, c: q.dilated, ">=", lambda q, c: 1)),
    corners=_A_CORNERS,
    own_proof=(
        steps.argued("convex", "two half-planes", "An intersection of half-planes is closed, convex and polyhedral."),
        steps.argued(
            "cone", "<a_i, apex + c (w - apex)> - 1 = c (<a_i, w> - 1) >= 0", "<a_i, apex> = 1 for both constraints."
        ),
        steps.evaluated("apex", "5/4 - 1/4 = 1 and 2/4 + 2/4 = 1", lambda: (5 - 1, 2 + 2) == (4, 4)),
    ),
    reading="a cone with its apex where both constraints are tight",
    fates={
        f"without {_IN}": is_false("points outside"),
        "without 0 <= s <= 1": still_true("no others are tried"),
        "without c > 0": still_true("no others are tried"),
    },
)  # fmt: skip
_CONE_AT_ZERO = replace(
    A1,
    text="The set is a convex cone with apex 0: c w is in it for every w in it and c > 0.",
    claims=(_CONVEX, Claim("cone about 0", lambda q, c: q.scaled, ">=", lambda q, c: 1)),
    own_proof=(),
    fates={},
    reading="a cone with apex 0",
)
A1 = replace(A1, readings=(_CONE_AT_ZERO,))


# (b)


def _plus(value: Any, A: Arithmetic) -> Any:
    return A.maximum([A.number(0), value])


def _margin_b(w: Vector, A: Arithmetic) -> Any:
    return _plus(2 * w[0], A) + _plus(2 * w[1], A)


def _any_point(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return instances(w=vectors(2), factor=rationals("1/10", 4, 39), target=vectors(2, dyadics(2, 3)))


def _quantities_b(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The two nearest points of (-1, -1), their midpoint; ``target`` is any other point of the set to compare with."""
    half, one = A.number("1/2"), A.number(1)
    start, ends = (-one, -one), ((half, -one), (-one, half))
    other = x.target
    distance2 = square_length(subtract(other, start)) if _margin_b(other, A) >= 1 else A.infinity
    return {
        "factor": x.factor, "ends": A.minimum([_margin_b(end, A) for end in ends]),
        "middle": _margin_b(scale(half, add(*ends)), A), "least": square_length(subtract(ends[0], start)),
        "lengths": square_length(subtract(ends[0], start)) - square_length(subtract(ends[1], start)),
        "other": distance2, "scaled": _margin_b(scale(x.factor, x.w), A), "value": _margin_b(x.w, A),
    }  # fmt: skip


def _nearest_step() -> steps.Step:
    u, v = z3.Reals("u v")
    plus = z3.If(u > 0, 2 * u, 0) + z3.If(v > 0, 2 * v, 0)
    return steps.implication(
        "nearest points of (-1, -1)", "every point of the set is at squared distance 9/4 at least", [plus >= 1],
        (u + 1) ** 2 + (v + 1) ** 2 >= z3.Q(9, 4),
    )  # fmt: skip


B1 = Statement(
    id="schliserman2026/figure-1b",
    source=_SOURCE,
    title="(b): nonconvex, nonunique projections, 1-homogeneous",
    text=(
        "{[2 w_1]_+ + [2 w_2]_+ >= 1} is not convex ((1/2, -1) and (-1, 1/2) are in it, their midpoint is not), "
        "projections are not unique (both are nearest to (-1, -1)), and the model is 1-homogeneous."
    ),
    instances=_any_point,
    derive=_quantities_b,
    hypotheses=(Hypothesis("c > 0", lambda q, c: q.factor, ">", lambda q, c: 0),),
    claims=(
        Claim("both points are in the set", lambda q, c: q.ends, ">=", lambda q, c: 1),
        Claim("their midpoint is not", lambda q, c: q.middle, "<", lambda q, c: 1),
        Claim("equally near", lambda q, c: q.lengths, "=", lambda q, c: 0),
        Claim("no point is nearer", lambda q, c: q.least, "<=", lambda q, c: q.other),
        Claim("1-homogeneous", lambda q, c: q.scaled, "=", lambda q, c: q.factor * q.value),
    ),
    corners={
        "a nearest point": Instance(w=("1", "-1"), factor="2", target=("1/2", "-1")),
        "both units": Instance(w=("1/4", "1/4"), factor="1/2", target=("1/4", "1/4")),
        "at 0": Instance(w=("0", "0"), factor="3", target=("0", "1/2")),
    },
    own_proof=(
        steps.evaluated(
            "nonconvex", "2 (1/2) = 1, and [2 (-1/4)]_+ = 0 at the midpoint (-1/4, -1/4)", lambda: max(0, -1) < 1
        ),
        _nearest_step(),
        steps.evaluated("two of them", "(3/2)^2 + 0 = 9/4 for both", lambda: 3 * 3 * 4 == 9 * 2 * 2),
        steps.argued("homogeneous", "[c t]_+ = c [t]_+ for c > 0", "Rectifiers are positively 1-homogeneous."),
    ),
    fates={"without c > 0": still_true("the strategy has no others")},
)  # fmt: skip


# (c)


def _pieces(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two points of one piece: w_1 = sign (|w_2| + extra) with extra large enough, and a factor."""
    point = st.tuples(rationals(-2, 2, 40), rationals("3/4", 3, 27))
    found = instances(first=point, second=point, sign=st.sampled_from([1, -1]), factor=rationals("1/10", 4, 39),
                      across=st.just(-1 if "in one piece" in dropped else 1))  # fmt: skip
    return found


def _quantities_c(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    ends = [(x.sign * (abs(second) + extra), second) for second, extra in (x.first, x.second)]
    ends[1] = (x.across * ends[1][0], ends[1][1])
    middle = scale(A.number("1/2"), add(*ends))
    values = [2 * (w[0] * w[0] - w[1] * w[1]) for w in (*ends, middle, scale(x.factor, ends[0]))]
    return {
        "ends": (values[0], values[1]), "product": ends[0][0] * ends[1][0], "middle": values[2], "scaled": values[3],
        "factor": x.factor, "first": values[0], "mirrored": 2 * (0 - dot((ends[0][1],), (ends[0][1],))),
    }  # fmt: skip


def _convex_piece() -> steps.Step:
    a, b, c, d = z3.Reals("a b c d")
    return steps.implication(
        "each piece is convex", "w_1 >= (w_2^2 + 1/2)^{1/2} describes it: midpoints of its points are in it",
        [a > 0, c > 0, a * a - b * b >= z3.Q(1, 2), c * c - d * d >= z3.Q(1, 2)],
        ((a + c) / 2) ** 2 - ((b + d) / 2) ** 2 >= z3.Q(1, 2),
    )  # fmt: skip


C1 = Statement(
    id="schliserman2026/figure-1c",
    source=_SOURCE,
    title="(c): two convex pieces, nonconvex union, 2-homogeneous",
    text=(
        "{2 (w_1^2 - w_2^2) >= 1} consists of two convex pieces, w_1 > 0 and w_1 < 0; their union is not convex (the "
        "midpoint of a point and its mirror image is not in it); the model is 2-homogeneous."
    ),
    instances=_pieces,
    derive=_quantities_c,
    hypotheses=(
        Hypothesis(_IN, lambda q, c: q.ends, ">=", lambda q, c: 1),
        Hypothesis("in one piece", lambda q, c: q.product, ">", lambda q, c: 0),
    ),
    claims=(
        Claim("convex pieces", lambda q, c: q.middle, ">=", lambda q, c: c.level),
        Claim("nonconvex union", lambda q, c: q.mirrored, "<", lambda q, c: 1),
        Claim("2-homogeneous", lambda q, c: q.scaled, "=", lambda q, c: q.factor**2 * q.first),
    ),
    constants={"level": Constant(1, "up", "the margin at the midpoint")},
    corners={"on the axis": Instance(first=("0", "3/4"), second=("0", "3/4"), sign=1, factor="2", across=1)},
    own_proof=(
        _convex_piece(),
        steps.argued(
            "mirror images", "2 (0 - w_2^2) <= 0 < 1", "The midpoint of (w_1, w_2) and (-w_1, w_2) is (0, w_2)."),
        steps.argued("homogeneous", "f(c w) = c^2 f(w)", "A quadratic form."),
    ),
    fates={
        "level doubled": is_false("points near the edge"),
        "without in one piece": is_false("midpoints of points of both pieces"),
        f"without {_IN}": still_true("the strategy has no others"),
    },
)  # fmt: skip

STATEMENTS = (A1, B1, C1)

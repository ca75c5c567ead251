"""Definition 10, (eps, delta)-regularity: is the displayed pairing the one that its lemmas use? It is not.

As displayed, <u, x - y> <= eps ||u|| ||x - y||, a half-plane is not regular at its boundary for any eps < 1. With the
pairing of the lemmas, <u, y - x>, convex sets are (0, delta)-regular for every delta.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, add, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, nonzero_vectors, rationals

_EPS, _IN = Hypothesis("0 <= eps < 1", lambda q, c: (q.eps, 1 - q.eps), ">=", lambda q, c: (0, q.tiny)), "y in C"


def _half_planes(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """C = {<n, w> >= 0}: x = along turned n, y = x + depth n + shift turned n, u = -n (a proximal normal at x)."""
    depth = rationals(-2, "-1/10", 20) if _IN in dropped else rationals(0, 2, 20)
    eps = rationals(1, 3, 20) if _EPS.name in dropped else rationals(0, "9/10", 20)
    return instances(normal=nonzero_vectors(2), depth=depth, shift=rationals(-2, 2, 20), eps=eps)


def _pairings(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    n = x.normal
    move = add(scale(x.depth, n), scale(x.shift, (-n[1], n[0])))  # y - x
    u = scale(-1, n)
    return {
        "eps": x.eps, "depth": x.depth, "tiny": A.number("1/1000"), "normal2": square_length(n),
        "displayed": dot(u, subtract((A.number(0), A.number(0)), move)), "used": dot(u, move),
        "size": A.norm(u) * A.norm(move),
    }  # fmt: skip


_HYPOTHESES = (
    _EPS,
    Hypothesis(_IN, lambda q, c: q.depth, ">=", lambda q, c: 0),
    Hypothesis("u is not 0", lambda q, c: q.normal2, ">", lambda q, c: 0),
)
_CORNERS = {
    "y is x": Instance(normal=("1", "0"), depth="0", shift="0", eps="0"),
    "y on the boundary": Instance(normal=("0", "1"), depth="0", shift="1", eps="0"),
    "y straight inside": Instance(normal=("1", "0"), depth="1", shift="0", eps="1/2"),
}
REPAIR = Statement(
    id="schliserman2026/definition-10/repair",
    source="this project; the pairing of Lemmas C.7, C.10, D.3",
    title="Half-planes are (0, delta)-regular with the pairing <u, y - x>",
    text=(
        "For a half-plane C, x on its boundary, u a proximal normal of C at x and y in C: <u, y - x> <= 0 <= eps ||u|| "
        "||y - x||."
    ),
    instances=_half_planes,
    derive=_pairings,
    hypotheses=_HYPOTHESES,
    claims=(Claim("regularity", lambda q, c: q.used, "<=", lambda q, c: q.eps * q.size),),
    corners=_CORNERS,
    own_proof=(
        steps.argued("normals", "u = -s n with s >= 0 and n the inner normal", "Points z with P_C z = x are x - s n."),
        steps.argued("pairing", "<u, y - x> = -s <n, y - x> <= 0", "C = {<n, .> >= <n, x>}."),
    ),
    fates={
        f"without {_IN}": is_false("points outside C lie in the direction of u"),
        f"without {_EPS.name}": still_true("larger eps ask for less"),
        "without u is not 0": still_true("0 <= 0"),
    },
)  # fmt: skip
STATEMENT = Statement(
    id="schliserman2026/definition-10",
    source="Schliserman et al. 2026, Definition 10",
    title="Convex sets are (eps, delta)-regular (is it what the lemmas use?)",
    text=(
        "With Definition 10 as displayed, <u, x - y> <= eps ||u|| ||x - y|| for x, y in C near w and u in N_C^prox(x), "
        "half-planes are (eps, delta)-regular (as Lemma C.10 asserts for the margin sets of linear models)."
    ),
    instances=_half_planes,
    derive=_pairings,
    hypotheses=_HYPOTHESES,
    claims=(Claim("regularity", lambda q, c: q.displayed, "<=", lambda q, c: q.eps * q.size),),
    corners=_CORNERS,
    repair=REPAIR,
    remarks=(
        "The lemmas use <v, y - x>; with it the sets are what Dao and Phan call regular. For sets without interior "
        "(regression) u and -u are both normals, and the two pairings say the same.",
    ),
)  # fmt: skip

STATEMENTS = (STATEMENT,)

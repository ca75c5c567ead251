"""Theorem 5: two one-sample tasks on which Algorithm 2, from 0, never comes near C* and forgets for ever.

(a) holds. (b) holds for the distance; the forgetting bound fails at t = 0, where the forgetting is 1 (over seen tasks
it fails at t = 0 and 1). For all t >= 1 it holds over all tasks, for every ordering, even with 1.98 instead of 1.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy, integers, lists

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.catastrophic import (
    Samples,
    joint_bound2,
    joint_distance,
    margins,
    pair_of_samples,
    trapped_trajectory,
)
from proofs_checks.schliserman2026.escape_steps import joint_bound, stays_in_the_plane
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_POSITIVE, _SMALL = "eps > 0", "eps < 0.01"


def small_eps(dropped: frozenset[str]) -> SearchStrategy[Any]:
    """eps in (0, 1/100), or on the side of it that a dropped hypothesis kept out."""
    if _POSITIVE in dropped:
        return rationals("-1/100", 0, 60)
    return rationals("1/50", "1/9", 40) if _SMALL in dropped else rationals("1/6000", "59/6000", 58)


RANGE = (
    Hypothesis(_POSITIVE, lambda q, c: q.eps, ">", lambda q, c: 0),
    Hypothesis(_SMALL, lambda q, c: 100 * q.eps, "<", lambda q, c: 1),
)


def orders() -> SearchStrategy[Any]:
    """Orderings of 1 to 12 steps, cyclic ones often."""
    return lists(integers(0, 1), min_size=1, max_size=12).map(tuple) | integers(1, 12).map(lambda k: (0, 1) * (k // 2 +
    1))


def _instances(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return instances(eps=small_eps(dropped), order=orders())


def forgetting_quantities(samples: Samples, order: Sequence[int], A: Arithmetic) -> dict[str, Any]:
    """Distances to C*, and forgetting over all and over seen tasks, at t = 0, ..., len(order), from 0."""
    distances, everything, seen = [], [], []
    zero = A.number(0)
    for t, (y, z) in enumerate(trapped_trajectory(samples, order, A)):
        point = (zero, y, zero, z)
        found = [A.maximum([zero, 1 - margin]) for margin in margins(point, samples)]
        distances.append(joint_distance(point, samples, A))
        everything.append(A.maximum(found))
        seen.append(A.maximum([zero, *(found[task] for task in set(order[:t]))]))
    return {"distances": distances, "forgetting": everything, "seen": seen}


def _quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    return {"eps": x.eps, **forgetting_quantities(pair_of_samples(x.eps, A), x.order, A)}


_DISTANCE = Claim("distance", lambda q, c: q.distances, ">=", lambda q, c: c.distance)
_CORNERS = {
    "cyclic": Instance(eps="1/200", order=(0, 1, 0, 1, 0, 1)),
    "task 2 first": Instance(eps="1/200", order=(1, 0, 1, 1)),
    "eps near 0.01": Instance(eps="99/10000", order=(0, 1, 0)),
    "tiny eps": Instance(eps="1/1000000", order=(0, 1, 0)),
    "one step": Instance(eps="1/200", order=(0,)),
}
_CONSTANTS = {
    "distance": Constant(2, "up", "the 2 of d >= 2"),
    "forgetting": Constant("3/2", "up", "the 1.5 of F >= 1.5"),
}
_FATES = {
    "distance doubled": is_false("d(theta_t, C*) is near 3"),
    "forgetting doubled": is_false("the forgetting is near 2"),
    f"without {_POSITIVE}": still_true("eps < 0 exchanges the tasks, eps = 0 changes nothing in the argument"),
    f"without {_SMALL}": still_true("the argument needs 1/9 + eps < 1 - eps and b, c near 1 alone"),
}


def _far() -> steps.Step:
    eps, u2 = z3.Reals("eps u2")
    return steps.implication(
        "d >= 2", "u[1] = 0 at theta_t and u[1]^2 >= 1/(1/9 + eps^2) at every point of C*, so d^2 >= 4",
        [eps > 0, 100 * eps < 1, u2 * (z3.Q(1, 9) + eps * eps) >= 1], u2 >= 4,
    )  # fmt: skip


def _margins() -> steps.Step:
    eps, w = z3.Reals("eps w")
    after_first = z3.Implies((1 - eps) * w >= 1, 1 + (1 + eps) * w >= z3.Q(3, 2))
    after_second = z3.Implies(-(1 + eps) * w >= 1, 1 - (1 - eps) * w >= z3.Q(3, 2))
    return steps.implication(
        "forgetting", "y^2 - z^2 >= 1/b after C_1, so F_2 >= 1 + c/b; z^2 - y^2 >= 1/c after C_2, so F_1 >= 1 + b/c",
        [eps > 0, 100 * eps < 1], z3.And(after_first, after_second),
    )  # fmt: skip


PROOF_FOR_ALL_ORDERINGS = (*stays_in_the_plane(), joint_bound(), _far(), _margins())

REPAIR = Statement(
    id="schliserman2026/theorem-05b/repair",
    source="this project",
    title="Algorithm 2 from 0 stays away and forgets",
    text=(
        "Theorem 5's tasks, Algorithm 2 from 0, any ordering, any choice of minimizers: d(theta_t, C*) >= 2 for all t "
        ">= 0, and max over all tasks of F_m(theta_t) >= 1.5 for all t >= 1."
    ),
    instances=_instances,
    derive=_quantities,
    hypotheses=RANGE,
    claims=(_DISTANCE, Claim("forgetting", lambda q, c: q.forgetting[1:], ">=", lambda q, c: c.forgetting)),
    constants=_CONSTANTS,
    corners=_CORNERS,
    own_proof=PROOF_FOR_ALL_ORDERINGS,
    fates=_FATES,
    cost=4.0,
)  # fmt: skip

STATEMENT_B = Statement(
    id="schliserman2026/theorem-05b",
    source="Schliserman et al. 2026, Theorem 5(b)",
    title="No global convergence",
    text=(
        "Squared linear model, d = 2, eps in (0, 0.01), x_1 = (1/9 + eps, 1 - eps), x_2 = (1/9 - eps, -1 - eps), "
        "labels +1: Algorithm 2 from 0, cyclic or any ordering, satisfies d(theta_t, C*) >= 2 and max_m F_m(theta_t) "
        ">= 1.5 for all t >= 0."
    ),
    instances=_instances,
    derive=_quantities,
    hypotheses=RANGE,
    claims=(_DISTANCE, Claim("forgetting", lambda q, c: q.forgetting, ">=", lambda q, c: c.forgetting)),
    constants=_CONSTANTS,
    corners=_CORNERS,
    reading="all tasks, t >= 0",
    proof=(
        joint_bound(),
        steps.argued("d >= 2", "the iterates have u[1] = 0", "By B.1-B.4 (see proposition-b1 to proposition-b4)."),
        steps.false(
            "the conclusion", "max_m F_m(theta_t) >= 1.5 for t = 0", lambda: max(0, 1 - 0) < 1.5,
            "theta_0 = 0 has f = 0, so both forgettings are 1",
        ),
    ),
    repair=REPAIR,
    cost=4.0,
)  # fmt: skip

_SEEN = replace(
    STATEMENT_B,
    reading="seen tasks, t >= 0",
    claims=(_DISTANCE, Claim("forgetting of seen tasks", lambda q, c: q.seen, ">=", lambda q, c: c.forgetting)),
    repair=None,
)
_DISTANCE_ALONE = replace(
    STATEMENT_B, reading="the distance alone", claims=(_DISTANCE,), repair=None, proof=(), own_proof=REPAIR.own_proof,
    constants={"distance": _CONSTANTS["distance"]},
    fates={name: fate for name, fate in _FATES.items() if not name.startswith("forgetting")},
)  # fmt: skip


def _joint_point(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """u[1]^2 = 1/(1/9 + eps^2), v[2]^2 = eps/(1/9 + eps^2), the others 0."""
    square = c.square * joint_bound2(x.eps, A)
    samples = pair_of_samples(x.eps, A)
    found = tuple(first * square - second * x.eps * square for first, second in samples)
    return {"eps": x.eps, "margins": found, "v2": c.square * x.eps * joint_bound2(x.eps, A)}


STATEMENT_A = Statement(
    id="schliserman2026/theorem-05a",
    source="Schliserman et al. 2026, Theorem 5(a)",
    title="The tasks of Theorem 5 are jointly separable",
    text=(
        "C* is nonempty: it holds the point with u[1]^2 = 1/(1/9 + eps^2), v[2]^2 = eps/(1/9 + eps^2), u[2] = v[1] = "
        "0, whose two margins are 1."
    ),
    instances=lambda dropped: instances(eps=small_eps(dropped)),
    derive=_joint_point,
    hypotheses=RANGE,
    claims=(
        Claim("both margins", lambda q, c: q.margins, ">=", lambda q, c: 1),
        Claim("v[2]^2 is a square", lambda q, c: q.v2, ">=", lambda q, c: 0),
    ),
    constants={"square": Constant(1, "down", "factor of u[1]^2 and v[2]^2")},
    corners={"eps near 0.01": Instance(eps="99/10000"), "tiny eps": Instance(eps="1/1000000")},
    own_proof=(
        steps.identity("the first margin", "a1 X - b eps X = 1", "(1/9 + e - (1 - e)*e)/(1/9 + e**2)", 1),
        steps.identity("the second margin", "a2 X + c eps X = 1", "(1/9 - e + (1 + e)*e)/(1/9 + e**2)", 1),
    ),
    fates={
        "square halved": is_false("both margins are then 1/2"),
        "both margins turned around": is_false("both margins are 1, not below"),
        f"without {_POSITIVE}": is_false("v[2]^2 would be negative"),
        f"without {_SMALL}": still_true("both margins are 1 for every eps"),
    },
)  # fmt: skip

STATEMENT_B = replace(STATEMENT_B, readings=(_SEEN, _DISTANCE_ALONE))
STATEMENTS = (STATEMENT_A, STATEMENT_B)

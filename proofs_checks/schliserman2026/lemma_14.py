"""Lemma 14 / D.1: Theorem 5's tasks as regression tasks. The error bound fails at t = 0 and holds from t = 1 on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.catastrophic import joint_distance, margins, pair_of_samples, trapped_trajectory
from proofs_checks.schliserman2026.escape_steps import joint_bound, stays_in_the_plane
from proofs_checks.schliserman2026.theorem_05 import RANGE, orders, small_eps
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances


def _quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Distances to the C* of classification, of which that of regression is a part, and squared errors."""
    samples = pair_of_samples(x.eps, A)
    zero = A.number(0)
    points = [(zero, y, zero, z) for y, z in trapped_trajectory(samples, x.order, A, "regression")]
    errors = [[(margin - 1) * (margin - 1) for margin in margins(point, samples)] for point in points]
    return {
        "eps": x.eps,
        "distances": [joint_distance(point, samples, A) for point in points],
        "errors": [A.maximum(pair) for pair in errors],
    }


_DISTANCE = Claim("distance", lambda q, c: q.distances, ">=", lambda q, c: c.distance)
_CONSTANTS = {"distance": Constant(2, "up", "the 2 of d >= 2"), "error": Constant(3, "up", "the 3 of F >= 3")}
_CORNERS = {
    "cyclic": Instance(eps="1/200", order=(0, 1, 0, 1, 0, 1)),
    "task 2 first": Instance(eps="1/200", order=(1, 0, 1, 1)),
    "one step": Instance(eps="1/200", order=(0,)),
}


def _errors() -> steps.Step:
    eps, w = z3.Reals("eps w")
    after_first = z3.Implies((1 - eps) * w == 1, (1 + (1 + eps) * w) ** 2 >= 3)
    after_second = z3.Implies(-(1 + eps) * w == 1, (1 - (1 - eps) * w) ** 2 >= 3)
    return steps.implication(
        "errors", "after C_1, F_2 = (1 + c/b)^2 > 4; after C_2, F_1 = (1 + b/c)^2 > 3.9",
        [eps > 0, 100 * eps < 1], z3.And(after_first, after_second),
    )  # fmt: skip


_SAME = steps.argued(
    "the trajectories coincide", "the regression set is the boundary {margin = 1} of the classification set",
    "An iterate of Algorithm 2 from 0 is outside the next classification set, or on its boundary where the same task "
    "comes twice: after C_1, f(x_2; .) <= -c/b < 1, and after C_2, f(x_1; .) <= -b/c < 1; at 0 both are 0. A nearest "
    "point of a closed set to a point outside it lies on the boundary, so it is the nearest point of the boundary as "
    "well.",
)  # fmt: skip

REPAIR = Statement(
    id="schliserman2026/lemma-14/repair",
    source="this project",
    title="The regression tasks of Lemma 14, from t = 1 on",
    text=(
        "Theorem 5's tasks with labels 1 as regression tasks, Algorithm 2 from 0, any ordering: d(theta_t, C*) >= 2 "
        "for all t >= 0 and max over all tasks of F_m(theta_t) >= 3 for all t >= 1."
    ),
    instances=lambda dropped: instances(eps=small_eps(dropped), order=orders()),
    derive=_quantities,
    hypotheses=RANGE,
    claims=(_DISTANCE, Claim("error", lambda q, c: q.errors[1:], ">=", lambda q, c: c.error)),
    constants=_CONSTANTS,
    corners=_CORNERS,
    own_proof=(
        *stays_in_the_plane(),
        _SAME,
        joint_bound(),
        steps.argued("d >= 2", "C* of regression is a subset of C* of classification", "Both margins are 1 there."),
        _errors(),
    ),
    fates={
        "distance doubled": is_false("d(theta_t, C*) is near 3"),
        "error doubled": is_false("the error is near 4"),
        "without eps > 0": still_true("eps < 0 exchanges the tasks"),
        "without eps < 0.01": still_true("(1 + b/c)^2 >= 3.24 up to eps = 1/9"),
    },
    cost=4.0,
)  # fmt: skip

STATEMENT = replace(
    REPAIR,
    id="schliserman2026/lemma-14",
    source="Schliserman et al. 2026, Lemma 14 (D.1)",
    title="No global convergence in regression",
    text=(
        "The tasks of Theorem 5 as regression tasks (y = 1): C* is nonempty, and Algorithm 2 from 0 satisfies "
        "d(theta_t, C*) >= 2 and max_m F_m(theta_t) >= 3 for every t >= 0, F_m = (f - y)^2."
    ),
    claims=(_DISTANCE, Claim("error", lambda q, c: q.errors, ">=", lambda q, c: c.error)),
    proof=(
        _SAME,
        steps.false(
            "the conclusion", "max_m F_m(theta_t) >= 3 for t = 0",
            lambda: (0 - 1) ** 2 < 3, "theta_0 = 0: (0 - 1)^2 = 1",
        ),
    ),
    own_proof=(),
    fates={},
    repair=REPAIR,
    remarks=("C* is nonempty: the point of Theorem 5(a) has both margins equal to 1.",),
)  # fmt: skip

STATEMENT = replace(
    STATEMENT,
    readings=(
        replace(
            STATEMENT, reading="the distance alone", claims=(_DISTANCE,), repair=None, proof=(),
            constants={"distance": _CONSTANTS["distance"]}, own_proof=REPAIR.own_proof,
            fates={name: fate for name, fate in REPAIR.fates.items() if not name.startswith("error")},
        ),
    ),
)  # fmt: skip
STATEMENTS = (STATEMENT,)

"""Theorem 6 for linear models, where it is true for every theta* in C* and from every start, with a proof.

Linear models are all that the global constants of footnotes 3 and 4 admit (`global_constants`). Per cycle, Fejer
monotonicity and kappa-linear regularity with kappa = G ||theta*|| give d^2 a factor 1 - 1/(M kappa^2).
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy, integers

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Inequality
from proofs_checks.constants import Constant, Count
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.linear_tasks import (
    constants,
    forgetting,
    linear_tasks,
    to_joint_set2,
    trajectory,
)
from proofs_checks.statement import is_false, still_true


def cyclic_instances(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two or three tasks, one to three cycles."""
    return linear_tasks(dropped, integers(2, 3), cycles=integers(1, 3))


def cyclic_quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Distances and forgetting before and after the cycles."""
    found = constants(x, A)
    order = list(range(found["M"])) * x.cycles
    last = trajectory(x.start, x.tasks, order, A)[-1]
    error = forgetting(last, x.tasks, A)
    return {
        **found, "k": len(order), "first2": to_joint_set2(x.start, x.tasks, A),
        "last2": to_joint_set2(last, x.tasks, A), "error2": error * error, "exp": A.exp,
    }  # fmt: skip


def random_instances(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Two tasks and one to three steps, or three tasks and one or two."""
    return linear_tasks(dropped, integers(2, 3), k=integers(1, 2))


def random_quantities(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Means over all orderings, and the worst one."""
    found = constants(x, A)
    orders = list(itertools.product(range(found["M"]), repeat=x.k))
    ends = [trajectory(x.start, x.tasks, order, A)[-1] for order in orders]
    distances = [A.sqrt(to_joint_set2(end, x.tasks, A)) for end in ends]
    errors = [forgetting(end, x.tasks, A) for end in ends]
    return {
        **found, "k": x.k, "first": A.sqrt(to_joint_set2(x.start, x.tasks, A)),
        "mean": sum(distances[1:], distances[0]) / len(orders), "worst": A.maximum(distances),
        "error": sum(errors[1:], errors[0]) / len(orders), "G": A.sqrt(found["G2"]), "exp": A.exp,
    }  # fmt: skip


CYCLIC_CLAIMS = (
    Claim(
        "rate", lambda q, c: q.last2, "<=",
        lambda q, c: q.exp(-2 * q.k / (c.M(q.M) ** 2 * c.denominator * q.kappa2)) * q.first2,
    ),
    Claim("error bound", lambda q, c: q.error2, "<=", lambda q, c: c.factor ** 2 * q.G2 * q.last2),
)  # fmt: skip


def _random_rate(q: SimpleNamespace, c: SimpleNamespace) -> Any:
    return q.exp(-q.k / (c.M(q.M) * c.denominator * q.kappa2)) * q.first


RANDOM_CLAIMS = (
    Claim(
        "rate", lambda q, c: q.mean, "<=", _random_rate,
        variants={"expectation removed": Inequality("every path", lambda q, c: q.worst, "<=", _random_rate)},
    ),
    Claim("error bound", lambda q, c: q.error, "<=", lambda q, c: c.factor * q.G * q.mean),
)  # fmt: skip
CONSTANTS: dict[str, Constant | Count] = {
    "denominator": Constant(4, "down", "the 4 of the exponent's denominator"),
    "factor": Constant(1, "down", "factor of G d in the error bound"),
    "M": Count(meaning="number of tasks"),
}


def _corner(tasks: Any, theta: Any, start: Any, **more: int) -> Instance:
    return Instance(theta=theta, tasks=tasks, start=start, **more)


_WEDGE = [[("1", "3")], [("1", "-3")]]  # obtuse normals: kappa = sqrt(10), C* a narrow wedge with apex (1, 0)
CYCLIC_CORNERS = {
    "behind a narrow wedge": _corner(_WEDGE, ("1", "0"), ("0", "0"), cycles=1),
    "three tasks": _corner([*_WEDGE, [("1", "0")]], ("1", "0"), ("-1", "0"), cycles=2),
    "the same task twice": _corner([[("1", "0")], [("1", "0")]], ("1", "0"), ("0", "0"), cycles=1),
    "in C* already": _corner(_WEDGE, ("1", "0"), ("2", "0"), cycles=1),
    "a duplicated sample": _corner([[("1", "1"), ("1", "1")], [("1", "-1")]], ("1", "0"), ("0", "0"), cycles=1),
    "tiny samples": _corner([[("1/1000", "0")], [("1/1000", "1/1000")]], ("1000", "0"), ("0", "0"), cycles=1),
    "along one sample": _corner([[("1", "0")], [("1", "1")]], ("1", "0"), ("0", "1"), cycles=1),
}
RANDOM_CORNERS = {
    "behind a narrow wedge": _corner(_WEDGE, ("1", "0"), ("0", "0"), k=1),
    "the same task twice": _corner([[("1", "0")], [("1", "0")]], ("1", "0"), ("0", "0"), k=1),
    "only one task is violated": _corner([[("1", "0")], [("1", "1")]], ("1", "0"), ("0", "2"), k=1),
    "in C* already": _corner(_WEDGE, ("1", "0"), ("2", "0"), k=2),
}

_SHARED = (
    steps.argued(
        "kappa", "d(x, C*) <= G ||theta*|| max_m d(x, C_m) for all x",
        "Let v be the largest violation at x. x + v theta* is in C*: <x_j, x + v theta*> >= 1 - v + v. So d(x, C*) <= "
        "v ||theta*||, and v <= ||x_j|| d(x, C_m) <= G d(x, C_m) for the sample x_j of task m that is violated most.",
    ),
    steps.argued(
        "one step", "d^2(P_m x, C*) <= d^2(x, C*) - d^2(x, C_m)",
        "C_m is closed and convex and contains C*: ||P x - z||^2 <= ||x - z||^2 - ||x - P x||^2 with z = P_{C*} x.",
    ),
    steps.argued(
        "error bound", "F_m(x) <= G d(x, C*)",
        "With z = P_{C*} x: 1 - <x_j, x> <= <x_j, z - x> <= G ||z - x||; in expectation, too.",
    ),
)  # fmt: skip


def _cycle_steps() -> tuple[steps.Step, ...]:
    s1, s2, s3 = z3.Reals("s1 s2 s3")
    return (
        steps.implication(
            "Cauchy-Schwarz", "(s_1 + s_2 + s_3)^2 <= 3 (s_1^2 + s_2^2 + s_3^2), and so for every M", [],
            (s1 + s2 + s3) ** 2 <= 3 * (s1 * s1 + s2 * s2 + s3 * s3),
        ),
        steps.argued(
            "one cycle", "d^2 shrinks by the factor 1 - 1/(M kappa^2) at least",
            "With steps of lengths s_1, ..., s_M from x: d(x, C_m) <= s_1 + ... + s_m <= sqrt(M) (sum s_i^2)^{1/2}, so "
            "sum s_i^2 >= d^2(x, C*) / (M kappa^2); subtract it from d^2 by 'one step'.",
        ),
    )  # fmt: skip


def _exponent_steps(random: bool) -> tuple[steps.Step, ...]:
    t = z3.Real("t")
    what = "per step, E d <= (E d^2)^{1/2} (Jensen)" if random else "per cycle, k/M cycles"
    return (
        steps.positive_on(
            "1 - t <= e^{-t}", "exp(-t) - (1 - t) >= t^2/2 - t^3/6 > 0, here on [1/1000, 1]",
            lambda x: (-x).exp() - 1 + x, "1/1000", "1",
        ),
        steps.implication("1 - t <= e^{-t}", "t^2/2 - t^3/6 > 0 for 0 < t < 3", [t > 0, t < 3], t * t / 2 > t**3 / 6),
        steps.argued(
            "the exponent", f"(1 - 1/(M kappa^2))^(1/2) <= exp(-1/(2 M kappa^2)) <= exp(-1/(4 M kappa^2)) {what}",
            "1 - t <= exp(-t) with t = 1/(M kappa^2), and the printed exponent is half of what is proved.",
        ),
    )  # fmt: skip


CYCLIC_PROOF = (*_SHARED, *_cycle_steps(), *_exponent_steps(random=False))
RANDOM_PROOF = (
    *_SHARED,
    steps.argued(
        "one random step", "E d^2(P_m x, C*) <= (1 - 1/(M kappa^2)) d^2(x, C*)",
        "The mean over m of d^2(x, C_m) is at least max_m d^2(x, C_m) / M >= d^2(x, C*) / (M kappa^2).",
    ),
    *_exponent_steps(random=True),
)  # fmt: skip
CYCLIC_FATES = {
    "denominator halved": still_true("the proof gives 2 in the place of 4"),
    "factor halved": is_false("F = G d where the nearest point of C* lies along the longest sample"),
    "M squared": still_true("a weaker exponent"),
    "without theta* in C*": is_false("a tenth of theta* makes kappa ten times too small"),
}
RANDOM_FATES = {
    "denominator halved": still_true("the proof gives 2 in the place of 4"),
    "factor halved": is_false("F = G d where the nearest point of C* lies along the longest sample"),
    "M squared": still_true("a weaker exponent"),
    "rate: expectation removed": is_false("a task that is satisfied already does not move the point"),
    "without theta* in C*": is_false("a tenth of theta* makes kappa ten times too small"),
}

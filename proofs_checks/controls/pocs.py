"""Projections onto convex sets: Fejer monotonicity, and the linear rates of polyhedra. Known since the 1960s."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy, integers

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, subtract
from proofs_checks.condition import Claim
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import nearest_point, square_length
from proofs_checks.schliserman2026.linear_tasks import (
    IN_JOINT_SET,
    constants,
    linear_tasks,
    rows,
    to_joint_set2,
    trajectory,
)
from proofs_checks.statement import Statement, is_false


def _one_set(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return linear_tasks(dropped, integers(1, 2))


def _projection(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """One projection onto the first set, seen from theta*, which is in it."""
    after = nearest_point(x.start, rows(x.tasks[0]), A)
    return {
        **constants(x, A), "before2": square_length(subtract(x.start, x.theta)),
        "after2": square_length(subtract(after, x.theta)), "step2": square_length(subtract(after, x.start)),
        "first2": to_joint_set2(x.start, x.tasks, A), "last2": to_joint_set2(after, x.tasks, A),
    }  # fmt: skip


_WEDGE = [[("1", "3")], [("1", "-3")]]
_OUTSIDE = {f"without {IN_JOINT_SET.name}": is_false("a point that is not in the set")}
MONOTONE = Statement(
    id="controls/pocs-monotone",
    source="Bregman 1965; Gubin, Polyak and Raik 1967",
    title="Fejer monotonicity of projections onto convex sets",
    text=(
        "C closed and convex, z in C: ||P x - z||^2 <= ||x - z||^2 - ||x - P x||^2; and d(P x, C*) <= d(x, C*) for "
        "every closed convex subset C* of C. (Instances: polyhedra in the plane.)"
    ),
    instances=_one_set,
    derive=_projection,
    hypotheses=(IN_JOINT_SET,),
    claims=(
        Claim("Fejer", lambda q, c: q.after2 + c.step * q.step2, "<=", lambda q, c: q.before2),
        Claim("monotone", lambda q, c: q.last2, "<=", lambda q, c: c.factor * q.first2),
    ),
    constants={"step": Constant(1, "up", "factor of the squared step"), "factor": Constant(1, "down", "factor of d^2")},
    corners={
        "a half-plane": Instance(theta=("1", "0"), tasks=[[("1", "0")]], start=("0", "0")),
        "a vertex": Instance(theta=("1", "0"), tasks=[[("1", "3"), ("1", "-3")]], start=("-1", "0")),
        "in the set": Instance(theta=("1", "0"), tasks=[[("1", "0")]], start=("2", "1")),
    },
    own_proof=(
        steps.argued(
            "variational inequality", "<x - P x, z - P x> <= 0 for z in C",
            "P x + s (z - P x) is in C for 0 <= s <= 1 and no nearer to x than P x; let s tend to 0.",
        ),
        steps.argued("expansion", "||x - z||^2 = ||x - P x||^2 + ||P x - z||^2 - 2 <x - P x, z - P x>", "Insert P x."),
        steps.argued("C*", "take z = P_{C*} x", "d(P x, C*) <= ||P x - z|| <= ||x - z|| = d(x, C*)."),
    ),
    fates={**_OUTSIDE, "step doubled": is_false("a half-plane, z the projection itself"),
           "factor halved": is_false("a start in another task's way, or steps that hardly move")},
)  # fmt: skip


def _cycles(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return linear_tasks(dropped, integers(2, 3), cycles=integers(1, 2))


def _cyclic(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = constants(x, A)
    order = list(range(found["M"])) * x.cycles
    last = trajectory(x.start, x.tasks, order, A)[-1]
    return {
        **found, "cycles": x.cycles, "first2": to_joint_set2(x.start, x.tasks, A),
        "last2": to_joint_set2(last, x.tasks, A),
    }  # fmt: skip


_KAPPA = steps.argued(
    "kappa", "d(x, C*) <= kappa max_m d(x, C_m), kappa = max ||x_j|| ||theta*||",
    "x + v theta* is in C* for the largest violation v at x, and v <= max ||x_j|| max_m d(x, C_m).",
)  # fmt: skip
CYCLIC = Statement(
    id="controls/linear-rate-cyclic",
    source="Gubin, Polyak and Raik 1967; Evron et al., ICML 2023",
    title="Linear rate of cyclic projections onto polyhedra",
    text=(
        "d^2 shrinks by 1 - 1/(M kappa^2) a cycle, kappa = max ||x_j|| ||theta*||, theta* in C*. (Polyhedra in the "
        "plane.)"
    ),
    instances=_cycles,
    derive=_cyclic,
    hypotheses=(IN_JOINT_SET,),
    claims=(
        Claim(
            "rate", lambda q, c: q.last2, "<=", lambda q, c: (1 - c.gain / (q.M * q.kappa2)) ** q.cycles * q.first2
        ),
    ),
    constants={"gain": Constant(1, "up", "factor of 1/(M kappa^2)")},
    corners={
        "behind a narrow wedge": Instance(theta=("1", "0"), tasks=_WEDGE, start=("0", "0"), cycles=1),
        "the same task twice": Instance(theta=("1", "0"), tasks=[[("1", "0")]] * 2, start=("0", "0"), cycles=1),
    },
    own_proof=(
        _KAPPA,
        steps.argued(
            "one cycle", "sum s_i^2 >= d^2/(M kappa^2), and d^2 falls by it",
            "d(x, C_m) <= s_1 + ... + s_m <= sqrt(M) (sum s_i^2)^{1/2}; Fejer monotonicity (pocs-monotone).",
        ),
    ),
    fates={f"without {IN_JOINT_SET.name}": is_false("a tenth of theta* makes kappa ten times too small")},
    cost=2.0,
)  # fmt: skip


def _orders(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return linear_tasks(dropped, integers(2, 3), k=integers(1, 2))


def _random(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = constants(x, A)
    orders = list(itertools.product(range(found["M"]), repeat=x.k))
    squares = [to_joint_set2(trajectory(x.start, x.tasks, order, A)[-1], x.tasks, A) for order in orders]
    mean = sum(squares[1:], squares[0]) / len(squares)
    return {**found, "k": x.k, "first2": to_joint_set2(x.start, x.tasks, A), "mean2": mean}


RANDOM = replace(
    CYCLIC,
    id="controls/linear-rate-random",
    title="Linear rate of random projections onto polyhedra",
    text=(
        "E d^2 shrinks by 1 - 1/(M kappa^2) a step, kappa = max ||x_j|| ||theta*||, theta* in C*. (Polyhedra in the "
        "plane.)"
    ),
    instances=_orders,
    derive=_random,
    claims=(
        Claim("rate", lambda q, c: q.mean2, "<=", lambda q, c: (1 - c.gain / (q.M * q.kappa2)) ** q.k * q.first2),
    ),
    corners={
        "behind a narrow wedge": Instance(theta=("1", "0"), tasks=_WEDGE, start=("0", "0"), k=1),
        "the same task twice": Instance(theta=("1", "0"), tasks=[[("1", "0")]] * 2, start=("0", "0"), k=1),
        "one of two is "
        "violated": Instance(theta=("1", "0"), tasks=[[("1", "0")], [("1", "1/2")]], start=("0", "4"), k=1),
    },
    own_proof=(
        _KAPPA,
        steps.argued(
            "one step", "E d^2(P_m x, C*) <= d^2 - (1/M) sum_m d^2(x, C_m) <= (1 - 1/(M kappa^2)) d^2",
            "Fejer monotonicity (pocs-monotone), and sum_m d^2(x, C_m) >= max_m d^2(x, C_m) >= d^2/kappa^2.",
        ),
    ),
    fates={**CYCLIC.fates, "gain doubled": is_false("one of two tasks is violated, along its sample, kappa near 1")},
)

STATEMENTS = (MONOTONE, CYCLIC, RANDOM)

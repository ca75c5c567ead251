"""Theorem 5 and Lemma 14: the trajectory from 0, the first projections in closed form, and what is claimed of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

import margin_projection as mp
from margin_projection.verify.exact import ExactStep, exact_step
from margin_projection.verify.findings import Check, Claim, Part, Verdict, at_least

STATEMENTS = {"classification": "Theorem 5", "regression": "Lemma 14"}
CLOSED_FORM = 1e-12
GAP = 1e-9
EPS = 0.005
_BRANCHED = 20  # steps over which every choice among nonunique projections is followed


def theorem_5(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` makes 30 steps instead of 1,000."""
    from figures import theorem_5 as figure

    data = figure.compute(num_steps=30 if quick else 1000, eps=EPS, progress=progress)
    part = Part(f"Theorem 5 and Lemma 14: {data['num_steps']} projections, eps = {EPS}", figure=(figure, data))
    part.results = {"eps": EPS, "num_steps": data["num_steps"]}
    for kind in STATEMENTS:
        run, tasks = data[kind], mp.tasks.catastrophic_pair(EPS, kind)
        part.claims += _claims(kind, run, tasks, figure)
        part.checks += _closed_forms(kind, tasks) + _certificates(kind, run, tasks)
        part.checks += _mirrored(kind, tasks, run["points"])
        part.results[kind] = _results(run)
    part.tables.append(_first_iterates(data))
    return part


def _results(run: dict[str, Any]) -> dict[str, Any]:
    worst, seen = run["forgetting"].max(1), _seen_forgetting(run)
    return {
        "largest_forgetting": {"t = 0": worst[0], "least from t = 1": worst[1:].min(), "most": worst.max()},
        "forgetting_of_tasks_seen": {"t = 1": seen[1], "least from t = 2": seen[2:].min()},
        "distance_to_joint_set": {"least": run["joint_distances"].min(), "most": run["joint_distances"].max()},
        "certified_distance_to_joint_set": {"least": run["joint_lower_bounds"].min()},
        "largest_u1_v1": np.abs(run["points"][:, [0, 2]]).max(),
        "last_point": run["points"][-1],
    }


def _seen_forgetting(run: dict[str, Any]) -> np.ndarray:
    """(K + 1,) the largest forgetting over the tasks met so far; 0 before the first."""
    seen = np.zeros_like(run["forgetting"], dtype=bool)
    for step, task in enumerate(run["indices"], start=1):
        seen[step:, task] = True
    return np.where(seen, run["forgetting"], 0.0).max(1)


def _claims(kind: str, run: dict[str, Any], tasks: list[mp.Task], figure: Any) -> list[Claim]:
    source, claimed = STATEMENTS[kind], figure.CLAIMED_FORGETTING[kind]
    worst, bounds, distances = run["forgetting"].max(1), run["joint_lower_bounds"], run["joint_distances"]
    zeros = np.abs(run["points"][:, [0, 2]]).max(1)
    nonempty, point = joint_point(tasks)
    stays, when = at_least(-zeros, -zeros, 0.0)
    far, when_far = at_least(bounds, distances, figure.CLAIMED_DISTANCE)
    forgets, when_forgets = at_least(worst, worst, claimed)
    return [
        Claim(source, "C* is nonempty", Verdict.HOLDS if nonempty else Verdict.UNDECIDED, point),
        Claim(f"{source}, proof", "u[1] = v[1] = 0", stays, f"{when}; largest {zeros.max():.1e}"),
        Claim(
            source, f"d(theta_t, C*) >= {figure.CLAIMED_DISTANCE:g} for all t >= 0", far,
            f"{when_far}; least {distances.min():.4f} (certified {bounds.min():.4f})",
        ),
        Claim(
            source, f"max_m F_m(theta_t) >= {claimed:g} for all t >= 0", forgets,
            f"{when_forgets}; {worst[0]:g} at t = 0, from t = 1 on between {worst[1:].min():.4f} and {worst.max():.4f}",
        ),
    ]  # fmt: skip


def joint_point(tasks: list[mp.Task]) -> tuple[bool, str]:
    """Whether C* has a point with u[2] = v[1] = 0 and both margins 1, by exact arithmetic, and which.

    The squares of u[1] and v[2] then solve a linear system; where they are nonnegative, that point is in C*.
    """
    (a1, b), (a2, d) = ([Fraction(float(x)) for x in task.X[0]] for task in tasks)
    determinant = b * a2 - a1 * d  # of [[a1, -b], [a2, -d]] (u[1]^2, v[2]^2) = (1, 1)
    if determinant == 0:
        return False, "no point with both margins 1"
    u, v = (b - d) / determinant, (a1 - a2) / determinant
    if u < 0 or v < 0:
        return False, "no point with u[2] = v[1] = 0 and both margins 1"
    return True, f"u[1] = {math.sqrt(u):.4f}, v[2] = {math.sqrt(v):.4f}, the others 0: in C*, by exact arithmetic"


def _mirrored(kind: str, tasks: list[mp.Task], points: np.ndarray) -> list[Check]:
    """Whichever minimizer is taken where there are several: the first steps are the same up to signs."""
    steps = min(_BRANCHED, len(points) - 1)
    tree = mp.sequential_projections(mp.networks.SquaredLinear(2), tasks, num_steps=steps, choice="all", measure="none")
    deviation = float(np.abs(np.abs(tree.points) - np.abs(points[: steps + 1])).max())
    name = f"all {tree.num_runs} choices of minimizers, {steps} steps, {kind}: equal up to signs"
    return [Check.at_most(name, deviation if tree.complete else math.inf, CLOSED_FORM)]


def _closed_forms(kind: str, tasks: list[mp.Task]) -> list[Check]:
    """B.1 from 0 onto C_1, and B.2 from both its minimizers onto C_2."""
    b, c = float(tasks[0].X[0, 1]), -float(tasks[1].X[0, 1])
    model = mp.networks.SquaredLinear(2)
    first, second = (mp.MarginSet(model, task) for task in tasks)
    height, depth = b**-0.5, math.sqrt(0.25 / b + 1.0 / c)
    expected = np.array([[0.0, height, 0.0, 0.0], [0.0, -height, 0.0, 0.0]])
    checks = _compare(f"B.1, {kind}: (0, +-b^(-1/2)) from 0", np.zeros(4), first, expected)
    for sign, start in zip("+-", expected, strict=True):
        points = np.array([[0.0, 0.5 * start[1], 0.0, side * depth] for side in (1.0, -1.0)])
        checks += _compare(f"B.2, {kind}: both signs of v[2], from u[2] = {sign}b^(-1/2)", start, second, points)
    return checks


def _compare(name: str, start: np.ndarray, margin_set: mp.MarginSet, expected: np.ndarray) -> list[Check]:
    """Every expected minimizer is found, nothing else is, and they are certified complete."""
    found = mp.project(start, margin_set, all_minimizers=True)
    distances = np.abs(np.array(found.minimizers)[:, None] - expected[None]).max(-1)
    deviation = max(distances.min(1).max(), distances.min(0).max())
    certified = found.status is mp.Status.GLOBAL and found.complete and found.certificate.verified
    if not certified or len(found.minimizers) != len(expected):
        deviation = math.inf
    return [Check.at_most(name, float(deviation), CLOSED_FORM)]


def _certificates(kind: str, run: dict[str, Any], tasks: list[mp.Task]) -> list[Check]:
    steps = exact_steps(run, tasks)
    joint = run["joint_distances"] - run["joint_lower_bounds"]
    certified = run["statuses"].count(mp.Status.GLOBAL.name)
    worst_joint = float((joint / run["joint_distances"]).max()) if (joint >= -GAP).all() else math.inf
    return [
        Check.all_of(f"projections certified global, {kind}", certified, len(steps)),
        Check.at_most(
            f"exact gap between step and lower bound, {kind} (relative)", max(abs(s.relative_gap) for s in steps), GAP
        ),
        Check.at_most(f"exact violation after a step, {kind}", max(float(s.violation) for s in steps), GAP),
        Check.at_most(f"certified gap of the distance to C*, {kind} (relative)", worst_joint, 1e-7),
    ]


def exact_steps(run: dict[str, Any], tasks: list[mp.Task]) -> list[ExactStep]:
    """Every step of a trajectory from its raw numbers."""
    steps = []
    for start, point, task, multiplier in zip(
        run["points"][:-1], run["points"][1:], run["indices"], run["multipliers"], strict=True
    ):
        sample, label = tasks[task].X[0], float(tasks[task].y[0])
        form = np.concatenate([sample, -sample])
        steps.append(exact_step(start, point, form, label, tasks[task].kind == "regression", multiplier))
    return steps


def _first_iterates(data: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    run, rows = data["classification"], []
    for t in sorted({0, 1, 2, 3, 4, 10, 100, data["num_steps"]} & set(range(data["num_steps"] + 1))):
        point = [f"{value:.6f}" for value in run["points"][t]]
        forgetting = [f"{data[kind]['forgetting'][t].max():.4f}" for kind in STATEMENTS]
        rows.append([str(t), *point, *forgetting, f"{run['joint_distances'][t]:.4f}"])
    columns = ["t", "u[1]", "u[2]", "v[1]", "v[2]", "max F, classification", "max F, regression", "d(., C*)"]
    return "Iterates", columns, rows

"""Linear regression with two one-sample tasks in the plane: C_1 and C_2 are lines, C* is the point where they meet.

Everything that Theorem 15 speaks of is rational here, up to exponentials: f(x; theta) = <x, theta>, r = 1, labels
y_m = <x_m, theta*>, G = max ||x_m||, and f is beta-smooth for every beta >= 0 (it is linear); beta = 1 is taken, so
that the ball B_delta(theta*) is a small one. C* = {theta*}, so "there is Theta* in C*" leaves no choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy, integers

import margin_projection as mp
from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale, subtract
from proofs_checks.condition import Hypothesis, Predicate
from proofs_checks.instance import Instance
from proofs_checks.proof import Step
from proofs_checks.statement import Statement
from proofs_checks.strategies import instances, nonzero_vectors, rationals

INDEPENDENT, NONZERO, INSIDE = "C* is one point", "y_min > 0", "start in the ball"


def two_lines(dropped: frozenset[str], **more: SearchStrategy[Any]) -> SearchStrategy[Instance]:
    """x_1, x_2, theta*, and a start in the direction ``offset``, at most at the share ``inside`` of delta."""
    shares = rationals(3, 9) if INSIDE in dropped else rationals("1/60", 1)
    vectors = {name: nonzero_vectors(2) for name in ("x1", "x2", "theta", "offset")}
    found = instances(inside=shares, **vectors, **more)
    if INDEPENDENT in dropped:
        found = found.map(lambda each: each.with_values(x2=scale(Fraction(-3, 2), each.x1)))
    if NONZERO in dropped:
        return found.map(lambda each: each.with_values(theta=(-each.x1[1], each.x1[0])))
    return found.map(_independent if INDEPENDENT not in dropped else _with_labels)


def cycles() -> SearchStrategy[int]:
    """How many cycles, 1 to 4."""
    return integers(1, 4)


def _independent(instance: Instance) -> Instance:
    """x_2 is turned where it depends on x_1."""
    x1, x2 = instance.x1, instance.x2
    if x1[0] * x2[1] == x1[1] * x2[0]:
        x2 = (x2[0] - x1[1], x2[1] + x1[0])
        x2 = x2 if x1[0] * x2[1] != x1[1] * x2[0] else (-x1[1], x1[0])
    return _with_labels(instance.with_values(x2=x2))


def _with_labels(instance: Instance) -> Instance:
    """theta* is moved where a label vanishes."""
    x1, x2, theta = instance.x1, instance.x2, instance.theta
    moves = ((0, 0), x1, x2, add(x1, x2), subtract(x1, x2), (x1[0] + 2 * x2[0], x1[1] + 2 * x2[1]))
    candidates = [(theta[0] + move[0], theta[1] + move[1]) for move in moves]
    return instance.with_values(theta=next(each for each in candidates if dot(x1, each) != 0 and dot(x2, each) != 0))


def geometry(x: SimpleNamespace, A: Arithmetic) -> dict[str, Any]:
    """Labels, G^2, y_min^2, ||theta*||^2, delta^2 for M = 2 and beta = 1, and the start."""
    labels = tuple(dot(sample, x.theta) for sample in (x.x1, x.x2))
    lipschitz2 = A.maximum([dot(x.x1, x.x1), dot(x.x2, x.x2)])
    smallest2 = A.minimum([y * y for y in labels])
    norm2 = dot(x.theta, x.theta)
    gain = 1 / (2 * lipschitz2 * norm2)
    eps = gain / (1 + gain)
    delta2 = smallest2 * eps * eps / norm2
    sizes = [abs(x.theta[0]) + abs(x.theta[1]), abs(x.offset[0]) + abs(x.offset[1])]  # at least the norms, and rational
    length = x.inside * A.minimum([abs(y) for y in labels]) * eps / (sizes[0] * sizes[1])
    return {
        "labels": labels, "G2": lipschitz2, "ymin2": smallest2, "norm2": norm2, "delta2": delta2,
        "start": add(x.theta, scale(length, x.offset)), "length2": length * length * dot(x.offset, x.offset),
        "determinant": x.x1[0] * x.x2[1] - x.x1[1] * x.x2[0],
    }  # fmt: skip


def trajectory(
    start: Vector, samples: Sequence[Vector], labels: Vector, order: Sequence[int], A: Arithmetic
) -> list[tuple[Any, ...]]:
    """The iterates of Algorithm 2, the start first: exact, or by the library's certified projections."""
    if not A.exact:
        pairs = zip(samples, labels, strict=True)
        tasks = [mp.Task(np.array([sample]), np.array([label]), kind="regression") for sample, label in pairs]
        model = mp.networks.Linear(len(start))
        run = mp.sequential_projections(
            model, tasks, np.array(order), np.array(start), num_steps=len(order), measure="none"
        )
        return [tuple(map(float, point)) for point in run.points[0]]
    points = [tuple(start)]
    for index in order:
        missing = labels[index] - dot(samples[index], points[-1])
        points.append(add(points[-1], scale(missing / dot(samples[index], samples[index]), samples[index])))
    return points


def square_distance(point: Vector, x: SimpleNamespace) -> Any:
    """d^2(point, C*): to theta*, or to the one line where the samples depend on one another."""
    difference = subtract(point, x.theta)
    if x.x1[0] * x.x2[1] != x.x1[1] * x.x2[0]:
        return dot(difference, difference)
    error = dot(x.x1, difference)
    return error * error / dot(x.x1, x.x1)


def largest_error(point: Vector, samples: tuple[Vector, ...], labels: Vector, A: Arithmetic) -> Any:
    """max_m F_m(point), F_m = (f(x_m; .) - y_m)^2."""
    errors = [dot(sample, point) - label for sample, label in zip(samples, labels, strict=True)]
    return A.maximum([error * error for error in errors])


HYPOTHESES: tuple[Hypothesis | Predicate, ...] = (
    Predicate(INDEPENDENT, lambda q, c: q.determinant != 0),
    Hypothesis(NONZERO, lambda q, c: q.ymin2, ">", lambda q, c: 0),
    Hypothesis(INSIDE, lambda q, c: q.length2, "<=", lambda q, c: q.delta2),
)


def each_claim_alone(statement: Statement, proofs: Mapping[str, tuple[Step, ...]]) -> tuple[Statement, ...]:
    """Readings with one claim each: reading -> the part of the printed proof that is about it; in the claims' order."""
    pairs = zip(proofs.items(), statement.claims, strict=True)
    return tuple(
        replace(statement, reading=reading, claims=(claim,), proof=proof, repair=None) for (reading, proof), claim in
        pairs
    )

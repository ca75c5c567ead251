"""Linear classification in the plane: tasks are polyhedra, theta* a point of C*, everything rational.

Labels are taken into the samples (y x instead of x). f(x; theta) = <x, theta> has r = 1 and G = max ||x||, and it is
beta-smooth for every beta >= 0, so that the radius delta = eps r / (beta ||theta*||) is as large as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import margin_projection as mp
from proofs_checks import planar
from proofs_checks.arithmetic import Arithmetic, Vector, dot, scale
from proofs_checks.condition import Hypothesis
from proofs_checks.instance import Instance
from proofs_checks.strategies import instances, nonzero_vectors, rationals, vectors

Tasks = Sequence[Sequence[Vector]]


IN_JOINT_SET = Hypothesis("theta* in C*", lambda q, c: q.margin, ">=", lambda q, c: 1)


def linear_tasks(
    dropped: frozenset[str], num_tasks: SearchStrategy[int], **more: SearchStrategy[Any]
) -> SearchStrategy[Instance]:
    """Tasks of one or two samples that theta* separates with margins 1 to 3, and a start; or a narrow wedge."""
    samples = st.tuples(nonzero_vectors(2), st.one_of(st.just(Fraction(1)), rationals(1, 3, 8)))
    task = st.one_of(st.tuples(samples), st.tuples(samples, samples))
    tasks = num_tasks.flatmap(lambda count: st.tuples(*[task] * count))
    found = instances(theta=nonzero_vectors(2), tasks=tasks, start=vectors(2), **more).map(_separated)
    found = st.one_of(found, st.builds(_wedge, st.integers(1, 12), found))
    if IN_JOINT_SET.name in dropped:
        return found.map(lambda each: each.with_values(theta=scale(Fraction(1, 10), each.theta)))
    return found


def _wedge(slope: int, instance: Instance) -> Instance:
    """The first two tasks made a narrow wedge with its apex at theta* = (1, 0), and the start behind it."""
    narrow = (((Fraction(1), Fraction(slope)),), ((Fraction(1), Fraction(-slope)),))
    others = [[(Fraction(1), Fraction(0))] for _ in instance.tasks[2:]]
    return instance.with_values(theta=("1", "0"), tasks=[*narrow, *others], start=(-abs(instance.start[0]), "0"))


def _separated(instance: Instance) -> Instance:
    """Samples are scaled to their margins at theta*; those that theta* cannot tell from 0 are moved first."""
    theta = instance.theta

    def placed(sample: Vector, margin: Fraction) -> Vector:
        value = dot(sample, theta)
        if value == 0:
            sample = (sample[0] + theta[0], sample[1] + theta[1])
            value = dot(sample, theta)
        return scale(margin / value, sample)

    return instance.with_values(tasks=[[placed(*each) for each in task] for task in instance.tasks])


def rows(task: Sequence[Vector]) -> list[tuple[Vector, int]]:
    """The half-planes of a task."""
    return [(sample, 1) for sample in task]


def trajectory(start: Vector, tasks: Tasks, order: Sequence[int], A: Arithmetic) -> list[Vector]:
    """The iterates of Algorithm 2, the start first: exact, or by the library's certified projections."""
    if A.exact:
        points: list[Vector] = [tuple(start)]
        for index in order:
            points.append(tuple(planar.nearest_point(points[-1], rows(tasks[index]), A)))
        return points
    found = [mp.Task(np.array(task), np.ones(len(task))) for task in tasks]
    run = mp.sequential_projections(
        mp.networks.Linear(len(start)), found, np.array(order), np.array(start), num_steps=len(order), measure="none"
    )
    return [tuple(map(float, point)) for point in run.points[0]]


def to_joint_set2(point: Vector, tasks: Tasks, A: Arithmetic) -> Any:
    """d^2(point, C*)."""
    return planar.square_distance(point, [row for task in tasks for row in rows(task)], A)


def forgetting(point: Vector, tasks: Tasks, A: Arithmetic) -> Any:
    """max_m F_m(point)."""
    return A.maximum([A.number(0), *(1 - dot(sample, point) for task in tasks for sample in task)])


def constants(x: SimpleNamespace, A: Arithmetic) -> dict[str, Any]:
    """M, G^2 and kappa^2 = G^2 ||theta*||^2 (r = 1)."""
    lipschitz2 = A.maximum([planar.square_length(sample) for task in x.tasks for sample in task])
    margins = [dot(sample, x.theta) for task in x.tasks for sample in task]
    return {
        "M": len(x.tasks), "G2": lipschitz2, "kappa2": lipschitz2 * planar.square_length(x.theta),
        "margin": A.minimum(margins),
    }  # fmt: skip


def largest_distance2(point: Vector, tasks: Tasks, A: Arithmetic) -> Any:
    """max_m d^2(point, C_m)."""
    return A.maximum([planar.square_distance(point, rows(task), A) for task in tasks])

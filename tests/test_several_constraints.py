"""Distances of a batch to several diagonal quadratic constraints: `project` and exact inequalities as peers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import margin_projection as mp
from margin_projection.networks import Linear, SquaredLinear
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.tasks import catastrophic_pair, teacher_tasks
from margin_projection.trajectories.batch_bounds import several_lower_bounds
from margin_projection.trajectories.several_constraints import SeveralConstraints

PEER = 1e-9
CPU = torch.device("cpu")


def joint(model, tasks):
    return mp.intersection([mp.MarginSet(model, task) for task in tasks])


def distances(system, points):
    several = SeveralConstraints.of(system, CPU)
    assert several is not None
    return several.distances(torch.as_tensor(points), 1e-10)


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(("dimension", "count"), [(2, 2), (3, 3), (8, 5)])
def test_distances_are_those_of_project(kind, dimension, count):
    model = SquaredLinear(dimension)
    tasks, _ = teacher_tasks(model, num_tasks=count, samples=1, seed=dimension, kind=kind)
    system = joint(model, tasks)
    points = np.random.default_rng(0).standard_normal((6, 2 * dimension)) * [[1e-2], [0.1], [1], [1], [3], [100]]
    found, bounds, accepted = distances(system, points)
    assert accepted.all() and (bounds <= found * (1 + 1e-12)).all()
    for point, distance in zip(points, found, strict=True):
        assert mp.project(point, system).distance == pytest.approx(distance, rel=PEER, abs=PEER)


def test_points_within_close_to_and_far_from_the_joint_set_of_theorem_5():
    system = joint(SquaredLinear(2), catastrophic_pair(0.005))
    point = np.array([0.3, -0.2, 0.4, 0.1])
    nearest = mp.project(point, system).point
    away = nearest - point
    shares = np.array([0.0, 0.5, 1 - 1e-3, 1 - 1e-6, 1 - 1e-9])
    points = np.vstack([point + shares[:, None] * away, 1.01 * nearest])
    found, bounds, accepted = distances(system, points)
    assert accepted.all() and found[-1] == bounds[-1] == 0.0
    expected = (1 - shares) * np.linalg.norm(away)  # the segment to a nearest point has it as nearest point throughout
    assert np.abs(found[:-1] - expected).max() < PEER
    assert np.abs(found[:-1] - bounds[:-1]).max() < PEER


def test_a_batch_measures_what_single_runs_measure():
    start = np.random.default_rng(1).standard_normal((4, 4))
    start[3] = 0.0  # every minimizer comes in signs: left to `project`
    model, pair = SquaredLinear(2), catastrophic_pair(0.005)
    run = mp.sequential_projections(model, pair, start=start, num_steps=3)
    for row, depth in np.ndindex(4, 4):
        exact = mp.project(run.points[row, depth], joint(model, pair))
        assert run.joint_distances[row, depth] == pytest.approx(exact.distance, abs=PEER)
        assert run.joint_lower_bounds[row, depth] == pytest.approx(exact.distance, abs=PEER)
    assert (run.joint_lower_bounds <= run.joint_distances * (1 + 1e-12)).all()


def test_rows_of_an_empty_set_are_not_accepted():
    tasks = [mp.Task([[1.0, 1.0]], [1]), mp.Task([[-1.0, -1.0]], [1])]
    points = np.random.default_rng(2).standard_normal((5, 4))
    assert not distances(joint(SquaredLinear(2), tasks), points)[2].any()
    run = mp.sequential_projections(SquaredLinear(2), tasks, start=points[:1], num_steps=1)
    assert (run.joint_distances == np.inf).all()


def test_other_systems_are_left_alone():
    assert SeveralConstraints.of(joint(Linear(2), catastrophic_pair(0.005)), CPU) is None
    assert SeveralConstraints.of(joint(SquaredLinear(2), catastrophic_pair(0.005)[:1]), CPU) is None
    tasks = [mp.Task([[0.0, 0.0]], [1]), *catastrophic_pair(0.005)]
    assert SeveralConstraints.of(joint(SquaredLinear(2), tasks), CPU) is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 6.0]), st.booleans())
def test_bounds_hold_for_any_multipliers(seed, spread, near):
    """Never above the distance to a point of the set, and as good as the row-by-row verifier."""
    generator = np.random.default_rng(seed)
    rows, count, size = 3, int(generator.integers(2, 5)), int(generator.integers(1, 6))
    forms = generator.standard_normal((count, size)) * 10.0 ** generator.uniform(-spread, spread, (count, size))
    member = generator.standard_normal(size)
    starts = member + (1e-6 if near else 1.0) * generator.standard_normal((rows, size))
    is_equality = generator.random(count) < 0.5
    offsets = forms @ member**2 - np.where(is_equality, 0.0, generator.random(count))
    multipliers = generator.standard_normal((rows, count)) * 10.0 ** generator.uniform(-spread - 8, 2, (rows, 1))
    found = several_lower_bounds(starts, forms, offsets, is_equality, multipliers)
    # ``member`` solves the rounded equalities only up to rounding, which moves the set by about as much.
    sizes = np.abs(forms) @ member**2
    slack = 1e-14 * (sizes / np.abs(forms).max(1)).max() + 1e-14
    if not is_equality.any():
        assert (found <= np.linalg.norm(member - starts, axis=1) * (1 + 1e-12) + slack).all()
    data = (forms, np.ones(count), offsets, is_equality)
    peers = [quadratic_lower_bound(point, *data, each) for point, each in zip(starts, multipliers, strict=True)]
    assert found == pytest.approx(np.array(peers), rel=1e-9, abs=1e-9)

"""Bounds from multipliers against exact rational arithmetic, and projections from far away."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import margin_projection as mp
from margin_projection._validation import InputError
from margin_projection.networks import FullyConnected, Linear, SquaredLinear
from margin_projection.projections.linear_bound import linear_lower_bound
from margin_projection.projections.result import Status
from margin_projection.projections.rounding import feasibility_tolerances
from margin_projection.sets.rows import row_norms
from margin_projection.tasks import Task

LOOSENESS = 1e-13  # relative to the distance to the halfspace, where its data are of one size


def exact_squared_bound(start, rows, offsets, multipliers):
    """((l^T b - g^T start)^2 / ||g||^2, whether the numerator is positive), exactly."""
    weights = [Fraction(float(each)) for each in multipliers]
    columns = [[Fraction(float(each)) for each in column] for column in rows.T]
    normal = [sum(w * a for w, a in zip(weights, column, strict=True)) for column in columns]
    value = sum(w * Fraction(float(b)) for w, b in zip(weights, offsets, strict=True))
    value -= sum(g * Fraction(float(s)) for g, s in zip(normal, start, strict=True))
    length = sum(g * g for g in normal)
    return (value * value / length if length else Fraction(0)), value > 0


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.sampled_from([1.0, 1e6, 1e12]))
def test_the_bound_is_below_the_exact_one(seed, count, dimension, far):
    random = np.random.default_rng(seed)
    rows, offsets = random.standard_normal((count, dimension)), random.standard_normal(count)
    rows[-1] = -rows[0] * (1.0 + 1e-9 * random.random())
    is_equality = random.random(count) < 0.3
    start, multipliers = far * random.standard_normal(dimension), random.standard_normal(count)
    bound = linear_lower_bound(start, rows, offsets, is_equality, multipliers)
    clipped = np.where(is_equality, multipliers, np.maximum(multipliers, 0.0))
    squared, positive = exact_squared_bound(start, rows, offsets, clipped)
    assert bound >= 0.0
    assert Fraction(bound) ** 2 <= squared if positive else bound == 0.0
    if positive and far == 1.0 and np.linalg.norm(clipped @ rows) > 0.1 and squared > 0.01:
        assert bound >= float(squared) ** 0.5 * (1.0 - LOOSENESS * 1e3)


def test_the_bound_of_nothing_is_zero():
    rows, offsets, inequality = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones(2), np.zeros(2, bool)
    for multipliers in ([0.0, 0.0], [-1.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]):
        assert linear_lower_bound(np.zeros(2), rows, offsets, inequality, np.array(multipliers)) == 0.0


def test_the_bound_has_the_distance_of_a_projection():
    random = np.random.default_rng(0)
    X = random.standard_normal((50, 12))
    y = np.sign(X @ random.standard_normal(12))
    result = mp.project(random.standard_normal(12), mp.MarginSet(Linear(12), Task(X, y)))
    assert 0.0 <= result.certificate.gap <= LOOSENESS * result.distance


@pytest.mark.parametrize("scale", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("model", [Linear(6), SquaredLinear(6)], ids=repr)
def test_starts_far_away_are_projected_to_rounding(model, scale):
    random = np.random.default_rng(1)
    X = random.standard_normal((4, 6))
    y = np.sign(model(model.initialize(0), X))
    system = mp.MarginSet(model, Task(X, y))
    start = scale * model.initialize(3, "normal")
    result = mp.project(start, system, throw=False)
    size = (1.0 + np.linalg.norm(result.point) ** model.degree) * np.abs(X).sum(1).max()
    assert result.residuals.feasibility == pytest.approx(system.violation(result.point), abs=1e-14 * size)
    assert result.residuals.feasibility <= 1e-14 * size
    assert result.status.is_success == (result.residuals.feasibility <= 1e-6)
    assert result.certificate.gap <= 1e-12 * (1.0 + result.distance)


def test_a_violation_far_from_zero_is_never_explained_away():
    result = mp.project([-1e12, 3e11], mp.MarginSet(Linear(2), Task([[0.3, 0.7], [0.1, 0.9]], [1, 1])), throw=False)
    assert (result.status is Status.GLOBAL) == (result.residuals.feasibility <= 1e-6)
    assert result.status in (Status.GLOBAL, Status.STALLED)


@pytest.mark.parametrize("scale", [1e160, 1e300])
@pytest.mark.parametrize("model", [Linear(3), SquaredLinear(3), FullyConnected((3, 2, 1), "relu")], ids=repr)
def test_starts_that_overflow_are_refused(model, scale):
    system = mp.MarginSet(model, Task(np.eye(3), [1, -1, 1]))
    with pytest.raises(InputError, match="theta must be so small"):
        mp.project(scale * np.ones(model.num_parameters), system)


def test_tolerances_grow_with_rounding_alone():
    offsets, norms = np.array([1.0, 100.0, 0.0]), np.array([1.0, 1.0, 0.0])
    assert np.array_equal(feasibility_tolerances(1e-10, offsets, norms, 1.0), np.full(3, 1e-10))
    far = feasibility_tolerances(1e-10, offsets, norms, 1e7)
    assert far[0] == pytest.approx(8 * 2.0**-52 * 1e7, rel=1e-6) and far[2] == 1e-10
    assert np.allclose(feasibility_tolerances(1e-10, offsets, norms, 1e30), [1e-6, 1e-4, 1e-10])
    assert np.array_equal(feasibility_tolerances(1e-2, offsets, norms, 1e30), np.full(3, 1e-2))


def test_norms_neither_overflow_nor_underflow():
    rows = np.array([[3.0, 4.0], [3e-200, 4e-200], [3e250, 4e250], [0.0, 0.0]])
    assert np.allclose(row_norms(rows), [5.0, 5e-200, 5e250, 0.0], rtol=1e-15, atol=0.0)
    assert row_norms(np.zeros((0, 3))).shape == (0,)

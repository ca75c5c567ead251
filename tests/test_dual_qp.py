"""The least-distance program against nonnegative least squares, a peer solver and its KKT conditions."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from margin_projection.projections.dual_qp import DualQPStatus, least_distance

KKT_TOLERANCE = 1e-9
PEER_TOLERANCE = 1e-6


def feasible_problem(seed: int, count: int, dimension: int, equalities: float, scale: float = 2.0):
    """Rows of many sizes and a right-hand side that a known vector satisfies; some rows repeated, reversed or zero."""
    random = np.random.default_rng(seed)
    A = random.standard_normal((count, dimension)) * 10.0 ** random.uniform(-scale, scale, (count, 1))
    for _ in range(count // 4):
        A[random.integers(count)] = A[random.integers(count)] * random.choice([1.0, 2.0, -1.0, 0.0])
    is_equality = random.random(count) < equalities
    room = random.exponential(size=count) * (random.random(count) < 0.6)
    slack = np.where(is_equality, 0.0, room) * np.linalg.norm(A, axis=1)
    return A, A @ random.standard_normal(dimension) - slack, is_equality


def check_optimal(A, rhs, is_equality, solution):
    norms = np.linalg.norm(A, axis=1)
    kept = norms > 0
    scaled = solution.slack[kept] / norms[kept]
    size = 1.0 + np.abs(solution.multipliers * norms).sum()
    assert solution.status is DualQPStatus.OPTIMAL
    assert (solution.multipliers[~is_equality] >= 0.0).all()
    assert scaled.min(initial=0.0) >= -KKT_TOLERANCE * size
    assert np.abs(scaled[solution.active[kept]]).max(initial=0.0) <= KKT_TOLERANCE * size
    assert np.allclose(solution.slack, A @ (solution.multipliers @ A) - rhs, atol=1e-9 * size * max(1.0, norms.max()))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 15), st.sampled_from([0.0, 0.3, 1.0]))
def test_feasible_programs_meet_the_kkt_conditions(seed, count, dimension, equalities):
    A, rhs, is_equality = feasible_problem(seed, count, dimension, equalities)
    check_optimal(A, rhs, is_equality, least_distance(A @ A.T, rhs, is_equality))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 8))
def test_agrees_with_nonnegative_least_squares_on_feasibility_and_distance(seed, count, dimension):
    random = np.random.default_rng(seed)
    A, rhs = random.standard_normal((count, dimension)), random.standard_normal(count)
    solution = least_distance(A @ A.T, rhs, np.zeros(count, bool))
    columns = np.vstack([A.T, rhs])
    weights, residual = nnls(columns, np.append(np.zeros(dimension), 1.0))
    if residual < 1e-7:
        assert solution.status is DualQPStatus.INFEASIBLE
        ray = solution.ray
        assert (ray >= 0).all() and rhs @ ray > 0 and np.linalg.norm(ray @ A) <= 1e-6 * rhs @ ray
    else:
        step = columns @ weights - np.append(np.zeros(dimension), 1.0)
        check_optimal(A, rhs, np.zeros(count, bool), solution)
        expected = -step[:-1] / step[-1]
        assert np.allclose(solution.multipliers @ A, expected, atol=1e-7 * (1 + np.linalg.norm(expected)))


@pytest.mark.parametrize(("count", "dimension"), [(30, 10), (30, 60), (60, 30)])
def test_agrees_with_clarabel(count, dimension):
    A, rhs, is_equality = feasible_problem(count, count, dimension, 0.1, scale=0.3)
    step = cvxpy.Variable(dimension)
    program = cvxpy.Problem(
        cvxpy.Minimize(0.5 * cvxpy.sum_squares(step)),
        [A[~is_equality] @ step >= rhs[~is_equality], A[is_equality] @ step == rhs[is_equality]],
    )
    program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    solution = least_distance(A @ A.T, rhs, is_equality)
    assert np.abs(solution.multipliers @ A - step.value).max() < PEER_TOLERANCE


@pytest.mark.parametrize(("count", "dimension"), [(200, 64), (200, 400), (600, 40)])
def test_large_programs_reach_float64_precision_and_warm_starts_change_nothing(count, dimension):
    random = np.random.default_rng(count + dimension)
    A = random.standard_normal((count, dimension))
    A *= np.sign(A @ random.standard_normal(dimension))[:, None]
    gram, rhs, is_equality = A @ A.T, np.ones(count), np.zeros(count, bool)
    solution = least_distance(gram, rhs, is_equality)
    size = 1.0 + np.abs(gram).max() * np.abs(solution.multipliers).sum()
    assert solution.status is DualQPStatus.OPTIMAL
    assert np.abs(solution.slack[solution.active]).max() <= 1e-13 * size
    assert solution.slack.min() >= -1e-13 * size
    warm = least_distance(gram, rhs, is_equality, random.permutation(solution.active))
    assert np.allclose(warm.multipliers, solution.multipliers, rtol=1e-8, atol=1e-12)


def test_special_cases():
    nothing = least_distance(np.zeros((0, 0)), np.zeros(0), np.zeros(0, bool))
    assert nothing.status is DualQPStatus.OPTIMAL and nothing.multipliers.shape == (0,)
    inside = least_distance(np.eye(2), np.array([-1.0, 0.0]), np.zeros(2, bool))
    assert (inside.multipliers == 0).all() and inside.status is DualQPStatus.OPTIMAL
    redundant = least_distance(np.diag([0.0, 4.0]), np.array([-1.0, 2.0]), np.zeros(2, bool))
    assert np.allclose(redundant.multipliers, [0.0, 0.5])
    impossible = least_distance(np.diag([0.0, 4.0]), np.array([1.0, 2.0]), np.zeros(2, bool))
    assert impossible.status is DualQPStatus.INFEASIBLE and np.array_equal(impossible.ray, [1.0, 0.0])
    negative = least_distance(np.diag([0.0, 4.0]), np.array([-1.0, 2.0]), np.array([True, False]))
    assert negative.status is DualQPStatus.INFEASIBLE and negative.ray[0] < 0
    signed = least_distance(np.array([[4.0]]), np.array([-2.0]), np.array([True]))
    assert np.allclose(signed.multipliers, -0.5)


def test_repeated_equalities_that_agree_only_to_rounding_are_consistent():
    random = np.random.default_rng(3)
    rows = random.standard_normal((4, 6))
    A = np.vstack([rows, rows])
    rhs = np.concatenate([np.ones(4), np.ones(4) + 1e-15])
    solution = least_distance(A @ A.T, rhs, np.ones(8, bool))
    assert solution.status is DualQPStatus.OPTIMAL
    assert np.abs(A @ (solution.multipliers @ A) - rhs).max() < 1e-13


@pytest.mark.parametrize("separation", [1e-3, 1e-5, 1e-10, 0.0])
def test_nearly_dependent_rows(separation):
    random = np.random.default_rng(0)
    A = random.standard_normal((12, 30))
    A[6:] = A[:6] + separation * random.standard_normal((6, 30))
    rhs = A @ random.standard_normal(30)
    inequalities = least_distance(A @ A.T, rhs, np.zeros(12, bool))
    check_optimal(A, rhs, np.zeros(12, bool), inequalities)

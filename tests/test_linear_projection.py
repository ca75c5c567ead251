"""Projections onto polyhedra against closed forms, a peer solver, and properties of projections."""

from dataclasses import replace

import cvxpy
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margin_projection._validation import InputError
from margin_projection.networks.linear import Linear
from margin_projection.projections.infeasibility import verify_farkas
from margin_projection.projections.linear import project_linear
from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.result import CertificateKind, Status
from margin_projection.projections.verification import verified_lower_bound
from margin_projection.sets.margin_set import MarginSet, intersection
from margin_projection.tasks.task import Task

PEER_TOLERANCE = 1e-9
KKT_TOLERANCE = 1e-12


def project(start, *tasks):
    model = Linear(len(start))
    system = intersection([MarginSet(model, task) for task in tasks])
    problem = ProjectionProblem(torch.as_tensor(np.asarray(start, dtype=float)), system)
    solution = project_linear(problem)
    if solution.status is Status.INFEASIBLE:
        return solution, system
    return replace(solution, lower_bound=verified_lower_bound(problem, solution)), system


def separable(random, count, dimension):
    X = random.standard_normal((count, dimension))
    return Task(X, np.where(X @ random.standard_normal(dimension) >= 0, 1.0, -1.0))


def check_global(solution, system, start):
    point, multipliers = solution.points[0].numpy(), solution.multipliers.numpy()
    rows = system.signs[:, None] * system.X
    size = 1.0 + np.abs(multipliers) @ np.linalg.norm(rows, axis=1)
    distance = np.linalg.norm(point - start)
    assert solution.status is Status.GLOBAL and solution.kind is CertificateKind.GLOBAL and solution.complete
    assert system.violation(point) <= KKT_TOLERANCE * size
    assert np.linalg.norm(point - start - multipliers @ rows) <= KKT_TOLERANCE * size
    assert (multipliers[~system.is_equality] >= 0).all()
    assert np.abs(multipliers * system.constraints(point)).max() <= KKT_TOLERANCE * size**2
    assert -1e-12 * (1 + distance) <= distance - solution.lower_bound <= 1e-6 * (1 + distance)


def test_one_constraint_has_the_closed_form():
    start, x = np.array([0.5, -1.0, 2.0]), np.array([3.0, 1.0, -2.0])
    solution, _ = project(start, Task(x[None], [1.0]))
    multiplier = (1.0 - x @ start) / (x @ x)
    assert np.allclose(solution.points[0], start + multiplier * x, atol=1e-15)
    assert solution.multipliers[0].item() == pytest.approx(multiplier, rel=1e-14)
    assert solution.lower_bound == pytest.approx(multiplier * np.linalg.norm(x), rel=1e-14)


def test_figure_1a_from_the_origin():
    solution, system = project([0.0, 0.0], Task([[5.0, -1.0], [2.0, 2.0]], [1, 1]))
    assert np.allclose(solution.points[0], [0.25, 0.25], atol=1e-15)
    check_global(solution, system, np.zeros(2))


def test_regression_is_the_least_norm_interpolation():
    random = np.random.default_rng(0)
    X, y, start = random.standard_normal((5, 12)), random.standard_normal(5), random.standard_normal(12)
    solution, system = project(start, Task(X, y, "regression"))
    assert np.allclose(solution.points[0], start + np.linalg.pinv(X) @ (y - X @ start), atol=1e-13)
    check_global(solution, system, start)


def test_a_start_inside_stays():
    solution, _ = project([2.0, 0.0], Task([[1.0, 0.0]], [1]))
    assert np.array_equal(solution.points[0], [2.0, 0.0])
    assert solution.lower_bound == 0.0 and solution.status is Status.GLOBAL


@pytest.mark.parametrize(("count", "dimension"), [(20, 8), (40, 40), (15, 100), (200, 64)])
def test_agrees_with_clarabel(count, dimension):
    random = np.random.default_rng(count)
    task, start = separable(random, count, dimension), random.standard_normal(dimension)
    solution, system = project(start, task)
    check_global(solution, system, start)
    theta = cvxpy.Variable(dimension)
    objective = cvxpy.Minimize(cvxpy.sum_squares(theta - start))
    program = cvxpy.Problem(objective, [cvxpy.multiply(task.y, task.X @ theta) >= 1])
    program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert np.abs(theta.value - solution.points[0].numpy()).max() < PEER_TOLERANCE * (1 + np.linalg.norm(theta.value))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 4), st.integers(2, 14))
def test_mixed_tasks_are_projected_exactly(seed, inequalities, equalities, dimension):
    random = np.random.default_rng(seed)
    truth = random.standard_normal(dimension)
    X = random.standard_normal((inequalities, dimension))
    X /= np.abs(X @ truth)[:, None] * random.uniform(0.2, 1.0, (inequalities, 1))
    X[random.integers(inequalities)] = X[0]
    tasks = [Task(X, np.sign(X @ truth))]
    if equalities:
        Z = random.standard_normal((equalities, dimension))
        Z[-1] = Z[0]
        tasks.append(Task(Z, Z @ truth, "regression"))
    start = 3.0 * random.standard_normal(dimension)
    solution, system = project(start, *tasks)
    check_global(solution, system, start)
    assert solution.lower_bound <= np.linalg.norm(truth - start) * (1 + 1e-12)
    again, _ = project(solution.points[0].numpy(), *tasks)
    assert np.linalg.norm(again.points[0] - solution.points[0]) <= 1e-12 * (1 + np.linalg.norm(truth))


def test_labels_of_a_teacher_are_consistent_although_rounding_makes_them_overdetermined():
    random = np.random.default_rng(1)
    X = random.standard_normal((50, 8))
    solution, system = project(np.zeros(8), Task(X, X @ random.standard_normal(8), "regression"))
    check_global(solution, system, np.zeros(8))


@pytest.mark.parametrize("margin", [1e-3, 1e-6, 1e-9, 1e-12])
def test_narrow_margins_are_feasible(margin):
    solution, system = project([0.0, 0.0], Task([[1.0, margin], [-1.0, margin]], [1, 1]))
    assert solution.status is Status.GLOBAL
    assert np.allclose(solution.points[0], [0.0, 1.0 / margin], rtol=1e-12, atol=1e-12)
    assert system.violation(solution.points[0].numpy()) <= 1e-12
    assert 0.99 / margin <= solution.lower_bound <= 1.0 / margin


@pytest.mark.parametrize("margin", [1e-6, 1e-9, 1e-11])
def test_narrow_margins_in_general_position_are_never_called_infeasible(margin):
    random = np.random.default_rng(2)
    normal = random.standard_normal(10)
    normal /= np.linalg.norm(normal)
    X = random.standard_normal((30, 10))
    y = np.where(X @ normal >= 0, 1.0, -1.0)
    X += np.outer(y * margin - X @ normal, normal)
    solution, _ = project(np.zeros(10), Task(X, y))
    assert solution.status in (Status.GLOBAL, Status.STALLED, Status.NOT_FOUND)
    assert solution.lower_bound <= 1.01 / margin


@pytest.mark.parametrize(("count", "dimension"), [(2, 3), (40, 6), (200, 64)])
def test_inseparable_labels_are_proved_so(count, dimension):
    random = np.random.default_rng(count)
    X, y = random.standard_normal((count, dimension)), random.choice([-1.0, 1.0], count)
    X[1], y[1] = X[0], -y[0]
    solution, system = project(np.zeros(dimension), Task(X, y))
    assert solution.status is Status.INFEASIBLE and solution.kind is CertificateKind.INFEASIBLE
    assert solution.lower_bound == np.inf and not solution.complete
    assert verify_farkas(y[:, None] * X, np.ones(count), system.is_equality, solution.evidence["farkas"])
    assert system.violation(solution.points[0].numpy()) <= 1.0 + 1e-9


def test_a_zero_sample_cannot_have_a_margin():
    solution, _ = project([1.0, 1.0], Task([[0.0, 0.0], [1.0, 0.0]], [1, 1]))
    assert solution.status is Status.INFEASIBLE and list(solution.evidence["support"]) == [0]


def test_the_linear_model_and_its_module_agree():
    model = Linear(3)
    theta, X = model.initialize(0), np.random.default_rng(0).standard_normal((5, 3))
    module = model.to_module(theta)
    assert np.allclose(module(torch.as_tensor(X)).detach(), model(theta, X), atol=1e-15)
    assert np.array_equal(model.from_state(module.state_dict()), theta)
    assert np.allclose(model(2.0 * theta, X), 2.0 * model(theta, X))
    assert np.array_equal(model.linearize(torch.as_tensor(theta), torch.as_tensor(X)).jacobian(), X)
    with pytest.raises(InputError, match="dimension"):
        Linear(0)
    with pytest.raises(InputError, match="state"):
        model.from_state({"bias": torch.zeros(1)})
    with pytest.raises(InputError, match="shape"):
        model.from_state({"0.weight": torch.zeros(1, 2)})

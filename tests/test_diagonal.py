"""Several diagonal quadratic constraints: the joint set of Theorem 5, exact proofs, sign flips, peer solvers."""

from fractions import Fraction

import cvxpy
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from margin_projection.networks.squared_linear import SquaredLinear
from margin_projection.projections.diagonal import project_diagonal
from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.result import CertificateKind, Status
from margin_projection.projections.secular import project_secular
from margin_projection.sets import ConstraintSystem, MarginSet
from margin_projection.tasks.task import Task

FEASIBLE, GAP, CLOSED_FORM, PEER = 1e-12, 1e-12, 1e-12, 1e-6


def problem(tasks, start):
    system = ConstraintSystem(SquaredLinear(tasks[0].X.shape[1]), tasks)
    return ProjectionProblem(torch.as_tensor(np.asarray(start, dtype=float)), system)


def random_tasks(generator, d, n, kinds=("classification",)):
    teacher = generator.standard_normal(d)
    tasks = []
    for kind in kinds:
        X = generator.standard_normal((n, d))
        if kind == "classification":
            teacher /= min(1.0, 0.9 * np.abs(X @ teacher).min())  # margins above 1, so that later tasks may fix it
        y = X @ teacher
        tasks.append(Task(X, np.sign(y) if kind == "classification" else y, kind))
    return tasks


def check(question, solution):
    """Feasible, stationary, certified; returns the distance."""
    start = question.start
    assert solution.status is Status.GLOBAL and solution.kind is CertificateKind.GLOBAL
    lengths = [float(torch.linalg.vector_norm(point - start)) for point in solution.points]
    for point, length in zip(solution.points, lengths, strict=True):
        assert question.system.violation(point) <= FEASIBLE * (1 + float(point.square().sum()) * 10)
        assert abs(length - lengths[0]) <= 1e-9 * (1 + length)
    assert -1e-13 <= lengths[0] - solution.lower_bound <= GAP * (1 + lengths[0])
    X, signs, _, is_equality = question.system.tensors(start.device)
    Q = signs[:, None] * question.system.model.coefficients(X)
    residual = solution.points[0] - start - 2 * (solution.multipliers @ Q) * solution.points[0]
    assert float(residual.abs().max()) <= 1e-11
    assert bool((solution.multipliers[~is_equality] >= -1e-14).all())
    return lengths[0]


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_joint_set_of_theorem_5_from_the_origin(kind):
    eps = 0.005
    tasks = [Task([[1 / 9 + eps, 1 - eps]], [1], kind), Task([[1 / 9 - eps, -1 - eps]], [1], kind)]
    question = problem(tasks, np.zeros(4))
    solution = project_diagonal(question)
    # s = u^2 - v^2 of least 1-norm: solve the 2 x 2 system, or move along the constraints where that is shorter
    Q = np.array([tasks[0].X[0], tasks[1].X[0]])
    rows = np.hstack([Q, -Q])
    options = {"A_eq": rows, "b_eq": np.ones(2)} if kind == "regression" else {"A_ub": -rows, "b_ub": -np.ones(2)}
    value = linprog(np.ones(4), bounds=(0, None), **options).fun
    distance = check(question, solution)
    assert abs(distance**2 - value) <= 1e-9 and distance >= 2
    assert solution.complete and len(solution.points) == 2 ** int((solution.points[0] != 0).sum())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 8), st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_random_mixtures_are_certified(seed, d, n, zeros, mixed):
    generator = np.random.default_rng(seed)
    tasks = random_tasks(generator, d, n, ("classification", "regression") if mixed else ("classification",))
    start = generator.standard_normal(2 * d) * (generator.random(2 * d) >= zeros)
    question = problem(tasks, start)
    check(question, project_diagonal(question))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from(["classification", "regression"]),
)
def test_one_constraint_agrees_with_the_secular_equation(seed, d, zeros, kind):
    generator = np.random.default_rng(seed)
    start = generator.standard_normal(2 * d) * (generator.random(2 * d) >= zeros)
    question = problem(random_tasks(generator, d, 1, (kind,)), start)
    convex, secular = project_diagonal(question), project_secular(question)
    distance = check(question, convex)
    assert abs(distance - float(torch.linalg.vector_norm(secular.points[0] - question.start))) <= CLOSED_FORM
    assert len(convex.points) == len(secular.points)


def test_peers_agree():
    generator = np.random.default_rng(5)
    tasks = random_tasks(generator, 3, 5)
    question = problem(tasks, start := 0.7 * generator.standard_normal(6))
    distance = check(question, project_diagonal(question))
    Q = tasks[0].y[:, None] * np.hstack([tasks[0].X, -tasks[0].X])
    s = cvxpy.Variable(6, nonneg=True)
    objective = cvxpy.sum(s) - 2 * np.abs(start) @ cvxpy.sqrt(s) + start @ start
    peer = cvxpy.Problem(cvxpy.Minimize(objective), [Q @ s >= 1]).solve(solver=cvxpy.CLARABEL)
    assert abs(peer - distance**2) <= PEER
    constraint = {"type": "ineq", "fun": lambda t: Q @ t**2 - 1, "jac": lambda t: 2 * Q * t}
    runs = [
        minimize(lambda t: np.sum((t - start) ** 2), guess, constraints=constraint, method="SLSQP")
        for guess in generator.standard_normal((15, 6))
    ]
    assert min(np.sqrt(run.fun) for run in runs if run.success) >= distance - PEER


def test_tiny_start_components_break_the_tie():
    tasks = [Task([[2.0, 1.0], [1.0, 0.5]], [1, 1])]
    for small in (1e-3, 1e-8, 1e-14, -1e-17, 1e-100):
        question = problem(tasks, [small, 0.0, 0.3, 0.2])
        solution = project_diagonal(question)
        check(question, solution)
        assert len(solution.points) == 1 and np.sign(solution.points[0][0].item()) == np.sign(small)


def test_degenerate_face_is_reported_as_a_continuum():
    question = problem([Task([[1.0, 1.0], [2.0, 2.0]], [1, 1])], np.zeros(4))
    solution = project_diagonal(question)
    assert abs(check(question, solution) - 1.0) <= CLOSED_FORM and not solution.complete
    squares = {tuple(np.round(point.numpy() ** 2, 9)) for point in solution.points}
    assert squares == {(1, 0, 0, 0), (0, 1, 0, 0)} and "continuum" in solution.evidence


def test_many_sign_flips_are_bounded():
    question = problem([Task(np.eye(9), np.ones(9))], np.zeros(18))
    solution = project_diagonal(question)
    assert len(solution.points) == 256 and not solution.complete and abs(check(question, solution) - 3) <= CLOSED_FORM
    small = project_diagonal(problem([Task(np.eye(3), np.ones(3))], np.zeros(6)))
    assert len(small.points) == 8 and small.complete


def test_a_start_inside_stays():
    question = problem([Task(np.eye(2), np.ones(2))], [1.0, -2.0, 0.0, 0.5])
    solution = project_diagonal(question)
    assert torch.equal(solution.points[0], question.start) and solution.complete and solution.lower_bound == 0


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_emptiness_has_an_exact_proof(kind):
    generator = np.random.default_rng(2)
    X = generator.standard_normal((12, 3))
    tasks = [Task(X, generator.choice([-1.0, 1.0], 12), kind)]
    question = problem(tasks, generator.standard_normal(6))
    solution = project_diagonal(question)
    assert solution.status is Status.INFEASIBLE and solution.lower_bound == np.inf
    system = question.system
    Q = system.signs[:, None] * np.hstack([X, -X])
    u = [Fraction(text) for text in solution.evidence["farkas"]][:12]
    assert kind == "regression" or all(value >= 0 for value in u)
    assert sum(value * Fraction(b) for value, b in zip(u, system.offsets, strict=True)) > 0
    assert all(sum(v * Fraction(q) for v, q in zip(u, column, strict=True)) <= 0 for column in Q.T)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scaled_data_stay_certified(scale):
    generator = np.random.default_rng(7)
    task = random_tasks(generator, 4, 6)[0]
    start = generator.standard_normal(8) / np.sqrt(scale)
    question = ProjectionProblem(torch.as_tensor(start), MarginSet(SquaredLinear(4), Task(scale * task.X, task.y)))
    solution = project_diagonal(question)
    distance = float(torch.linalg.vector_norm(solution.points[0] - question.start))
    assert solution.status is Status.GLOBAL and distance - solution.lower_bound <= 1e-12 * distance

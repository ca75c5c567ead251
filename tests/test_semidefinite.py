"""Dense quadratic constraints: two-layer linear networks, generic forms, exact emptiness, an instance with a gap."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from margin_projection.networks.base import Structure
from margin_projection.networks.squared_linear import SquaredLinear
from margin_projection.projections.diagonal import project_diagonal
from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.result import Status
from margin_projection.projections.secular import project_secular
from margin_projection.projections.semidefinite import fits, project_semidefinite
from margin_projection.sets import MarginSet
from margin_projection.tasks.task import Task

FEASIBLE, GAP, AGREE, PEER = 1e-10, 1e-7, 1e-8, 1e-6


class Rotated(SquaredLinear):
    """<q(x), (R theta)^2> with an orthogonal R: dense forms whose projections are known from the diagonal ones."""

    structure = Structure.QUADRATIC

    def __init__(self, dimension, rotation):
        super().__init__(dimension)
        self.rotation = torch.as_tensor(rotation)

    def forward(self, theta, X):
        return super().forward(theta @ self.rotation.T, X)

    def coefficients(self, X):
        return torch.einsum("jp,nj,jq->npq", self.rotation, super().coefficients(X), self.rotation)


def instance(seed, d, n, kind="classification", scale=1.0):
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((n, d))
    y = X @ generator.standard_normal(d)
    rotation = np.linalg.qr(generator.standard_normal((2 * d, 2 * d)))[0]
    task = Task(X, np.sign(y) if kind == "classification" else y, kind)
    start = scale * generator.standard_normal(2 * d)
    dense = ProjectionProblem(torch.as_tensor(start), MarginSet(Rotated(d, rotation), task))
    plain = ProjectionProblem(torch.as_tensor(rotation @ start), MarginSet(SquaredLinear(d), task))
    return dense, plain


def length(question, solution):
    return float(torch.linalg.vector_norm(solution.points[0] - question.start))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 4), st.sampled_from(["classification", "regression"]))
def test_rotated_diagonal_problems_are_solved_globally(seed, d, n, kind):
    dense, plain = instance(seed, d, n, kind)
    solution, expected = project_semidefinite(dense), project_diagonal(plain)
    assert solution.status is Status.GLOBAL
    assert abs(length(dense, solution) - length(plain, expected)) <= AGREE
    assert dense.system.violation(solution.points[0]) <= FEASIBLE
    assert -1e-12 <= length(dense, solution) - solution.lower_bound <= GAP * (1 + length(dense, solution))


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_one_dense_constraint_agrees_with_the_secular_equation(kind):
    dense, plain = instance(3, 3, 1, kind)
    relaxed, dense_secular, plain_secular = project_semidefinite(dense), project_secular(dense), project_secular(plain)
    assert abs(length(dense, relaxed) - length(plain, plain_secular)) <= AGREE
    assert abs(length(dense, dense_secular) - length(plain, plain_secular)) <= 1e-12
    assert dense_secular.status is Status.GLOBAL and dense_secular.complete


def test_both_minimizers_from_a_symmetric_start():
    dense, plain = instance(4, 1, 2, scale=0.0)
    solution, expected = project_semidefinite(dense), project_diagonal(plain)
    assert solution.complete and len(solution.points) == len(expected.points) == 2
    rotated = [dense.system.model.rotation @ point for point in solution.points]
    for point in expected.points:
        assert min(float((point - other).abs().max()) for other in rotated) <= AGREE


class Forms(SquaredLinear):
    """theta^T A_i theta with the i-th form for the i-th unit sample: any instance of quadratic constraints."""

    structure = Structure.QUADRATIC

    def __init__(self, forms):
        super().__init__(forms.shape[0])
        self.forms, self.num_parameters = torch.as_tensor(forms), forms.shape[1]

    def forward(self, theta, X):
        return torch.einsum("...p,npq,...q->...n", theta, self.coefficients(X), theta)

    def coefficients(self, X):
        return torch.einsum("nk,kpq->npq", X, self.forms)


def forms_problem(forms, offsets, start):
    task = Task(np.eye(len(forms)), offsets, "regression")
    return ProjectionProblem(torch.as_tensor(start), MarginSet(Forms(forms), task))


@pytest.mark.parametrize("seed", range(4))
def test_generic_forms_never_claim_more_than_brute_force_finds(seed):
    generator = np.random.default_rng(seed)
    forms = generator.standard_normal((3, 4, 4))
    forms = forms + forms.transpose(0, 2, 1)
    truth, start = generator.standard_normal(4), generator.standard_normal(4)
    offsets = np.einsum("p,npq,q->n", truth, forms, truth)
    question = forms_problem(forms, offsets, start)
    solution = project_semidefinite(question)
    constraint = {
        "type": "eq",
        "fun": lambda t: np.einsum("p,npq,q->n", t, forms, t) - offsets,
        "jac": lambda t: 2 * forms @ t,
    }
    runs = [
        minimize(lambda t: np.sum((t - start) ** 2), guess, constraints=constraint, method="SLSQP")
        for guess in 2 * generator.standard_normal((40, 4))
    ]
    best = min(np.sqrt(run.fun) for run in runs if run.success and np.abs(constraint["fun"](run.x)).max() < 1e-6)
    assert solution.status.is_success and question.system.violation(solution.points[0]) <= FEASIBLE
    assert solution.lower_bound <= best + PEER
    assert solution.status is not Status.GLOBAL or length(question, solution) <= best + PEER


def test_a_relaxation_gap_is_reported_as_local():
    """x_i^2 = 1 and (x_1 + x_2 + x_3)^2 = 1: the distance is known by enumeration of signs."""
    forms = np.stack([np.diag(row) for row in np.eye(3)] + [np.ones((3, 3))])
    question = forms_problem(forms, np.array([1.0, 1.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.1]))
    solution = project_semidefinite(question)
    expected = np.sqrt(0.9**2 * 2 + 1.1**2)
    assert abs(length(question, solution) - expected) <= AGREE and solution.lower_bound <= expected
    gap = expected - solution.lower_bound
    assert (solution.status is Status.GLOBAL) == (gap <= GAP * expected)


def test_emptiness_is_proved_only_exactly():
    forms = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [2.0, 0.0]]])
    contradiction = project_semidefinite(forms_problem(forms, np.array([1.0, 1.0]), np.array([0.3, 0.4])))
    assert contradiction.status is Status.INFEASIBLE and contradiction.lower_bound == np.inf
    unproved = forms_problem(np.stack([np.eye(2), np.diag([1.0, 2.0])]), np.array([-1.0, 3.0]), np.array([0.3, 0.4]))
    assert project_semidefinite(unproved).status is Status.NOT_FOUND


def test_only_small_quadratic_models_fit():
    dense, plain = instance(0, 2, 2)
    assert fits(dense) and not fits(plain)
    with pytest.raises(ValueError, match="semidefinite relaxation needs"):
        project_semidefinite(plain)

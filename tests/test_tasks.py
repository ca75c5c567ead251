"""The tasks that come with the project: the paper's, the digits, and those a teacher labels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor

from margin_projection import tasks
from margin_projection._validation import InputError
from margin_projection.networks import FullyConnected, Linear, SimplifiedReLU, SquaredLinear

MARGIN_SLACK = 2e-9  # relative: the teacher's documented excess over the margin is 1e-9


def test_the_facade_gives_functions_not_modules():
    import margin_projection.tasks._digits
    import margin_projection.tasks.files  # importing the modules later leaves the names as they are

    assert callable(tasks.digits) and margin_projection.tasks.digits is tasks.digits
    for name in tasks.__all__:
        assert hasattr(tasks, name)
    assert tasks.orderings.cyclic() == tasks.as_ordering("cyclic")


@given(st.floats(0, 0.01, exclude_min=True, exclude_max=True), st.sampled_from(["classification", "regression"]))
def test_catastrophic_pair_is_theorem_5s(eps, kind):
    first, second = tasks.catastrophic_pair(eps, kind)
    assert first.kind == second.kind == kind and first.y.tolist() == second.y.tolist() == [1.0]
    assert first.X.tolist() == [[1 / 9 + eps, 1 - eps]] and second.X.tolist() == [[1 / 9 - eps, -1 - eps]]


@pytest.mark.parametrize("eps", [1e-6, 0.005, 0.0099])
def test_catastrophic_pair_has_the_joint_point_of_appendix_b(eps):
    # With p = u[1]^2 and q = u[2]^2 - v[2]^2 both constraints are tight at p = (b + c) / (a1 c + a2 b); in exact
    # arithmetic on the very floats of the task, and it is the bound 1 / (1/9 + eps^2) of the paper up to rounding.
    (a1, b), (a2, minus_c) = (map(Fraction, task.X[0].tolist()) for task in tasks.catastrophic_pair(eps))
    p = (b - minus_c) / (a2 * b - a1 * minus_c)
    q = (1 - a1 * p) / b
    assert a1 * p + b * q == 1 and a2 * p + minus_c * q == 1
    assert float(p) == pytest.approx(1 / (1 / 9 + eps**2), rel=1e-12) and p > 4
    point = [np.sqrt(float(p)), np.sqrt(max(float(q), 0)), 0.0, np.sqrt(max(-float(q), 0))]
    outputs = [SquaredLinear(2)(np.array(point), task.X).item() for task in tasks.catastrophic_pair(eps)]
    assert outputs == pytest.approx([1.0, 1.0], rel=1e-12)


@pytest.mark.parametrize(
    ("panel", "model", "boundary", "outside"),
    [
        ("a", Linear(2), (0.25, 0.25), (0.25, 0.24)),  # tight at (5, -1) and (2, 2)
        ("b", SimplifiedReLU(2), (0.5, -1.0), (0.49, -1.0)),
        ("c", SquaredLinear(1), (0.75**0.5, 0.5), (0.86, 0.5)),
    ],
)
def test_figure_1(panel, model, boundary, outside):
    task = tasks.figure1(panel)
    assert task.kind == "classification" and (task.y == 1).all()
    assert np.min(task.y * model(np.array(boundary), task.X)) == pytest.approx(1.0, abs=1e-12)
    assert np.min(task.y * model(np.array(outside), task.X)) < 1


def test_digits_are_real_balanced_and_distinct():
    images, target = load_digits(return_X_y=True)
    digit_of = {row.tobytes(): digit for row, digit in zip(images / 16, target, strict=True)}
    for samples in (2, 3, 100, 354):
        (task,) = tasks.digits(pairs=[(7, 2)], samples=samples)
        assert task.X.shape == (samples, 64) and len({row.tobytes() for row in task.X}) == samples
        assert task.y.sum() == samples % 2
        assert [digit_of[row.tobytes()] for row in task.X] == [7 if label > 0 else 2 for label in task.y]


def test_digits_depend_on_the_seed_and_the_pair_alone():
    both = tasks.digits(pairs=[(0, 1), (2, 3)], samples=20, seed=4)
    assert both[1:] == tasks.digits(pairs=[(2, 3)], samples=20, seed=4)
    assert both[0] != tasks.digits(samples=20, seed=5)[0]
    shuffled = {tuple(tasks.digits(samples=20, seed=seed)[0].y) for seed in range(10)}
    assert len(shuffled) == 10


def test_digits_for_regression_and_centered():
    plain, targets, centered = (
        tasks.digits(samples=30, **options)[0] for options in ({}, {"kind": "regression"}, {"center": True})
    )
    assert targets.kind == "regression" and np.array_equal(targets.y, plain.y)
    assert np.array_equal(targets.X, plain.X) and plain.X.min() == 0 and plain.X.max() <= 1
    assert np.allclose(plain.X - centered.X, load_digits().data.mean(axis=0) / 16, rtol=0, atol=1e-15)


class SmallCubicNetwork(SquaredLinear):
    """Squared linear, to the power 3/2 with its sign: degree 3, neither smooth nor a known structure."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.degree = 3.0

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        outputs = super().forward(theta, X)
        return outputs.sign() * outputs.abs() ** 1.5


MODELS = [
    Linear(5),
    SquaredLinear(4),
    SimplifiedReLU(1),
    SimplifiedReLU(6),
    SmallCubicNetwork(3),
    FullyConnected((4, 8, 1), "relu"),
    FullyConnected((3, 6, 5, 1), "squared_relu"),
    FullyConnected((3, 2, 1), "relu"),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [1.0, 1e-3, 40.0])
def test_the_teacher_separates_its_tasks(model, seed, margin):
    made, teacher = tasks.teacher_tasks(model, num_tasks=3, samples=7, seed=seed, margin=margin)
    assert teacher.shape == (model.num_parameters,) and len(made) == 3
    margins = np.concatenate([task.y * model(teacher, task.X) for task in made])
    assert margin <= margins.min() <= margin * (1 + MARGIN_SLACK)
    assert all(task.X.shape == (7, *model.input_shape) for task in made)
    assert len({row.tobytes() for task in made for row in task.X}) == 21


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_teacher_interpolates_regression_tasks(model):
    made, teacher = tasks.teacher_tasks(model, num_tasks=2, samples=6, seed=3, kind="regression", margin=0.5)
    for task in made:
        assert task.kind == "regression" and np.array_equal(model(teacher, task.X), task.y)
        assert np.abs(task.y).min() >= 0.5


def test_teacher_labels_are_balanced_where_the_model_has_two_signs():
    made, _ = tasks.teacher_tasks(Linear(5), num_tasks=4, samples=10, seed=0)
    assert [task.y.sum() for task in made] == [0.0] * 4
    made, _ = tasks.teacher_tasks(SimplifiedReLU(3), num_tasks=2, samples=10, seed=0)
    assert all((task.y == 1).all() for task in made)


def test_teacher_seeds():
    one, teacher = tasks.teacher_tasks(Linear(3), seed=1)
    again, same = tasks.teacher_tasks(Linear(3), seed=1)
    other, _ = tasks.teacher_tasks(Linear(3), seed=2)
    assert one == again and np.array_equal(teacher, same) and one != other
    student = Linear(3).initialize(1)
    cosine = student @ teacher / np.linalg.norm(student) / np.linalg.norm(teacher)
    assert abs(cosine) < 0.999  # the student of the same seed does not start at a multiple of the teacher


class Zero(SquaredLinear):
    """f = 0."""

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        return 0 * super().forward(theta, X)


class NotFinite(SquaredLinear):
    """f = NaN."""

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        return torch.nan * super().forward(theta, X)


class WrongDegree(SquaredLinear):
    """f of degree 2 that says 4: scaling by it does not reach the margin."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.degree = 4.0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: tasks.catastrophic_pair(0), "eps"),
        (lambda: tasks.catastrophic_pair(0.01), "eps"),
        (lambda: tasks.catastrophic_pair(-0.005), "eps"),
        (lambda: tasks.catastrophic_pair(float("nan")), "eps"),
        (lambda: tasks.catastrophic_pair("0.005"), "eps"),
        (lambda: tasks.catastrophic_pair(kind="ranking"), "kind"),
        (lambda: tasks.figure1("d"), "panel"),
        (lambda: tasks.figure1(None), "panel"),
        (lambda: tasks.digits(pairs=[]), "pairs"),
        (lambda: tasks.digits(pairs=(0, 1)), "pairs"),
        (lambda: tasks.digits(pairs=3), "pairs"),
        (lambda: tasks.digits(pairs=[(0, 1), (0, 1, 2)]), r"pairs\[1\]"),
        (lambda: tasks.digits(pairs=[(0, 10)]), r"pairs\[0\]\[1\]"),
        (lambda: tasks.digits(pairs=[(-1, 0)]), r"pairs\[0\]\[0\]"),
        (lambda: tasks.digits(pairs=["01"]), r"pairs\[0\]\[0\]"),
        (lambda: tasks.digits(pairs=[(0.0, 1)]), r"pairs\[0\]\[0\]"),
        (lambda: tasks.digits(pairs=[(4, 4)]), r"pairs\[0\]"),
        (lambda: tasks.digits(samples=1), "samples"),
        (lambda: tasks.digits(samples=357), "samples"),
        (lambda: tasks.digits(samples=10.0), "samples"),
        (lambda: tasks.digits(seed=-1), "seed"),
        (lambda: tasks.digits(kind="other"), "kind"),
        (lambda: tasks.digits(center="yes"), "center"),
        (lambda: tasks.teacher_tasks("linear"), "model"),
        (lambda: tasks.teacher_tasks(Linear(2), num_tasks=0), "num_tasks"),
        (lambda: tasks.teacher_tasks(Linear(2), samples=0), "samples"),
        (lambda: tasks.teacher_tasks(Linear(2), seed=None), "seed"),
        (lambda: tasks.teacher_tasks(Linear(2), kind="both"), "kind"),
        (lambda: tasks.teacher_tasks(Linear(2), margin=0.0), "margin"),
        (lambda: tasks.teacher_tasks(Linear(2), margin=float("inf")), "margin"),
        (lambda: tasks.teacher_tasks(Zero(2)), "model"),
        (lambda: tasks.teacher_tasks(NotFinite(2)), "model"),
        (lambda: tasks.teacher_tasks(WrongDegree(2), margin=100.0), "model"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(InputError, match=f"^{named} must be "):
        call()

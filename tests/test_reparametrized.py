"""Models in other coordinates, and weighted regularizers built on them."""

import numpy as np
import pytest
import torch

from margin_projection import InputError, MarginSet, Task, project
from margin_projection.networks import FullyConnected, Linear, Reparametrized, SimplifiedReLU, SquaredLinear, Structure
from margin_projection.regularization import fisher_weights, regularized_path
from margin_projection.tasks import teacher_tasks

ROUNDING = 1e-12
MODELS = {
    "linear": Linear(3),
    "squared": SquaredLinear(2),
    "quadratic": FullyConnected((2, 2, 1), "identity"),
    "rectifiers": SimplifiedReLU(2, 2, [1, -1]),
    "relu": FullyConnected((2, 3, 1), "relu"),
}


def root_of(p: int, kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 2.0, p) if kind == "diagonal" else np.eye(p) + 0.3 * rng.standard_normal((p, p))


@pytest.mark.parametrize("kind", ["diagonal", "full"])
@pytest.mark.parametrize("name", MODELS)
def test_derivatives_are_those_of_the_composition(name, kind):
    model, rng = MODELS[name], np.random.default_rng(1)
    p = model.num_parameters
    other = Reparametrized(model, root_of(p, kind))
    X, phi = torch.as_tensor(rng.standard_normal((4, model.input_shape[0]))), torch.as_tensor(rng.standard_normal(p))
    line = other.linearize(phi, X)
    gradients = torch.autograd.functional.jacobian(lambda each: other.forward(each, X), phi)
    weights, vector = torch.as_tensor(rng.standard_normal(4)), torch.as_tensor(rng.standard_normal(p))
    assert torch.allclose(line.jacobian(), gradients, atol=ROUNDING)
    assert torch.allclose(line.apply(vector), gradients @ vector, atol=ROUNDING)
    assert torch.allclose(line.gram(), gradients @ gradients.T, atol=1e-11)
    hessian = torch.autograd.functional.hessian(lambda each: weights @ other.forward(each, X), phi)
    assert torch.allclose(line.hessian_vector(weights, vector), hessian @ vector, atol=1e-11)
    assert np.allclose(other.to_theta(other.from_theta(phi.numpy())), phi.numpy(), atol=ROUNDING)
    assert other.degree == model.degree
    if len(line.kinks()):
        kinks = line.kinks().select(torch.tensor([1]))
        rows = line.with_kinks(kinks)
        assert float(rows.apply(vector)[-1]) == pytest.approx(float(line.kink_changes(vector)[1]), abs=ROUNDING)


@pytest.mark.parametrize("kind", ["diagonal", "full"])
@pytest.mark.parametrize("name", ["linear", "squared", "quadratic"])
def test_structure_is_kept_with_its_coefficients(name, kind):
    model, rng = MODELS[name], np.random.default_rng(2)
    other = Reparametrized(model, root_of(model.num_parameters, kind))
    X, phi = torch.as_tensor(rng.standard_normal((3, model.input_shape[0]))), rng.standard_normal(model.num_parameters)
    coefficients = other.coefficients(X).numpy()
    values = {
        Structure.LINEAR: lambda: coefficients @ phi,
        Structure.DIAGONAL_QUADRATIC: lambda: coefficients @ phi**2,
        Structure.QUADRATIC: lambda: phi @ coefficients @ phi,
    }[other.structure]()
    assert np.allclose(values, other(phi, X.numpy()), atol=1e-11)


def test_others_become_general():
    assert Reparametrized(MODELS["rectifiers"], np.ones(4)).structure is Structure.GENERAL
    assert Reparametrized(MODELS["squared"], np.eye(4)).structure is Structure.QUADRATIC


@pytest.mark.parametrize("root", [np.zeros(3), np.ones(2), np.ones((3, 3)), np.array([1.0, 0.0, 1.0])])
def test_bad_roots_are_refused(root):
    with pytest.raises(InputError):
        Reparametrized(Linear(3), root)


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_the_limit_is_the_weighted_projection(kind):
    rng = np.random.default_rng(3)
    x, start = rng.standard_normal(3), 0.2 * rng.standard_normal(3)
    square = rng.standard_normal((3, 3))
    weights = np.array([1.0, 4.0, 0.25]) if kind == "diagonal" else square @ square.T + 0.5 * np.eye(3)
    matrix = np.diag(weights) if kind == "diagonal" else weights
    path = regularized_path(Linear(3), [Task([x], [1])], num_steps=1, start=start, weights=weights)
    pull = np.linalg.solve(matrix, x)
    expected = start + pull * (1.0 - x @ start) / (x @ pull)
    assert np.abs(path.limits[0] - expected).max() <= 1e-12
    s = path.log_inverse_lambda[-1]
    margins = path.points[0, -1] @ x
    multiplier = (margins - x @ start) / (x @ pull)  # theta - start = mu B^{-1} x
    assert (margins - 1.0) * s == pytest.approx(-np.log(s) - np.log(2 * multiplier), rel=1e-8)
    assert path.reduced_orders[0, 0] == pytest.approx(1.0, abs=1e-3) and (path.statuses == "GLOBAL").all()


def test_constant_weights_rescale_lambda_and_change_no_limit():
    model = SquaredLinear(2)
    tasks, _ = teacher_tasks(model, 1, 2, 1)
    start = model.initialize(3)
    plain = project(start, MarginSet(model, tasks[0]))
    path = regularized_path(
        model, tasks, "cyclic", [1e3, 1e6], num_steps=2, start=start, weights=[np.full(4, 4.0), np.eye(4) * 9.0]
    )
    assert np.abs(path.limits[0] - plain.point).max() <= 1e-9 and path.weighted
    assert np.abs(path.distances[0] - 2.0 * np.linalg.norm(path.points[0] - path.limits[0], axis=1)).max() <= 1e-12


@pytest.mark.parametrize("kind", ["diagonal", "full"])
def test_fisher_weights_are_those_of_the_logistic_loss(kind):
    model, rng = MODELS["relu"], np.random.default_rng(4)
    theta = rng.standard_normal(model.num_parameters)
    task = Task(rng.standard_normal((5, 2)), np.sign(rng.standard_normal(5)))
    X, y = torch.tensor(task.X), torch.tensor(task.y)
    gradients = torch.autograd.functional.jacobian(
        lambda each: torch.nn.functional.softplus(-y * model.forward(each, X)), torch.as_tensor(theta)
    ).numpy()
    matrix = gradients.T @ gradients / 5 + 0.1 * np.eye(theta.size)
    expected = np.diagonal(matrix) if kind == "diagonal" else matrix
    assert np.allclose(fisher_weights(model, task, theta, kind, damping=0.1), expected, atol=ROUNDING)


def test_fisher_weights_refuse_regression():
    with pytest.raises(InputError):
        fisher_weights(Linear(1), Task([[1.0]], [2.0], "regression"), np.zeros(1))

"""User modules as models: values and derivatives against closed forms, torch.func and finite differences."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import jacrev
from user_modules import (
    Function,
    Functional,
    LinearAttention,
    Power,
    Residual,
    SquaredReLU,
    Untraceable,
    WithBuffer,
    cnn,
    linear,
    tied,
)

from margin_projection import MarginSet, Task, project
from margin_projection.networks import module_linearization, module_pass
from margin_projection.networks.convolutional import Convolutional
from margin_projection.networks.fully_connected import FullyConnected
from margin_projection.networks.homogeneity import verify_model
from margin_projection.networks.module import from_module

EXACT = 1e-12
FINITE_DIFFERENCE = 1e-6


MODULES = {
    "mlp": (lambda: nn.Sequential(linear(4, 5), nn.ReLU(), linear(5, 3), nn.ReLU(), linear(3, 1)), (4,), 3, False),
    "first bias": (lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), linear(5, 1)), (4,), 2, False),
    "squared relu": (lambda: nn.Sequential(linear(4, 5), SquaredReLU(), linear(5, 1)), (4,), 3, False),
    "deep linear": (lambda: nn.Sequential(linear(4, 5), nn.Dropout(), linear(5, 1)), (4,), 2, True),
    "power": (lambda: Power(3), (3,), 3, True),
    "functional": (Functional, (4,), 3, False),
    "cnn": (cnn, (1, 6, 6), 2, False),
    "residual": (lambda: nn.Sequential(Residual(nn.Sequential(linear(4, 4), linear(4, 4))), linear(4, 1)), (4,), 3, 0),
    "tied": (tied, (4,), 3, False),
    "frozen": (WithBuffer, (4,), 1, False),
    "untraceable": (Untraceable, (4,), 2, False),
    "linear attention": (LinearAttention, (3, 4), 3, True),
    "batch norm of data": (lambda: nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), linear(4, 1)), (4,), 2, False),
    "layer norm without eps": (lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5, eps=0.0), linear(5, 1)), (4,), 2, 0),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(linear(4, 1)), (4,), 1, False),
}


@pytest.fixture(params=MODULES)
def case(request):
    torch.manual_seed(0)
    build, shape, degree, smooth = MODULES[request.param]
    model = from_module(build(), shape)
    generator = np.random.default_rng(3)
    theta = torch.from_numpy(generator.standard_normal(model.num_parameters))
    return model, theta, torch.from_numpy(generator.standard_normal((4, *shape))), degree, smooth, request.param


def test_degree_smoothness_and_structure(case):
    model, _, _, degree, smooth, name = case
    assert (model.degree, model.smooth) == (degree, smooth)
    assert model.vectorized == (name != "untraceable")
    assert verify_model(model, seed=5) < 1e-9


def test_values_and_products_match_torch_func(case):
    model, theta, X, *_ = case
    linearization = model.linearize(theta, X)
    jacobian = jacrev(lambda point: model.forward(point, X))(theta)
    generator = torch.Generator().manual_seed(1)
    vector = torch.randn(theta.numel(), generator=generator, dtype=torch.float64)
    weights = torch.randn(4, generator=generator, dtype=torch.float64)
    weights[1] = 0.0
    torch.testing.assert_close(linearization.values, model.forward(theta, X), rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(linearization.jacobian(), jacobian, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(linearization.apply(vector), jacobian @ vector, rtol=EXACT, atol=1e-11)
    torch.testing.assert_close(linearization.adjoint(weights), jacobian.T @ weights, rtol=EXACT, atol=1e-11)
    torch.testing.assert_close(linearization.gram(), jacobian @ jacobian.T, rtol=EXACT, atol=1e-11)
    second = torch.autograd.functional.hessian(lambda point: weights @ model.trace(point, X)[0], theta)
    torch.testing.assert_close(linearization.hessian_vector(weights, vector), second @ vector, rtol=EXACT, atol=1e-10)
    step = 1e-6
    plus, minus = (model.linearize(theta + sign * step * vector, X).adjoint(weights) for sign in (1, -1))
    assert (second @ vector - (plus - minus) / (2 * step)).norm() < FINITE_DIFFERENCE * (1.0 + second.norm())
    assert not linearization.hessian_vector(0 * weights, vector).any()


def test_batches_modules_and_states_agree(case):
    model, theta, X, *_ = case
    batch = torch.stack([theta, 2.0 * theta, -theta])
    expected = torch.stack([model.forward(row, X) for row in batch])
    torch.testing.assert_close(model.forward(batch, X), expected, rtol=EXACT, atol=EXACT)
    module = model.to_module(theta.numpy())
    torch.testing.assert_close(module(X), expected[0], rtol=EXACT, atol=EXACT)
    assert np.array_equal(model.from_state(module.state_dict()), theta.numpy())
    assert model.fan_in().shape == (model.num_parameters,)
    assert from_module(module, model.input_shape).degree == model.degree


def test_chunks_of_the_gram_matrix_agree(case, monkeypatch):
    model, theta, X, *_ = case
    linearization = model.linearize(theta, X)
    kinks = linearization.kinks()
    index = torch.randperm(len(kinks))[:9]
    linearization = linearization.with_fractions(index[2:], torch.linspace(0, 1, len(index[2:])).double())
    whole = linearization.with_kinks(kinks.select(index[:7])).gram()
    monkeypatch.setattr(module_linearization, "MEMORY", 8.0 * model.num_parameters * 3)
    monkeypatch.setattr(module_linearization, "EXPLICIT", 0.0)
    monkeypatch.setattr(module_pass, "KEPT", 8.0 * model.num_parameters * 5)
    linearization = linearization.with_kinks(kinks.select(index[:7]))
    if model.vectorized:
        torch.testing.assert_close(linearization._factored_gram(), whole, rtol=EXACT, atol=1e-11)
    model.vectorized = False
    torch.testing.assert_close(linearization.gram(), whole, rtol=EXACT, atol=1e-11)


def test_kinks_are_rows_with_the_gradients_of_the_preactivations(case):
    model, theta, X, *_ = case
    linearization = model.linearize(theta, X)
    kinks = linearization.kinks()
    assert len(kinks) == 4 * sum(model.rectifiers.units)
    if not len(kinks):
        return
    extended = linearization.with_kinks(kinks)
    torch.testing.assert_close(extended.values[4:], kinks.values, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(linearization.preactivations(), kinks.values, rtol=0, atol=0)
    step = 1e-5
    vector = torch.from_numpy(np.random.default_rng(4).standard_normal(theta.numel()))
    after, before = (model.linearize(theta + sign * step * vector, X).with_kinks(kinks).values for sign in (1, -1))
    same = torch.sign(after) == torch.sign(before)
    slopes = (after - before) / (2 * step)
    torch.testing.assert_close(linearization.kink_changes(vector), extended.apply(vector)[4:], rtol=EXACT, atol=1e-11)
    torch.testing.assert_close(slopes[same], extended.apply(vector)[same], rtol=FINITE_DIFFERENCE, atol=1e-5)


def test_products_of_extended_rows(case, monkeypatch):
    model, theta, X, *_ = case
    linearization = model.linearize(theta, X)
    kinks = linearization.kinks()
    if not len(kinks):
        return
    kinks = kinks.select(torch.tensor([len(kinks) - 1, 0, len(kinks) // 2]))
    extended = linearization.with_kinks(kinks)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(7, generator=generator, dtype=torch.float64)
    weights[2] = 0.0
    vector = torch.randn(theta.numel(), generator=generator, dtype=torch.float64)
    monkeypatch.setattr(module_linearization, "EXPLICIT", 0.0)
    for index in (torch.arange(0), torch.arange(0, sum(model.rectifiers.units), 3)):
        fractional = linearization.with_fractions(index, torch.linspace(0, 1, len(index)).double())
        rows = fractional.with_kinks(kinks)
        jacobian = rows.jacobian()
        torch.testing.assert_close(rows.apply(vector), jacobian @ vector, rtol=EXACT, atol=1e-11)
        torch.testing.assert_close(rows.adjoint(weights), jacobian.T @ weights, rtol=EXACT, atol=1e-11)
        torch.testing.assert_close(rows.gram(), jacobian @ jacobian.T, rtol=EXACT, atol=1e-11)
    step = 1e-6
    plus, minus = (model.linearize(theta + s * step * vector, X).with_kinks(kinks) for s in (1, -1))
    expected = (plus.adjoint(weights) - minus.adjoint(weights)) / (2 * step)
    difference = (extended.hessian_vector(weights, vector) - expected).norm()
    assert difference <= FINITE_DIFFERENCE * (1.0 + expected.norm())


def test_no_samples_and_no_gradient_mode(case):
    model, theta, X, *_ = case
    for inputs in (X[:0], X):
        line = model.linearize(theta, inputs)
        with torch.no_grad():
            quiet = model.linearize(theta, inputs)
            index = torch.arange(0, len(quiet.kinks()), 3)
            fractional = quiet.with_fractions(index, torch.full((len(index),), 0.5, dtype=torch.float64))
            ones = torch.ones(len(inputs), dtype=torch.float64)
            assert torch.equal(quiet.hessian_vector(ones, theta), line.hessian_vector(ones, theta))
            assert torch.equal(quiet.jacobian(), line.jacobian())
            assert torch.equal(quiet.kink_changes(theta), line.kink_changes(theta))
            assert fractional.jacobian().shape == (len(inputs), theta.numel())
            assert fractional.hessian_vector(ones, theta).shape == theta.shape
            assert len(fractional.kinks()) == len(inputs) * sum(model.rectifiers.units)
        assert not quiet.values.requires_grad


def test_coefficients_are_the_jumps_of_the_derivative():
    """Across z = 0, grad f jumps by coefficient * grad z: measured on both sides of an exact kink."""
    model = from_module(MODULES["functional"][0](), (4,))
    generator = np.random.default_rng(0)
    theta = torch.from_numpy(generator.standard_normal(model.num_parameters))
    X = torch.from_numpy(generator.standard_normal((2, 4)))
    kinks = model.linearize(theta, X).kinks()
    for index in torch.nonzero(kinks.layers == 0)[:, 0].tolist():
        kink = kinks.select(torch.tensor([index]))
        at = theta.clone()
        for _ in range(3):
            row = model.linearize(at, X).with_kinks(kink)
            gradient = row.jacobian()[2]
            at -= row.values[2] * gradient / gradient.dot(gradient)
        listed = model.linearize(at, X).kinks().select(torch.tensor([index]))
        sample = int(kink.samples)
        sides = [
            model.linearize(at + sign * 1e-9 * gradient, X).jacobian()[sample] for sign in (1.0, -1.0)
        ]
        torch.testing.assert_close(sides[0] - sides[1], listed.coefficients * gradient, rtol=1e-6, atol=1e-7)
        line, at_kink = model.linearize(at, X), torch.tensor([index])
        for fraction in (0.0, 0.3, 1.0):
            element = line.with_fractions(at_kink, torch.tensor([fraction], dtype=torch.float64)).jacobian()
            expected = fraction * sides[0] + (1.0 - fraction) * sides[1]
            torch.testing.assert_close(element[sample], expected, rtol=1e-6, atol=1e-7)
            assert torch.equal(element[1 - sample], line.jacobian()[1 - sample])


def test_a_mlp_matches_its_closed_form():
    model = from_module(nn.Sequential(linear(2, 3), nn.ReLU(), linear(3, 1)))
    theta = np.array([1.0, 0.0, 0.0, 1.0, -1.0, -1.0, 2.0, 3.0, 5.0])
    assert np.array_equal(model(theta, [[1.0, 2.0], [-1.0, -2.0]]), [2.0 + 6.0, 15.0])
    kinks = model.linearize(torch.from_numpy(theta), torch.tensor([[1.0, 2.0]]).double()).kinks()
    assert kinks.values.tolist() == [1.0, 2.0, -3.0]
    assert kinks.coefficients.tolist() == [2.0, 3.0, 5.0]
    assert model.fan_in().tolist() == [2.0] * 6 + [3.0] * 3


def test_weights_of_linear_layers_are_factored():
    model = from_module(MODULES["mlp"][0](), (4,))
    assert (model.factored_gram.num_explicit, model.factored_gram.num_positions) == (0, 1)
    assert from_module(tied(), (4,)).factored_gram.num_positions == 2
    assert from_module(MODULES["weight norm"][0](), (4,)).factored_gram.num_explicit == 5


def test_a_rectifier_inside_a_custom_function_is_no_listed_kink():
    class CustomReLU(torch.autograd.Function):
        @staticmethod
        def forward(context, z):
            context.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(context, slope):
            return slope * (context.saved_tensors[0] > 0)

    model = from_module(Function(lambda w, x: CustomReLU.apply(x * w).sum(1)), (3,))
    assert (model.degree, model.smooth, len(model.rectifiers), model.nonsmooth_operations) == (1, False, 0, ("clamp",))


LAYERED = {
    "relu": lambda: FullyConnected((4, 6, 5, 1), "relu"),
    "leaky relu": lambda: FullyConnected((4, 6, 5, 1), "leaky_relu", 0.2),
    "convolutional": lambda: Convolutional((1, 5, 5), (2, 3), stride=2),
}


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("name", LAYERED)
def test_every_product_is_that_of_the_layered_network(name, explicit, monkeypatch):
    """The same function twice, with fractions in several layers: kinks behind one another."""
    monkeypatch.setattr(module_linearization, "EXPLICIT", 2e6 if explicit else 0.0)
    layered = LAYERED[name]()
    theta = torch.from_numpy(layered.initialize(0))
    model = from_module(layered.to_module(theta), layered.input_shape)
    X = torch.from_numpy(np.random.default_rng(1).standard_normal((5, *layered.input_shape)))
    lines = [model.linearize(theta, X), layered.linearize(theta, X)]
    listed = torch.arange(len(lines[0].kinks()))
    hidden = torch.cat([listed[:0], *channels_first(layered, len(X))])
    index = torch.arange(2, len(listed), 5)
    fractions = torch.linspace(0, 1, len(index), dtype=torch.float64)
    vector = torch.linspace(-1, 2, theta.numel(), dtype=torch.float64)
    compared = []
    for line, order in zip(lines, (listed, hidden), strict=True):
        fractional = line.with_fractions(order[index], fractions)
        kinks = fractional.kinks()
        rows = fractional.with_kinks(kinks.select(order[[1, 3, -1]])).with_kinks(kinks.select(order[[0]]))
        weights = torch.linspace(1, 2, rows.values.numel(), dtype=torch.float64)
        weights[1] = 0.0
        compared.append((
            rows.values, rows.jacobian(), rows.apply(vector), rows.adjoint(weights), rows.gram(),
            rows.hessian_vector(weights, vector), rows.hessian_vector(weights, 2 * vector),
            fractional.kink_changes(vector)[order], kinks.values[order], kinks.coefficients[order],
            fractional.with_fractions(order[:0], fractions[:0]).jacobian(),
        ))
    for ours, theirs in zip(*compared, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=EXACT, atol=1e-10)


@pytest.mark.parametrize("activation", ["squared_relu", "relu"])
def test_projections_are_those_of_the_layered_network(activation):
    layered = FullyConnected((6, 8, 1), activation)
    model = from_module(layered.to_module(np.zeros(layered.num_parameters)), (6,))
    generator = np.random.default_rng(2)
    task = Task(generator.standard_normal((8, 6)), np.sign(generator.standard_normal(8)))
    start = layered.initialize(1, scale=0.5)
    ours, theirs = (project(start, MarginSet(each, task), starts=1) for each in (model, layered))
    assert ours.status is theirs.status
    assert abs(ours.distance - theirs.distance) < 1e-8
    assert np.allclose(ours.point, theirs.point, atol=1e-6)


def channels_first(layered, count):
    """Per layer, the positions of a layered network's preactivations in the order of its module's."""
    first = 0
    for layer in layered.layers[:-1]:
        size = count * layer.positions * layer.outputs
        numbers = torch.arange(first, first + size).reshape(count, layer.positions, layer.outputs)
        yield numbers.transpose(1, 2).reshape(-1)
        first += size


def test_linear_and_smooth_modules_have_no_kinks():
    model = from_module(Power(1), (3,))
    linearization = model.linearize(torch.ones(3).double(), torch.ones(2, 3).double())
    assert (model.degree, len(linearization.kinks())) == (1.0, 0)
    assert not linearization.hessian_vector(torch.ones(2).double(), torch.ones(3).double()).any()


def test_operations_without_listed_kinks_are_reported():
    module = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.MaxPool2d(2), nn.Flatten(), linear(8, 1))
    model = from_module(module, (1, 6, 6))
    assert not model.smooth
    assert model.nonsmooth_operations == ("max_pool2d_with_indices",)


def test_the_users_module_is_left_alone():
    module = nn.Sequential(linear(3, 2), nn.ReLU(), nn.Dropout(), linear(2, 1)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    model = from_module(module)
    assert module.training
    assert module[0].weight.dtype == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    flat = torch.cat([value.double().reshape(-1) for value in before.values()]).numpy()
    assert np.array_equal(model.from_state(module.state_dict()), flat)

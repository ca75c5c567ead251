"""Layered networks against automatic differentiation of their own forward pass."""

import numpy as np
import pytest
import torch

from margin_projection.networks.convolutional import Convolutional
from margin_projection.networks.fully_connected import FullyConnected
from margin_projection.networks.linearization import Linearization

TOLERANCE = 1e-11
NETWORKS = {
    "linear": lambda: FullyConnected((5, 1)),
    "relu": lambda: FullyConnected((4, 6, 5, 1), "relu"),
    "leaky": lambda: FullyConnected((4, 6, 5, 3, 1), "leaky_relu", 0.2),
    "squared": lambda: FullyConnected((4, 5, 4, 1), "squared_relu"),
    "cubed": lambda: FullyConnected((3, 4, 1), "relu^3"),
    "deep-linear": lambda: FullyConnected((4, 3, 1), "identity"),
    "polynomial": lambda: FullyConnected((3, 3, 3, 1), "power^2"),
    "conv": lambda: Convolutional((2, 5, 5), (3, 2), activation="relu"),
    "conv-stride": lambda: Convolutional((1, 6, 6), (2, 3), stride=2, activation="squared_relu", flat=True),
}


def instance(name, samples=7, seed=0):
    model = NETWORKS[name]()
    generator = np.random.default_rng(seed)
    X = torch.as_tensor(generator.standard_normal((samples, *model.input_shape)))
    return model, torch.as_tensor(model.initialize(seed)), X


def preactivation(model, X, kink):
    """The preactivation of one kink as a function of theta, computed without the library's backward pass."""

    def value(theta):
        h = model.features(X)
        for index, (layer, weight) in enumerate(zip(model.layers, model.weights(theta), strict=True)):
            z = layer.patches(h) @ weight.T
            if index == int(kink.layers[0]):
                return z[int(kink.samples[0])].flatten()[int(kink.units[0])]
            h = model.activation.value(z)
        raise AssertionError

    return value


@pytest.mark.parametrize("name", NETWORKS)
def test_jacobian_products_match_autograd(name):
    model, theta, X = instance(name)
    jacobian = torch.func.jacrev(model.forward)(theta, X)
    line = model.linearize(theta, X)
    generator = torch.Generator().manual_seed(1)
    v = torch.randn(model.num_parameters, generator=generator, dtype=torch.float64)
    u = torch.randn(len(X), generator=generator, dtype=torch.float64)
    scale = float(jacobian.abs().max()) + 1
    assert torch.allclose(line.values, model.forward(theta, X), atol=TOLERANCE * scale)
    assert torch.allclose(line.apply(v), jacobian @ v, atol=TOLERANCE * scale**2)
    assert torch.allclose(line.adjoint(u), u @ jacobian, atol=TOLERANCE * scale**2)
    assert torch.allclose(line.gram(), jacobian @ jacobian.T, atol=TOLERANCE * scale**2)


@pytest.mark.parametrize("name", NETWORKS)
def test_hessian_vector_matches_autograd(name):
    model, theta, X = instance(name)
    weights = torch.linspace(-1, 1, len(X), dtype=torch.float64)
    weights[2] = 0.0
    hessian = torch.func.hessian(lambda t: weights @ model.forward(t, X))(theta)
    v = torch.linspace(-1, 2, model.num_parameters, dtype=torch.float64)
    assert torch.allclose(model.linearize(theta, X).hessian_vector(weights, v), hessian @ v, atol=1e-10)


@pytest.mark.parametrize("name", ["relu", "leaky", "conv"])
def test_kink_rows_match_autograd(name):
    model, theta, X = instance(name)
    kinks = model.linearize(theta, X).kinks()
    chosen = kinks.select(torch.arange(0, len(kinks), max(1, len(kinks) // 12)))
    line = model.linearize(theta, X).with_kinks(chosen)
    rows = [torch.func.jacrev(model.forward)(theta, X)]
    for k in range(len(chosen)):
        rows.append(torch.func.grad(preactivation(model, X, chosen.select(torch.tensor([k]))))(theta)[None])
    jacobian = torch.cat(rows)
    v = torch.linspace(-1, 1, model.num_parameters, dtype=torch.float64)
    u = torch.linspace(1, 2, len(jacobian), dtype=torch.float64)
    assert torch.allclose(line.jacobian(), jacobian, atol=TOLERANCE)
    assert torch.allclose(line.apply(v), jacobian @ v, atol=TOLERANCE)
    assert torch.allclose(line.adjoint(u), u @ jacobian, atol=1e-10)
    assert torch.allclose(line.gram(), jacobian @ jacobian.T, atol=1e-10)

    def total(t):
        parts = [preactivation(model, X, chosen.select(torch.tensor([k])))(t) for k in range(len(chosen))]
        return u[: len(X)] @ model.forward(t, X) + u[len(X) :] @ torch.stack(parts)

    hessian = torch.func.hessian(total)(theta)
    assert torch.allclose(line.hessian_vector(u, v), hessian @ v, atol=1e-9)


@pytest.mark.parametrize("name", ["relu", "conv"])
def test_generalized_gradient_is_the_jump_across_a_kink(name):
    model, theta, X = instance(name)
    line = model.linearize(theta, X)
    kinks = line.kinks()
    k = torch.tensor([int(kinks.coefficients.abs().argmax())])
    kink = kinks.select(k)
    weights = torch.zeros(len(X), dtype=torch.float64)
    weights[kink.samples[0]] = 1.0
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    low, high = (line.with_fractions(k, end).adjoint(weights) for end in ends)
    row = line.with_kinks(kink).jacobian()[-1]
    assert torch.allclose(high - low, kink.coefficients[0] * row, atol=TOLERANCE)


@pytest.mark.parametrize("name", NETWORKS)
def test_module_round_trip_and_batching(name):
    model, theta, X = instance(name)
    module = model.to_module(theta)
    assert torch.allclose(module(X), model.forward(theta, X), atol=TOLERANCE)
    assert np.array_equal(model.from_state(module.state_dict()), theta.numpy())
    both = model(torch.stack([theta, 2 * theta]), X)
    assert torch.allclose(both[1], 2.0**model.degree * both[0], rtol=1e-10)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("linear",)])
def test_output_change_bound_is_never_exceeded(name):
    model, theta, X = instance(name)
    generator = torch.Generator().manual_seed(0)
    change = model.output_change_bound(theta, X)
    for radius in (1e-3, 0.1, 2.0):
        bound = change(radius)
        for _ in range(50):
            step = torch.randn(model.num_parameters, generator=generator, dtype=torch.float64)
            step *= radius / step.norm()
            assert ((model.forward(theta + step, X) - model.forward(theta, X)).abs() <= bound * (1 + 1e-12)).all()


def test_quadratic_forms_reproduce_the_model():
    model, theta, X = instance("deep-linear")
    forms = model.coefficients(X)
    assert torch.allclose(torch.einsum("p,npq,q->n", theta, forms, theta), model.forward(theta, X), atol=TOLERANCE)


@pytest.mark.parametrize("name", ["relu", "leaky", "conv"])
def test_kink_changes_agree_with_kink_rows(name):
    model, theta, X = instance(name)
    line = model.linearize(theta, X)
    v = torch.linspace(-1, 1, model.num_parameters, dtype=torch.float64)
    rows = line.with_kinks(line.kinks())
    assert torch.allclose(line.kink_changes(v), rows.apply(v)[len(X) :], atol=TOLERANCE)


def values_with_slopes(model, theta, X, slopes):
    """Outputs and all preactivations, phi with other slopes and the same values, for automatic differentiation."""
    h, rows, slopes = model.features(X), [], list(slopes)
    for layer, weight in zip(model.layers, model.weights(theta), strict=True):
        z = layer.patches(h) @ weight.T
        if not slopes:
            return torch.cat([z[:, 0, 0], *rows])
        rows.append(z.flatten())
        h = model.activation.value(z).detach() + slopes.pop(0).reshape(z.shape) * (z - z.detach())
    raise AssertionError


@pytest.mark.parametrize("name", ["relu", "leaky", "conv"])
def test_fractional_slopes_are_those_of_automatic_differentiation(name):
    model, theta, X = instance(name)
    line, left = model.linearize(theta, X), model.activation.left
    kinks = line.kinks()
    index = torch.arange(3, len(kinks), 7)
    fractions = torch.linspace(0, 1, len(index), dtype=torch.float64)
    slopes = torch.where(kinks.values > 0, 1.0, left).to(torch.float64)
    slopes[index] = left + (1.0 - left) * fractions
    parts = slopes.split([int((kinks.layers == layer).sum()) for layer in kinks.layers.unique()])
    every = torch.func.jacrev(lambda t: values_with_slopes(model, t, X, parts))(theta)
    some = torch.arange(1, len(kinks), 11)
    jacobian = torch.cat([every[: len(X)], every[len(X) + some]])
    fractional = line.with_fractions(index, fractions)
    rows = fractional.with_kinks(kinks.select(some))
    u = torch.linspace(1, 2, len(jacobian), dtype=torch.float64)
    v = torch.linspace(-1, 1, model.num_parameters, dtype=torch.float64)
    assert torch.equal(fractional.values, line.values)
    assert torch.equal(fractional.preactivations(), kinks.values)
    assert torch.allclose(rows.jacobian(), jacobian, atol=TOLERANCE)
    assert torch.allclose(rows.apply(v), jacobian @ v, atol=TOLERANCE)
    assert torch.allclose(rows.adjoint(u), u @ jacobian, atol=1e-10)
    assert torch.allclose(rows.gram(), jacobian @ jacobian.T, atol=1e-10)
    assert torch.allclose(fractional.kink_changes(v), (every @ v)[len(X) :], atol=TOLERANCE)

    weights = torch.zeros(len(every), dtype=torch.float64)
    weights[: len(X)], weights[len(X) + some] = u[: len(X)], u[len(X) :]
    total = torch.func.grad(lambda t: weights @ values_with_slopes(model, t, X, parts))
    expected = torch.func.grad(lambda t: total(t) @ v)(theta)
    assert torch.allclose(rows.hessian_vector(u, v), expected, atol=1e-9)
    again = line.with_fractions(index[:2], 1.0 - fractions[:2]).with_fractions(index, fractions)
    assert torch.equal(again.jacobian(), fractional.jacobian())
    assert torch.equal(fractional.with_fractions(index[:0], fractions[:0]).jacobian(), line.jacobian())


def test_additive_fractions_are_exact_for_one_hidden_layer():
    model = FullyConnected((4, 6, 1), "leaky_relu", 0.1)
    theta, X = torch.as_tensor(model.initialize(0)), torch.as_tensor(np.random.default_rng(0).standard_normal((5, 4)))
    line = model.linearize(theta, X)
    index, fractions = torch.tensor([2, 9, 20]), torch.tensor([0.3, 0.5, 0.9], dtype=torch.float64)
    exact, additive = line.with_fractions(index, fractions), Linearization.with_fractions(line, index, fractions)
    assert torch.allclose(exact.jacobian(), additive.jacobian(), atol=TOLERANCE)
    assert torch.allclose(exact.gram(), additive.gram(), atol=TOLERANCE)
    v = torch.linspace(-1, 1, model.num_parameters, dtype=torch.float64)
    rows = [each.with_kinks(line.kinks().select(torch.tensor([4, 5]))) for each in (exact, additive)]
    assert torch.allclose(rows[0].apply(v), rows[1].apply(v), atol=TOLERANCE)


@pytest.mark.parametrize("name", ["relu", "squared", "conv"])
def test_chosen_rows_agree_with_all_rows(name):
    model, theta, X = instance(name)
    line = model.linearize(theta, X)
    kinks = line.kinks()
    line = line.with_kinks(kinks.select(torch.arange(0, len(kinks), 5)))
    rows = torch.arange(len(line.values) - 1, -1, -2)
    v = torch.linspace(-1, 1, model.num_parameters, dtype=torch.float64)
    assert torch.allclose(line.apply_rows(v, rows), line.apply(v)[rows], atol=TOLERANCE)
    assert torch.allclose(line.row_gradients(rows), line.jacobian()[rows], atol=TOLERANCE)
    u = torch.zeros_like(line.values)
    u[rows] = 1.5
    assert torch.allclose(line.adjoint(u), u @ line.jacobian(), atol=1e-10)

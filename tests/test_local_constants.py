"""Local and global constants: closed forms, brute force over the ball, and what must be infinite."""

import numpy as np
import pytest
import torch
from constant_oracles import check_soundness, gradients, points_of_ball, problem
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from user_modules import Power, Untraceable, linear

from margin_projection._validation import InputError
from margin_projection.networks import (
    Convolutional,
    FullyConnected,
    Linear,
    SimplifiedReLU,
    SquaredLinear,
    from_module,
)
from margin_projection.regularity.adversarial_constants import adversarial_constants
from margin_projection.regularity.constants import ConstantBounds
from margin_projection.regularity.global_constants import global_constants
from margin_projection.regularity.structured_constants import largest_square

TIGHT = 1e-7
ACTIVATIONS = ("relu", "leaky_relu", "squared_relu", "identity", "relu^3", "power^2", "power^3")
MODELS = [
    *(FullyConnected((3, 4, 1), activation) for activation in ACTIVATIONS),
    *(FullyConnected((2, 3, 2, 1), activation) for activation in ACTIVATIONS),
    *(Convolutional((1, 4, 4), (2,), activation=activation) for activation in ("relu", "squared_relu", "identity")),
    Convolutional((2, 4, 4), (2, 2), kernel=2, stride=2, padding=1, activation="squared_relu"),
    SquaredLinear(3),
    SimplifiedReLU(3, 2),
    SimplifiedReLU(4, 2, slope=0.25, output_signs=[1, -1, 1, -1]),
    Linear(3),
]
SMOOTH = [model for model in MODELS if model.smooth or getattr(getattr(model, "activation", None), "power", 1) > 1]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_no_gradient_or_curvature_in_the_ball_exceeds_its_bound(model):
    seed = MODELS.index(model)
    relative = (1e-4, 0.1, 3.0)[seed % 3]
    X, theta = problem(model, seed)
    local = check_soundness(model, X, theta, relative * float(theta.norm()) / 3.0, seed)
    assert np.isfinite(local.lipschitz).all()
    assert (local.obstacle == "") == np.isfinite(local.smoothness).all()
    if model in SMOOTH:
        assert np.isfinite(local.smoothness).all()


@given(seed=st.integers(0, 10**6), exponent=st.floats(-4.0, 1.5), which=st.integers(0, len(MODELS) - 1))
def test_bounds_hold_everywhere(seed, exponent, which):
    X, theta = problem(MODELS[which], seed, samples=2)
    check_soundness(MODELS[which], X, theta, 10.0**exponent, seed, hessians=0)


def test_zero_parameters_and_zero_radius():
    for model in MODELS[::3]:
        X, theta = problem(model, 1)
        local = ConstantBounds(model, X, torch.zeros_like(theta)).at(0.0)
        assert (local.lipschitz >= 0.0).all() and not np.isnan(local.smoothness).any()
        assert local.smoothness[0] == local.lipschitz[0] == 0.0  # the sample is zero
        check_soundness(model, X, torch.zeros_like(theta), 1.0, hessians=0)


def test_linear_models_have_the_norm_of_the_sample():
    X = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    local = ConstantBounds(Linear(2), X, torch.ones(2, dtype=torch.float64)).at(7.0)
    assert local.lipschitz == pytest.approx([5.0, 0.0], rel=TIGHT) and local.smoothness.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(10))
def test_quadratic_forms_are_bounded_tightly(seed):
    generator = np.random.default_rng(seed)
    q, t, radius = generator.standard_normal(4), generator.standard_normal(4), generator.uniform(0.0, 3.0)
    if seed % 3 == 0:
        t[np.argmax(np.abs(q))] = 0.0  # the hard case of the trust region
    directions = generator.standard_normal((200000, 4))
    points = t + radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    met = (q**2 * points**2).sum(1).max()
    bound = float(largest_square(q[None] ** 2, t[None], radius)[0])
    assert met <= bound * (1.0 + 1e-12) and bound <= met * 1.01


def test_squared_linear_smoothness_is_twice_the_largest_coefficient():
    X, theta = problem(SquaredLinear(3), 0)
    local = ConstantBounds(SquaredLinear(3), X, theta).at(2.0)
    assert local.smoothness == pytest.approx(2.0 * X.abs().amax(1).numpy(), rel=TIGHT)


def test_two_layer_linear_networks_agree_in_both_ways():
    """beta = ||x||, by the closed form (small networks) as by the norm calculus (large ones)."""
    for widths in ((3, 4, 1), (20, 40, 1)):
        model = FullyConnected(widths, "identity")
        X, theta = problem(model, 0)
        local = ConstantBounds(model, X, theta).at(0.5)
        assert local.smoothness == pytest.approx(X.norm(dim=1).numpy(), rel=TIGHT)


def test_sums_of_rectifiers_count_the_units_that_can_be_active():
    X = torch.tensor([[2.0]], dtype=torch.float64)
    bounds = ConstantBounds(SimplifiedReLU(3), X, torch.tensor([1.0, -0.3, -0.4], dtype=torch.float64))
    for radius, units in ((0.1, 1), (0.29, 1), (0.31, 2), (0.49, 2), (0.51, 3)):
        local = bounds.at(radius)
        assert local.lipschitz[0] == pytest.approx(2.0 * np.sqrt(units), rel=TIGHT)
        assert (local.smoothness[0] == 0.0) == (radius < 0.3) and ("rectifier" in local.obstacle) == (radius > 0.3)


def test_empty_patches_are_no_obstacle():
    """Rectifiers that see only zeros stay at 0: the gradient is Lipschitz on a small ball although z = 0 there."""
    model = Convolutional((1, 8, 8), (2, 2))
    X, theta = torch.zeros((1, 1, 8, 8), dtype=torch.float64), problem(model, 0)[1]
    X[0, 0, 0:3, 0:3] = 1.0
    local = check_soundness(model, X, theta, 1e-5)
    assert np.isfinite(local.smoothness).all()


def test_a_kink_at_the_center_leaves_no_smoothness():
    X = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    theta = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 1.0], dtype=torch.float64)  # the second unit's z is 0
    local = ConstantBounds(FullyConnected((2, 2, 1)), X, theta).at(0.0)
    assert np.isinf(local.smoothness[0]) and np.isfinite(local.lipschitz[0]) and "rectifier" in local.obstacle


def test_a_rectifier_that_changes_its_side_is_named():
    model = FullyConnected((2, 2, 1))
    X = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    theta = torch.tensor([1.0, 0.1, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    bounds = ConstantBounds(model, X, theta)
    assert np.isfinite(bounds.at(0.09).smoothness).all()
    local = bounds.at(0.11)
    assert np.isfinite(local.smoothness).tolist() == [True, False]
    assert "rectifier" in local.obstacle and "sample 1" in local.obstacle


@pytest.mark.parametrize("model", MODELS[1::2], ids=repr)
def test_bounds_grow_with_the_radius_and_scale_with_theta(model):
    X, theta = problem(model, 0)
    bounds, doubled = ConstantBounds(model, X, theta), ConstantBounds(model, X, 2.0 * theta)
    before = bounds.at(0.0)
    for radius in (1e-3, 0.1, 1.0):
        local, scaled = bounds.at(radius), doubled.at(2.0 * radius)
        assert (local.lipschitz >= before.lipschitz * (1.0 - TIGHT)).all()
        assert (local.smoothness >= before.smoothness * (1.0 - TIGHT)).all()
        assert scaled.lipschitz == pytest.approx(2.0 ** (model.degree - 1) * local.lipschitz, rel=1e-6, abs=1e-9)
        finite = np.isfinite(local.smoothness)
        expected = 2.0 ** (model.degree - 2) * local.smoothness[finite]
        assert scaled.smoothness[finite] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        before = local


def test_a_builtin_model_and_its_module_have_the_same_constants():
    model = FullyConnected((3, 4, 2, 1), "squared_relu")
    X, theta = problem(model, 0)
    module = from_module(model.to_module(theta.numpy()), (3,))
    mine, theirs = (ConstantBounds(each, X, theta).at(0.1) for each in (model, module))
    assert mine.lipschitz == pytest.approx(theirs.lipschitz, rel=1e-9)
    assert mine.smoothness == pytest.approx(theirs.smoothness, rel=1e-9)


def test_a_branch_on_values_cannot_be_followed():
    model = from_module(Untraceable(), (4,))
    X, theta = problem(model, 0)
    local = ConstantBounds(model, X, theta).at(0.0)
    assert np.isinf(local.lipschitz).all() and np.isinf(local.smoothness).all() and "recorded" in local.obstacle


class Sorted(nn.Module):
    """A homogeneous operation without a rule."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = linear(3, 4), linear(4, 1)

    def forward(self, x):
        return self.head(self.inner(x).sort(dim=1).values)


class Cubed(nn.Module):
    """A power that is not whole: not smooth at 0."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x @ self.weight.abs() ** 1.5


@pytest.mark.parametrize("module, name", ((Sorted(), "sort"), (Cubed(), "pow")), ids=("sort", "fractional power"))
def test_an_operation_without_a_rule_is_named(module, name):
    model = from_module(module, (3,))
    X, theta = problem(model, 0)
    local = ConstantBounds(model, X, theta).at(0.1)
    assert np.isinf(local.lipschitz).all() and np.isinf(local.smoothness).all() and name in local.obstacle


def test_what_is_unknown_is_infinite_and_never_nan():
    model = FullyConnected((2, 3, 3, 1), "relu^3")
    X, theta = problem(model, 0)
    local = ConstantBounds(model, X, theta).at(1e80)
    assert np.isinf(local.lipschitz).all() and np.isinf(local.smoothness).all() and "overflow" in local.obstacle


def test_the_radius_is_checked():
    with pytest.raises(InputError, match="radius"):
        ConstantBounds(Linear(1), torch.ones((1, 1), dtype=torch.float64), torch.ones(1, dtype=torch.float64)).at(-1.0)


@pytest.mark.parametrize("model", MODELS[::2], ids=repr)
def test_values_met_lie_in_the_ball_and_below_the_bounds(model):
    X, theta = problem(model, 0)
    radius = 0.1 * float(theta.norm())
    met = adversarial_constants(model, X, theta, radius, seed=1, effort=8)
    local = ConstantBounds(model, X, theta).at(radius)
    for points in (met.lipschitz_points, met.smoothness_points):
        assert (np.linalg.norm(points - theta.numpy(), axis=1) <= radius * (1.0 + 1e-12)).all()
    assert (met.lipschitz <= local.lipschitz * (1.0 + 1e-9)).all()
    assert (met.smoothness <= local.smoothness * (1.0 + 1e-9)).all()
    sampled = gradients(model, points_of_ball(theta, radius, 2), X).norm(dim=2).amax(0).numpy()
    assert met.lipschitz.max() >= 0.9 * sampled.max()


def test_the_search_reaches_closed_forms():
    model = SquaredLinear(3)
    X, theta = problem(model, 0)
    met, local = adversarial_constants(model, X, theta, 0.5), ConstantBounds(model, X, theta).at(0.5)
    assert met.lipschitz == pytest.approx(local.lipschitz, rel=1e-3)
    assert met.smoothness == pytest.approx(local.smoothness, rel=1e-2)


def test_both_global_constants_are_finite_for_linear_models_alone():
    for model in MODELS:
        X = problem(model, 0)[0]
        found = global_constants(model, X)
        finite = np.isfinite([found.lipschitz, found.smoothness])
        assert finite.all() == isinstance(model, Linear), model
        assert finite[0] <= (model.degree == 1) and finite[1] <= (model.degree == 2 or isinstance(model, Linear))
        assert found.lipschitz_reason and found.smoothness_reason


def test_global_constants_bound_the_constants_of_every_ball():
    two_layers = FullyConnected((3, 4, 1), "identity")
    for model in (SquaredLinear(2), SimplifiedReLU(3, 2), two_layers, from_module(Power(2), (3,))):
        X, theta = problem(model, 0)
        found, local = global_constants(model, X), ConstantBounds(model, X, 100.0 * theta).at(1.0)
        if np.isfinite(found.lipschitz):
            assert (local.lipschitz <= found.lipschitz * (1.0 + TIGHT)).all()
        if np.isfinite(found.smoothness):
            assert (local.smoothness <= found.smoothness * (1.0 + TIGHT)).all()


def test_a_linear_module_is_found_to_be_linear():
    model = from_module(Power(1), (3,))
    X = torch.tensor([[3.0, 0.0, 4.0]], dtype=torch.float64)
    found = global_constants(model, X)
    assert found.lipschitz == pytest.approx(5.0, rel=TIGHT) and found.smoothness == 0.0


def test_samples_that_vanish_make_both_constants_zero():
    found = global_constants(SquaredLinear(2), torch.zeros((2, 2), dtype=torch.float64))
    assert found.lipschitz == found.smoothness == 0.0

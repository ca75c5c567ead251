"""The norm calculus on modules as users write them: bounds hold at every point tried, unknown operations give none."""

import numpy as np
import pytest
import torch
from constant_oracles import check_soundness, problem
from torch import nn
from torch.nn import functional as F
from user_modules import Functional, LinearAttention, Power, SquaredReLU, WithBuffer, cnn, linear, tied

from margin_projection.networks import from_module
from margin_projection.regularity.constants import ConstantBounds

RADII = (1e-3, 0.1, 3.0)  # relative to ||theta|| / 3


class Skips(nn.Module):
    """Two branches, one with the weights of the other in reverse."""

    def __init__(self, activation):
        super().__init__()
        self.stem, self.a, self.b, self.head = linear(4, 5), linear(5, 5), linear(5, 5), linear(5, 1)
        self.activation = activation

    def forward(self, x):
        z = self.stem(x)
        z = self.b(self.activation(self.a(z))) + 0.5 * self.a(self.activation(self.b(z)))
        return self.head(z)


class Convolutions(nn.Module):
    def __init__(self, activation, **options):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, bias=False, **options), nn.Conv2d(4, 2, 2, bias=False)
        self.activation, self.head = activation, linear(2, 1)

    def forward(self, x):
        return self.head(self.second(self.activation(self.first(x))).mean((2, 3)))


class Products(nn.Module):
    """Products by entries with broadcasting, of computed tensors, a vector and a scalar."""

    def __init__(self):
        super().__init__()
        self.a, self.b = linear(4, 3), linear(4, 3)
        self.s, self.t = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(()))

    def forward(self, x):
        outer = self.a(x)[:, :, None] * self.b(x)[:, None, :]
        return (outer * self.s * self.t).sum((1, 2)) - (self.a(x) * self.b(x) * self.s * self.t).sum(1)


class Heads(nn.Module):
    """Attention without a softmax, two heads, projections cut from one matrix."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out, self.head = nn.Parameter(torch.ones(12, 4)), linear(4, 4), linear(4, 1)

    def forward(self, x):
        q, k, v = (part.unflatten(2, (2, 2)).transpose(1, 2) for part in F.linear(x, self.qkv).chunk(3, -1))
        mixed = (q @ k.mT / 3.0) @ v
        return self.head(self.out(mixed.transpose(1, 2).flatten(2))).mean((1, 2))


class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = linear(4, 3), linear(4, 2), linear(8, 1)

    def forward(self, x):
        u, v = self.a(x), self.b(x)
        return self.head(torch.cat([u, v, u], 1))[:, 0] - torch.stack([u[:, 0] ** 2, v[:, 1] ** 2], 1).sum(1)


class Positions(nn.Module):
    """A parameter times the input, a product with itself, a weight used squared."""

    def __init__(self):
        super().__init__()
        self.scale, self.inner, self.head = nn.Parameter(torch.ones(3, 4)), linear(4, 4), linear(4, 1)

    def forward(self, x):
        z = self.inner(x * self.scale)
        return F.linear(z * z, self.head.weight**2).mean((1, 2))


class SelfProduct(nn.Module):
    """z relu(z) and |z| z: continuously differentiable through a rectifier."""

    def forward(self, x):
        return x * torch.relu(x) + x.abs() * x


def normalized():
    first, norm = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
    layers = nn.Sequential(first, norm, SquaredReLU(), nn.Flatten(), linear(16, 1))
    layers[1].bias = None
    layers[1].running_var.copy_(torch.tensor([0.5, 1.0, 2.0, 3.0]))
    return layers


def self_products():
    return nn.Sequential(linear(4, 3), SelfProduct(), linear(3, 2), SquaredReLU(), linear(2, 1))


def one_dimension():
    first = nn.Conv1d(2, 3, 3, bias=False, stride=2, padding=1)
    return nn.Sequential(first, SquaredReLU(), nn.AvgPool1d(2), nn.Flatten(), linear(6, 1))


def circular():
    pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
    return pooled(pool, 18, padding=1, padding_mode="circular")


def perceptron(*between):
    return nn.Sequential(linear(4, 6), *between, linear(6, 1))


class Normalize(nn.Module):
    def forward(self, x):
        return x / x.square().sum(-1, keepdim=True).sqrt()


class UnitRows(nn.Module):
    def forward(self, x):
        return F.normalize(x, dim=-1, eps=1e-30)


class FrozenAttention(nn.Module):
    """Softmax attention whose scores have no trainable parameters."""

    def __init__(self):
        super().__init__()
        self.scores, self.values, self.head = linear(4, 4), linear(4, 4), linear(4, 1)
        self.scores.weight.requires_grad_(False)

    def forward(self, x):
        return self.head(torch.softmax(self.scores(x) @ x.mT, -1) @ self.values(x)).mean((1, 2))


def pooled(pool, width, **options):
    return nn.Sequential(nn.Conv2d(1, 2, 3, bias=False, **options), SquaredReLU(), pool, nn.Flatten(), linear(width, 1))


ZOO = {
    "every rectifier": (Functional, (4,)),
    "buffer": (WithBuffer, (4,)),
    "linear attention": (LinearAttention, (3, 4)),
    "attention heads": (Heads, (3, 4)),
    "tied": (tied, (4,)),
    "cnn": (cnn, (1, 6, 6)),
    "cube": (lambda: Power(3), (3,)),
    "skips, squared": (lambda: Skips(nn.Identity()), (4,)),
    "skips, relu": (lambda: Skips(nn.ReLU()), (4,)),
    "self product": (self_products, (4,)),
    "products": (Products, (4,)),
    "joined": (Joined, (4,)),
    "positions": (Positions, (3, 4)),
    "stride, groups": (lambda: Convolutions(SquaredReLU(), padding=1, stride=2, groups=2), (2, 6, 6)),
    "dilation": (lambda: Convolutions(SquaredReLU(), padding=1, dilation=2), (2, 6, 6)),
    "stride, dilation": (lambda: Convolutions(nn.Identity(), stride=2, dilation=2), (2, 8, 8)),
    "relu convolution": (lambda: Convolutions(nn.ReLU(), stride=2), (2, 6, 6)),
    "batch normalization": (normalized, (2, 4, 4)),
    "reflection": (lambda: pooled(nn.AvgPool2d(3, 2, 1), 18, padding=1, padding_mode="reflect"), (1, 5, 5)),
    "circular": (circular, (1, 5, 5)),
    "adaptive": (lambda: pooled(nn.AdaptiveAvgPool2d(2), 8), (1, 6, 6)),
    "one dimension": (one_dimension, (2, 7)),
    "weight normalization": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(linear(4, 3)), SquaredReLU(), linear(3, 1)),
        (4,),
    ),
    "layer normalization": (lambda: perceptron(nn.LayerNorm(6, eps=0.0, elementwise_affine=False)), (4,)),
    "affine layer normalization": (lambda: perceptron(nn.LayerNorm(6, eps=0.0, bias=False)), (4,)),
    "normalized rows": (lambda: perceptron(Normalize()), (4,)),
    "unit rows": (lambda: perceptron(UnitRows()), (4,)),
    "softmax of the data": (FrozenAttention, (3, 4)),
    "max pooling": (lambda: pooled(nn.MaxPool2d(3, 1, 1), 18), (1, 5, 5)),
}
# Divide by a norm, hence only bounded where the ball keeps away from its zeros.
DIVIDING = {name for name in ZOO if "normal" in name and "batch" not in name} | {"unit rows"}
# Rectifiers or maxima that no power smooths: C^{1,1} on small balls only.
KINKED = {"every rectifier", "buffer", "tied", "cnn", "skips, relu", "relu convolution", "max pooling"}
MODELS = {}


def model_of(name):
    if name not in MODELS:
        build, shape = ZOO[name]
        MODELS[name] = from_module(build(), X=np.random.default_rng(5).standard_normal((4, *shape)))
    return MODELS[name]


@pytest.mark.parametrize("name", ZOO)
def test_bounds_hold_for_users_modules(name):
    model, seed = model_of(name), list(ZOO).index(name) % 6
    X, theta = problem(model, seed if name not in DIVIDING else 2 * seed)
    if name in DIVIDING:
        theta = theta + 1e-3 * (theta == 0.0)
    radius = (RADII[len(name) % 3] if name not in DIVIDING else 1e-3) * float(theta.norm()) / 3.0
    local = check_soundness(model, X, theta, radius, seed)
    assert np.isfinite(local.lipschitz).all()
    if name not in KINKED:
        assert np.isfinite(local.smoothness).all() and local.obstacle == ""


def test_a_sample_without_an_output_spoils_no_other():
    """Normalizing zero has no value: no bound there, and the bounds elsewhere stay."""
    model = model_of("normalized rows")
    X, theta = problem(model, 1)  # the first sample is zero
    local = ConstantBounds(model, X, theta).at(1e-4 * float(theta.norm()))
    assert np.isfinite(local.lipschitz).tolist() == np.isfinite(local.smoothness).tolist() == [False, True, True]


@pytest.mark.parametrize("name", sorted(DIVIDING))
def test_no_bound_where_a_divisor_may_vanish_in_the_ball(name):
    model = model_of(name)
    X, theta = problem(model, 0)
    local = ConstantBounds(model, X, theta).at(10.0 * float(theta.norm()))
    assert np.isinf(local.lipschitz).all() and np.isinf(local.smoothness).all() and local.obstacle

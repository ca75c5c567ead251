"""Degrees by groups of parameters, against closed forms."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn
from user_modules import Function, LinearAttention, SquaredReLU, Untraceable, WithBuffer, cnn, linear, tied

from margin_projection._validation import InputError
from margin_projection.diagnosis.degree_groups import (
    DegreeGroups,
    Homogeneity,
    degree_groups,
    degree_groups_of,
    scaling_error,
)
from margin_projection.diagnosis.scalings import Scaling
from margin_projection.networks.module_function import ModuleFunction

EXACT = 1e-11


def mlp(activation=nn.ReLU, bias=False):
    layers = [nn.Linear(4, 5, bias), activation(), nn.Linear(5, 3, bias), activation(), nn.Linear(3, 1, bias)]
    return nn.Sequential(*layers)


class ResidualNetwork(nn.Module):
    """out(h + outer relu(inner h)) with h = stem(x), and the shortcut as it is or through two matrices."""

    def __init__(self, deep_shortcut=False, bias=False):
        super().__init__()
        self.stem, self.head = nn.Linear(4, 5, bias), nn.Linear(5, 1, bias)
        self.inner, self.outer = nn.Linear(5, 5, bias), nn.Linear(5, 5, bias)
        self.shortcut = nn.Sequential(linear(5, 5), linear(5, 5)) if deep_shortcut else nn.Identity()

    def forward(self, x):
        hidden = self.stem(x)
        return self.head(self.shortcut(hidden) + self.outer(torch.relu(self.inner(hidden))))


class SoftmaxAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.head = linear(4, 3), linear(4, 3), linear(4, 3), linear(3, 1)

    def forward(self, x):
        scores = torch.softmax(self.q(x) @ self.k(x).mT, -1)
        return self.head((scores @ self.v(x)).mean(1))


# name: module, input shape, kind, degree, weights, own degrees
CASES = {
    "relu": (mlp, (4,), "COMMON", 3, [1, 1, 1], [1, 1, 1]),
    "squared relu": (lambda: mlp(SquaredReLU), (4,), "COMMON", 7, [1, 1, 1], [4, 2, 1]),
    "biases": (lambda: mlp(bias=True), (4,), "QUASI", 3, [1, 1, 1, 2, 1, 3], [None] * 6),
    "first bias": (
        lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), linear(5, 1)), (4,), "COMMON", 2, [1, 1, 1], [None, None, 1],
    ),
    "squared relu, biases": (
        lambda: mlp(SquaredReLU, True), (4,), "QUASI", 7, [1, 1, 1, 3, 1, 7], [None, None, None, None, None, None],
    ),
    "convolution": (cnn, (1, 6, 6), "COMMON", 2, [1, 1], [1, 1]),
    "identity shortcut": (ResidualNetwork, (4,), "PARTIAL", 2, [1, 1, 0, 0], [1, 1, None, None]),
    "deep shortcut": (
        lambda: ResidualNetwork(deep_shortcut=True), (4,), "COMMON", 4, [1] * 6, [1, 1, None, None, None, None],
    ),
    "shortcut and biases": (
        lambda: ResidualNetwork(bias=True), (4,), "PARTIAL", 2, [1, 1, 1, 2, 0, 1, 0, 1], [None] * 8,
    ),
    "softmax attention": (SoftmaxAttention, (3, 4), "PARTIAL", 2, [0, 0, 1, 1], [None, None, 1, 1]),
    "linear attention": (LinearAttention, (3, 4), "COMMON", 3, [1, 1, 1], [1, 1, 1]),
    "layer norm": (
        lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5), linear(5, 1)), (4,),
        "PARTIAL", 2, [0, 1, 1, 1], [None, None, None, 1],
    ),
    "tiny eps": (
        lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5, eps=1e-14, bias=False), linear(5, 1)), (4,),
        "PARTIAL", 2, [0, 1, 1], [None, 1, 1],
    ),
    "layer norm without eps": (
        lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5, eps=0.0), linear(5, 1)), (4,),
        "COMMON", 2, [1, 1, 1, 1], [0, None, None, 1],
    ),
    "batch norm": (
        lambda: nn.Sequential(linear(4, 5), nn.BatchNorm1d(5), linear(5, 1)), (4,),
        "QUASI", 3, [1, 1, 2, 1], [None, None, None, 1],
    ),
    "trainable slope": (
        lambda: nn.Sequential(linear(4, 5), nn.PReLU(), linear(5, 1)), (4,), "PARTIAL", 2, [1, 0, 1], [1, None, 1],
    ),
    "tied": (tied, (4,), "COMMON", 3, [1, 1], [2, 1]),
    "frozen head and a buffer": (WithBuffer, (4,), "COMMON", 1, [1], [1]),
    "no vmap": (Untraceable, (4,), "COMMON", 2, [1, 1], [1, 1]),
    "square root": (lambda: Function(lambda w, x: x @ w.abs().sqrt()), (3,), "COMMON", 0.5, [1], [0.5]),
    "inverse": (lambda: Function(lambda w, x: x @ (1 / w)), (3,), "NONE", None, [0], [-1]),
    "degree zero": (lambda: Function(lambda w, x: x @ (w / w.norm())), (3,), "NONE", None, [0], [0]),
    "sine": (lambda: Function(lambda w, x: torch.sin(x @ w)), (3,), "NONE", None, [0], [None]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_degrees_against_closed_forms(name: str) -> None:
    torch.manual_seed(1)
    build, shape, kind, degree, weights, own = CASES[name]
    found = degree_groups(build(), shape)
    assert (found.kind.name, found.degree) == (kind, degree)
    assert [group.weight for group in found.groups] == weights
    assert [group.own_degree for group in found.groups] == own
    assert found.scaling_error < EXACT
    assert (found.residual < EXACT) == (name not in ("degree zero", "sine"))
    assert found.kind.is_homogeneous == (not found.advice and not found.offender) or kind == "NONE"
    assert found.reason and found.kind.value in str(found)


def test_symmetries_are_counted() -> None:
    """A bias-free network of L layers has L - 1 scalings that leave it as it is; tied matrices have one fewer."""
    assert degree_groups(mlp()).num_symmetries == 2
    assert degree_groups(tied()).num_symmetries == 1
    assert degree_groups(mlp(bias=True)).num_symmetries == 2


@pytest.mark.parametrize(
    ("build", "shape", "advice", "repaired"),
    [
        (lambda: mlp(bias=True), (4,), "remove the bias of '2', '4'", 3.0),
        (ResidualNetwork, (4,), "as many weight layers on the shortcut .* degree 1 and 3 meet", None),
        (lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5), linear(5, 1)), (4,), "set eps of '1' to 0", 2.0),
        (SoftmaxAttention, (3, 4), "replace the softmax attention of the module by linear attention", None),
        (lambda: nn.Sequential(linear(4, 5), nn.GELU(), linear(5, 1)), (4,), "activation of '1' by a ReLU", None),
        (lambda: nn.Sequential(linear(4, 5), nn.ReLU6(), linear(5, 1)), (4,), "saturating activation of '1'", None),
        (lambda: nn.Sequential(linear(4, 5), nn.PReLU(), linear(5, 1)), (4,), "freeze the slope of '1'", None),
    ],
)
def test_advice(build, shape, advice: str, repaired: float | None) -> None:
    torch.manual_seed(1)
    found = degree_groups(build(), shape)
    assert any(re.search(advice, sentence) for sentence in found.advice), found.advice
    assert found.repaired_degree == repaired and found.offender


def test_every_fault_behind_the_first_one_is_named() -> None:
    """Biases inside attention and after it, and the softmax between them."""
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    found = degree_groups(nn.Sequential(nn.Linear(4, 4), layer, nn.Flatten(), nn.Linear(12, 1)), (3, 4))
    assert found.kind is Homogeneity.PARTIAL
    assert found.advice == (
        "remove the in_proj_bias and the out_proj.bias of '1.self_attn'",
        "replace the softmax attention of '1.self_attn' by linear attention (Q K^T) V",
    )


def test_the_scaling_is_checked_directly() -> None:
    function = ModuleFunction(mlp(bias=True))
    right, wrong = Scaling((1.0, 1.0, 1.0, 2.0, 1.0, 3.0), 3.0), Scaling((1.0,) * 6, 3.0)
    assert scaling_error(function, right) < EXACT < 1e-3 < scaling_error(function, wrong)


def test_a_function_that_satisfies_eulers_identity_piecewise_is_caught_by_scaling() -> None:
    """Linear on both sides of a jump: f(c w) is not c f(w) across it."""

    def jump(w, x):
        return torch.where(w.abs().sum() > 1e-3, 1.0, 2.0) * (x @ w)

    found = degree_groups(Function(jump), (3,))
    assert found.kind is Homogeneity.NONE and found.degree is None and "scaling changes f" in found.reason


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(linear(4, 5), nn.Dropout(0.5), nn.LayerNorm(5), nn.Linear(5, 1))
    before = copy.deepcopy(module.state_dict())
    degree_groups(module)
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert module.training and module[2].eps == 1e-5 and all(value.requires_grad for value in module.parameters())
    assert module[0].weight.dtype == torch.float32


def test_frozen_groups_take_no_part() -> None:
    """With its branch frozen a residual network is homogeneous: the advice comes true."""
    module = ResidualNetwork()
    for layer in (module.inner, module.outer):
        layer.weight.requires_grad_(False)
    found = degree_groups(module)
    assert found.kind is Homogeneity.COMMON and found.degree == 2.0 and found.fixed == ()


def test_the_same_seed_gives_the_same_answer() -> None:
    module = mlp(bias=True)
    first, second, other = (degree_groups(module, seed=seed) for seed in (0, 0, 1))
    assert isinstance(first, DegreeGroups) and first == second
    assert [group.weight for group in other.groups] == [group.weight for group in first.groups]
    X = np.random.default_rng(0).standard_normal((7, 4))
    assert degree_groups_of(ModuleFunction(module, X=X), X).degree == 3.0


BAD = {
    "detached": (Function(lambda w, x: (x @ w) * w.detach().norm()), "true derivatives"),
    "straight through": (Function(lambda w, x: x @ (w + (w.sign() * w.norm() - w).detach())), "true derivatives"),
    "vanishing": (Function(lambda w, x: 0 * (x @ w)), "not zero at every trial"),
    "two outputs": (nn.Linear(3, 2, bias=False), "one output a sample"),
    "no parameters": (nn.Flatten(), "trainable parameters"),
    "all frozen": (nn.Linear(3, 1).requires_grad_(False), "trainable parameters"),
    "no module": (lambda x: x, "torch.nn.Module"),
    "noise": (Function(lambda w, x: x @ w * torch.rand(())), "without randomness"),
    "wrong width": (linear(4, 1), "accepts X of shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_unsuitable_modules_are_refused(name: str) -> None:
    module, message = BAD[name]
    with pytest.raises(InputError, match=message):
        degree_groups(module, (3,))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="seed must be"):
        degree_groups(mlp(), seed=-1)
    with pytest.raises(InputError, match="input_shape must be given"):
        degree_groups(cnn())

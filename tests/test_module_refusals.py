"""User modules that are no homogeneous models: the submodule at fault is named."""

import numpy as np
import pytest
import torch
from torch import nn
from user_modules import Function, Residual, WithBuffer, cnn, linear, tied

from margin_projection._validation import InputError
from margin_projection.networks.homogeneity import HomogeneityError
from margin_projection.networks.module import from_module

OFFENDERS = {
    "bias": (lambda: nn.Sequential(linear(4, 5), nn.ReLU(), nn.Linear(5, 1)), r"submodule '2' \(Linear\) has a bias"),
    "convolution bias": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 2), nn.Conv1d(2, 2, 2), nn.Flatten(), linear(4, 1)
        ),
        r"submodule '2' \(Conv1d\) has a bias, .* degree 2",
    ),
    "residual": (
        lambda: nn.Sequential(linear(4, 4), Residual(nn.Identity()), linear(4, 1)),
        r"submodule '1' \(Residual\) adds terms of different degree \(operation add on degrees 3 and 1\)",
    ),
    "softmax": (
        lambda: nn.Sequential(linear(4, 5), nn.Softmax(1), linear(5, 1)),
        r"submodule '1' \(Softmax\) is not homogeneous: a softmax .* degree 1",
    ),
    "layer norm": (
        lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5), linear(5, 1)),
        r"submodule '1' \(LayerNorm\) has eps = 1e-05",
    ),
    "tiny eps": (
        lambda: nn.Sequential(linear(4, 5), nn.LayerNorm(5, eps=1e-14, bias=False), linear(5, 1)),
        r"submodule '1' \(LayerNorm\) has eps = 1e-14",
    ),
    "root mean square norm": (
        lambda: nn.Sequential(linear(4, 5), nn.RMSNorm(5), linear(5, 1)), r"\(RMSNorm\) has eps at machine precision",
    ),
    "batch norm": (
        lambda: nn.Sequential(linear(4, 5), nn.BatchNorm1d(5), linear(5, 1)),
        r"submodule '1' \(BatchNorm1d\) has a bias",
    ),
    "trained batch norm": (
        lambda: trained(nn.Sequential(linear(4, 5), nn.BatchNorm1d(5, affine=False), linear(5, 1))),
        r"submodule '1' \(BatchNorm1d\) has a running mean",
    ),
    "gelu": (lambda: nn.Sequential(linear(4, 5), nn.GELU(), linear(5, 1)), r"submodule '1' \(GELU\)"),
    "tanh": (lambda: nn.Sequential(linear(4, 5), nn.Tanh(), linear(5, 1)), r"submodule '1' \(Tanh\) .* saturates"),
    "relu6": (lambda: nn.Sequential(linear(4, 5), nn.ReLU6(), linear(5, 1)), r"\(ReLU6\).* clamp at a fixed level"),
    "trainable slope": (lambda: nn.Sequential(linear(4, 5), nn.PReLU(), linear(5, 1)), r"\(PReLU\).* trainable slope"),
    "functional": (
        lambda: FunctionalSigmoid(),
        r"module itself \(FunctionalSigmoid\), outside its submodules, .* a sigmoid saturates",
    ),
}


class FunctionalSigmoid(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = linear(4, 3), linear(3, 1)

    def forward(self, x):
        return self.head(torch.sigmoid(self.body(x)))


def trained(module):
    module(torch.randn(8, 4) + 1.0)
    return module


@pytest.mark.parametrize("name", OFFENDERS)
def test_the_submodule_at_fault_is_named(name):
    torch.manual_seed(1)
    build, message = OFFENDERS[name]
    with pytest.raises(HomogeneityError, match=message):
        from_module(build(), (4,))


def test_attention_is_named_inside_a_transformer():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    module = nn.Sequential(layer, nn.Flatten(), linear(12, 1))
    with pytest.raises(HomogeneityError, match=r"'0.self_attn' \(MultiheadAttention\) .* a softmax .* degree 2"):
        from_module(module, (3, 4))


def test_the_diagnosis_leaves_the_module_usable():
    module = nn.Sequential(linear(4, 5), nn.LayerNorm(5), linear(5, 1))
    with pytest.raises(HomogeneityError):
        from_module(module, (4,))
    assert module[1].eps == 1e-5
    assert not module[0]._forward_hooks


def test_states_that_do_not_fit_are_refused():
    model = from_module(WithBuffer(), (4,))
    state = model.to_module(np.ones(model.num_parameters)).state_dict()
    with pytest.raises(InputError, match="state must be a state dictionary"):
        model.from_state({"body.weight": state["body.weight"]})
    with pytest.raises(InputError, match=r"state\['shift'\] must be the model's frozen tensor"):
        model.from_state(state | {"shift": state["shift"] + 1.0})
    with pytest.raises(InputError, match=r"of shape \(3, 4\)"):
        model.from_state(state | {"body.weight": torch.ones(4, 3)})
    with pytest.raises(InputError, match="finite"):
        model.from_state(state | {"body.weight": torch.full((3, 4), torch.nan)})
    frozen = {key: value.numpy() for key, value in state.items()}
    frozen["shift"].setflags(write=False)
    assert np.array_equal(model.from_state(frozen), np.ones(model.num_parameters))
    model = from_module(tied())
    state = model.to_module(np.ones(model.num_parameters)).state_dict()
    with pytest.raises(InputError, match="tied"):
        model.from_state(state | {"2.weight": 2.0 * state["2.weight"]})


BAD = {
    "two outputs": (nn.Linear(3, 2, bias=False), "one output a sample"),
    "no parameters": (nn.Flatten(), "trainable parameters"),
    "uninitialized": (nn.LazyLinear(1), "initialized parameters"),
    "no module": (lambda x: x, "torch.nn.Module"),
    "batch mean": (Function(lambda w, x: (x - x.mean(0)) @ w), "each sample by itself"),
    "noise": (Function(lambda w, x: x @ w * torch.rand(())), "without randomness"),
    "single precision": (Function(lambda w, x: x.float() @ w.float()), "float64"),
    "wrong width": (nn.Linear(4, 1, bias=False), "accepts X of shape"),
    "degree zero": (Function(lambda w, x: x @ (w / w.norm())), "degree above 0"),
    "vanishing": (Function(lambda w, x: 0 * (x @ w)), "vanished"),
    "detached": (Function(lambda w, x: (x @ w) * w.detach().norm()), "differs from r f"),
    "straight through": (Function(lambda w, x: x @ (w + (w.sign() * w.norm() - w).detach())), "differs from r f"),
}


@pytest.mark.parametrize("name", BAD)
def test_unsuitable_modules_are_refused(name):
    module, message = BAD[name]
    with pytest.raises(InputError, match=message):
        from_module(module, (3,))


def test_an_input_shape_is_inferred_or_asked_for():
    assert from_module(linear(3, 1)).input_shape == (3,)
    assert from_module(cnn(), X=np.ones((2, 1, 6, 6))).input_shape == (1, 6, 6)
    with pytest.raises(InputError, match="input_shape must be given"):
        from_module(cnn())
    with pytest.raises(InputError, match="X must be"):
        from_module(linear(3, 1), (3,), X=np.ones((2, 4)))

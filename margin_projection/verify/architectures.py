"""Small networks for the 8 x 8 digits, one scalar output: what practitioners build, and homogeneous variants of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from margin_projection._validation import check_integer, check_real
from margin_projection.tasks import Task

_SIDE, _PIXELS, _PATCH = 8, 64, 4
_CHECKED = 10  # steps of training between looks at the margins


class SquaredReLU(nn.Module):
    """max(z, 0)^2: once continuously differentiable, degree 2."""

    def forward(self, z: Tensor) -> Tensor:
        """Elementwise."""
        return torch.relu(z) ** 2


class Image(nn.Module):
    """(n, 64) to (n, 1, 8, 8)."""

    def forward(self, x: Tensor) -> Tensor:
        """A view."""
        return x.reshape(-1, 1, _SIDE, _SIDE)


def mlp(
    width: int = 16, depth: int = 3, bias: bool = False, activation: Callable[[], nn.Module] = nn.ReLU
) -> nn.Module:
    """A fully connected network (64, width, ..., width, 1) of ``depth`` weight layers."""
    layers: list[nn.Module] = []
    widths = [_PIXELS, *[width] * (depth - 1), 1]
    for position in range(depth):
        layers += [activation()] if position else []
        layers.append(nn.Linear(widths[position], widths[position + 1], bias=bias))
    return nn.Sequential(*layers)


def convolutional(channels: int = 6) -> nn.Module:
    """Two bias-free convolutions of stride 2 and a linear layer, ReLU: degree 3."""
    return nn.Sequential(
        Image(),
        nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * channels, 1, bias=False),
    )


class Block(nn.Module):
    """shortcut(h) + outer(relu(inner(h))), each weight layer followed by ``norm``."""

    def __init__(self, channels: int, deep_shortcut: bool, norm: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.inner, self.inner_norm = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm()
        self.outer, self.outer_norm = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm()
        single = (nn.Conv2d(channels, channels, 1, bias=False) for _ in range(2))
        self.shortcut = nn.Sequential(*single) if deep_shortcut else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        """(n, channels, height, width) to the same shape."""
        branch = self.outer_norm(self.outer(torch.relu(self.inner_norm(self.inner(h)))))
        return self.shortcut(h) + branch


def residual(
    channels: int = 4, blocks: int = 2, deep_shortcut: bool = False, norm: Callable[[], nn.Module] = nn.Identity
) -> nn.Module:
    """A residual network on 4 x 4 feature maps: stem of stride 2, blocks, average over positions, linear head.

    Args:
        channels: of the feature maps (default 4).
        blocks: how many (default 2).
        deep_shortcut: two 1 x 1 convolutions on every shortcut, as many weights as the branch has, instead of the
            identity: then the network is homogeneous (default False).
        norm: builds the normalization behind each weight layer of a branch (default none).
    """
    stem = nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False)
    body = [Block(channels, deep_shortcut, norm) for _ in range(blocks)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1, bias=False)]
    return nn.Sequential(Image(), stem, *body, *head)


class Attention(nn.Module):
    """One head of self-attention over tokens (n, tokens, width), three ways to weigh them.

    "softmax": softmax(Q K^T / sqrt(width)) V. "linear": (Q K^T) V / tokens, degree 3 in the weights and in the tokens.
    "ratio": the entries of Q^2 (K^2)^T divided by their sums, times V: degree 0 in the weights of Q and K, 1 in V.
    """

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.kind = kind

    def forward(self, h: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        query, key, value = self.query(h), self.key(h), self.value(h)
        if self.kind == "softmax":
            weights = torch.softmax(query @ key.mT / h.shape[-1] ** 0.5, -1)
        elif self.kind == "linear":
            weights = query @ key.mT / h.shape[1]
        else:
            scores = query**2 @ (key**2).mT
            weights = scores / scores.sum(-1, keepdim=True)
        return self.out(weights @ value)


class VisionTransformer(nn.Module):
    """16 patches of 2 x 2 pixels, one attention layer and one ReLU layer, mean over tokens, linear head.

    Args:
        kind: of `Attention`. "softmax" comes with layer norms, biases, identity shortcuts, as usual; the others have
            no norm and no bias; "ratio" has shortcuts of as many weight layers as the branch, "linear" none.
        width: of the tokens.
    """

    def __init__(self, kind: str, width: int = 6) -> None:
        super().__init__()
        usual = kind == "softmax"
        self.embed = nn.Linear(_PATCH, width, bias=usual)
        self.position = nn.Parameter(0.1 * torch.randn(_PIXELS // _PATCH, width))
        self.attention = Attention(width, kind)
        self.inner, self.outer = nn.Linear(width, 2 * width, bias=usual), nn.Linear(2 * width, width, bias=usual)
        self.norms = nn.ModuleList(nn.LayerNorm(width) if usual else nn.Identity() for _ in range(3))
        self.shortcuts = nn.ModuleList(_shortcut(width, kind) for _ in range(2))
        self.head = nn.Linear(width, 1, bias=usual)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 64) to (n, 1)."""
        patches = x.reshape(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, _PIXELS // _PATCH, _PATCH)
        h = self.embed(patches) + self.position
        h = self._add(0, h, self.attention(self.norms[0](h)))
        h = self._add(1, h, self.outer(torch.relu(self.inner(self.norms[1](h)))))
        return self.head(self.norms[2](h).mean(1))

    def _add(self, position: int, h: Tensor, branch: Tensor) -> Tensor:
        """The branch and its shortcut, which linear attention, of degree 3 in the tokens, goes without."""
        return branch if self.attention.kind == "linear" else self.shortcuts[position](h) + branch


def _shortcut(width: int, kind: str) -> nn.Module:
    """Two layers for "ratio", as many as the branches beside them have; else the identity."""
    if kind != "ratio":
        return nn.Identity()
    return nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(2)))


def _channel_norm() -> nn.Module:
    return nn.GroupNorm(1, 4)


ARCHITECTURES: Mapping[str, Callable[[], nn.Module]] = {
    "MLP": mlp,
    "MLP, squared ReLU": lambda: mlp(activation=SquaredReLU),
    "MLP with biases": lambda: mlp(bias=True),
    "CNN": convolutional,
    "ResNet, identity shortcuts": residual,
    "ResNet, weighted shortcuts": lambda: residual(deep_shortcut=True),
    "ResNet, batch norm": lambda: residual(norm=lambda: nn.BatchNorm2d(4)),
    "ResNet, layer norm": lambda: residual(norm=_channel_norm),
    "ViT, softmax attention": lambda: VisionTransformer("softmax"),
    "ViT, linear attention": lambda: VisionTransformer("linear"),
    "ViT, ratio attention": lambda: VisionTransformer("ratio"),
}
"""name -> builder of an untrained module (n, 64) -> (n, 1); `build` seeds it."""


def build(name: str, seed: int = 0) -> nn.Module:
    """The module of `ARCHITECTURES`, its initial parameters drawn with ``seed``, in float64."""
    check_integer("seed", seed, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[name]().double()


def train(module: nn.Module, tasks: Sequence[Task], steps: int = 400, rate: float = 1e-2) -> nn.Module:
    """Full-batch Adam on the mean logistic loss of all tasks (mean squared error for regression), in place.

    Stops early once every margin y f is at least 1 in evaluation mode. The module is in evaluation mode afterwards.

    Args:
        module: float64, (n, ...) to (n, 1).
        tasks: over one input shape.
        steps: at most this many (default 400).
        rate: Adam's step size (default 0.01).
    """
    check_integer("steps", steps, 0)
    check_real("rate", rate, 0.0, open_below=True)
    X = torch.cat([torch.tensor(task.X) for task in tasks])
    y = torch.cat([torch.tensor(task.y) for task in tasks])
    classifies = torch.cat([torch.full((task.num_samples,), task.kind == "classification") for task in tasks])
    optimizer = torch.optim.Adam([value for value in module.parameters() if value.requires_grad], lr=rate)
    module.train()
    for step in range(steps):
        if step % _CHECKED == 0 and _separates(module, X, y, classifies):
            break
        outputs = module(X).reshape(-1)
        losses: Any = torch.where(classifies, nn.functional.softplus(-y * outputs), (outputs - y) ** 2)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
    return module.eval()


def _separates(module: nn.Module, X: Tensor, y: Tensor, classifies: Tensor) -> bool:
    """Whether every margin is at least 1; False for regression."""
    module.eval()
    with torch.no_grad():
        least = float((y * module(X).reshape(-1)).min())
    module.train()
    return bool(classifies.all()) and least >= 1.0

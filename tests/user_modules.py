"""Modules as users write them, for the tests of `from_module`."""

import torch
from torch import nn


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Power(nn.Module):
    """<theta^k, x>: degree k, smooth."""

    def __init__(self, exponent):
        super().__init__()
        self.weight, self.exponent = nn.Parameter(torch.ones(3)), exponent

    def forward(self, x):
        return x @ self.weight**self.exponent


class SquaredReLU(nn.Module):
    def forward(self, x):
        return torch.relu(x) ** 2


class Functional(nn.Module):
    """Every way to call a rectifier, in place and not, on a transposed batch."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = linear(4, 5), linear(5, 3), linear(3, 1)

    def forward(self, x):
        hidden = nn.functional.leaky_relu(self.first(x).T, 0.2).T
        hidden = self.second(hidden)
        kept = hidden.relu_()
        return self.head(kept.abs() + hidden.clamp(min=0) + (-hidden).relu())


class WithBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = linear(4, 3), linear(3, 1)
        self.register_buffer("shift", torch.tensor([1.0, -2.0, 0.5, 0.0]))
        self.head.weight.requires_grad_(False)

    def forward(self, x):
        return self.head(torch.relu(self.body(x + self.shift)))


class Untraceable(nn.Module):
    """Control flow that depends on the data: no vmap."""

    def __init__(self):
        super().__init__()
        self.body, self.head = linear(4, 3), linear(3, 1)

    def forward(self, x):
        rows = [torch.relu(self.body(row)) * (2.0 if float(row.sum()) > 0 else 1.0) for row in x]
        return self.head(torch.stack(rows))[:, 0]


class LinearAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = linear(4, 3), linear(4, 3), linear(4, 1)

    def forward(self, x):
        return (self.q(x) @ self.k(x).mT @ self.v(x)).mean((1, 2))


class Residual(nn.Module):
    def __init__(self, skip):
        super().__init__()
        self.inner, self.outer, self.skip = linear(4, 4), linear(4, 4), skip

    def forward(self, x):
        return self.outer(torch.relu(self.inner(x))) + self.skip(x)


def tied():
    module = nn.Sequential(linear(4, 4), nn.ReLU(), linear(4, 4), nn.ReLU(), linear(4, 1))
    module[2].weight = module[0].weight
    return module


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Flatten(), linear(12, 1)
    )


class Function(nn.Module):
    """f(x) = function(theta, x) with theta of shape (3,)."""

    def __init__(self, function):
        super().__init__()
        self.weight, self.function = nn.Parameter(torch.ones(3)), function

    def forward(self, x):
        return self.function(self.weight, x)

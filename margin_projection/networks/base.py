"""The contract every model fulfils: a positively homogeneous scalar function of a flat float64 parameter vector."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import Array, parameters_to_tensor, restore, to_tensor
from margin_projection._validation import InputError, check_choice, check_integer, check_real
from margin_projection.networks.linearization import Linearization


class Structure(enum.Enum):
    """What is known of f as a function of theta; it decides which projection is available and what it certifies."""

    LINEAR = "f(x; theta) = <a(x), theta>"
    DIAGONAL_QUADRATIC = "f(x; theta) = <q(x), theta^2>, squares elementwise"
    QUADRATIC = "f(x; theta) = theta^T A(x) theta"
    RIDGE_SUM = "f(x; theta) = sum_j g_j phi(<w_j, x>), phi a (leaky) rectifier: piecewise linear in theta"
    GENERAL = "no structure beyond positive homogeneity"


class Model(ABC):
    """A function f(x; theta), positively homogeneous of ``degree`` r in theta: f(x; c theta) = c^r f(x; theta), c > 0.

    Attributes:
        degree: r > 0.
        num_parameters: p, the length of theta.
        input_shape: the shape of one sample, ``(d,)`` for vectors.
        structure: see `Structure`.
        smooth: whether f is twice continuously differentiable in theta everywhere.
        nonsmooth_operations: names of operations that break smoothness where `Linearization.breaks` cannot tell.
    """

    degree: float
    num_parameters: int
    input_shape: tuple[int, ...]
    structure: Structure = Structure.GENERAL
    smooth: bool = True
    nonsmooth_operations: tuple[str, ...] = ()

    def __call__(self, theta: Array, X: Array) -> Array:
        """Outputs f(x_i; theta): (n,) for theta (p,), (B, n) for a batch (B, p); X is (n, *input_shape).

        The result has theta's container (numpy or torch) and lives on theta's device.

        Raises:
            InputError: a shape does not fit, or a value is not finite.
        """
        tensor = parameters_to_tensor("theta", theta, self.num_parameters)
        outputs = self.forward(tensor, self.inputs_to_tensor(X, tensor.device))
        return restore(outputs, theta)

    def inputs_to_tensor(self, X: Any, device: torch.device | None = None) -> Tensor:
        """X as a float64 tensor (n, *input_shape) on ``device``, checked."""
        tensor = to_tensor("X", X, device=device)
        if tensor.ndim != 1 + len(self.input_shape) or tuple(tensor.shape[1:]) != self.input_shape:
            raise InputError("X", X, f"of shape (n, {', '.join(map(str, self.input_shape))})")
        return tensor

    @abstractmethod
    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        """Unchecked `__call__` on tensors, differentiable: theta (..., p), X (n, *input_shape) -> (..., n)."""

    @abstractmethod
    def linearize(self, theta: Tensor, X: Tensor) -> Linearization:
        """First- and second-order information at theta (p,) for the samples X, as unchecked tensors."""

    def coefficients(self, X: Tensor) -> Tensor:
        """The data of ``structure``: a (n, p) for LINEAR, q (n, p) for DIAGONAL_QUADRATIC, A (n, p, p) for QUADRATIC.

        Raises:
            TypeError: the structure has no coefficients.
        """
        raise TypeError(f"{self!r} has structure {self.structure.name}, which has no coefficients")

    @abstractmethod
    def fan_in(self) -> np.ndarray:
        """(p,) the number of weights that enter the same unit as each parameter; it scales `initialize`."""

    def initialize(self, seed: int, scheme: str = "he", scale: float = 1.0) -> np.ndarray:
        """A random parameter vector (p,).

        Args:
            seed: a nonnegative integer; the same seed gives the same vector.
            scheme: "he" (normal, variance 2 / fan_in), "lecun" (normal, variance 1 / fan_in), "normal" (variance 1)
                or "sphere" (uniform on the unit sphere of R^p).
            scale: factor on the whole vector, at least 0 (default 1).
        """
        check_integer("seed", seed, 0)
        check_choice("scheme", scheme, ("he", "lecun", "normal", "sphere"))
        check_real("scale", scale, 0.0)
        theta = np.random.default_rng(seed).standard_normal(self.num_parameters)
        if scheme == "sphere":
            theta /= np.linalg.norm(theta)
        elif scheme != "normal":
            theta *= np.sqrt({"he": 2.0, "lecun": 1.0}[scheme] / self.fan_in())
        return scale * theta

    @abstractmethod
    def to_module(self, theta: Array) -> nn.Module:
        """A float64 ``torch.nn.Module`` that computes f(.; theta): (n, *input_shape) -> (n,)."""

    @abstractmethod
    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        """The flat parameter vector (p,) of a state dictionary of `to_module`'s result.

        Raises:
            InputError: a key is missing or unknown, or a shape does not fit.
        """

"""A model in other coordinates, theta = R phi: a metric of the parameters turned into the Euclidean one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._arrays import Array, parameters_to_tensor, restore, to_tensor
from margin_projection._validation import InputError
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.linearization import Kinks, Linearization

_SINGULAR = 1e-14  # relative singular value at which a root counts as singular
_BLOCK = 4_000_000  # numbers held at a time while a Gram matrix is formed


class Reparametrized(Model):
    """f(x; R phi) as a function of phi; of the same degree, since R is linear.

    With R = B^{-1/2}, ||phi - phi'|| = ||theta - theta'||_B: the B-weighted projection in theta is the Euclidean one in
    phi. LINEAR and QUADRATIC structure are kept, DIAGONAL_QUADRATIC where R is diagonal.

    Args:
        model: any `Model`.
        root: R, (p,) nonzero diagonal or (p, p) invertible.

    Raises:
        InputError: the root has another shape, or is singular.

    >>> from margin_projection.networks.linear import Linear
    >>> Reparametrized(Linear(2), [2.0, 3.0])(np.array([1.0, 1.0]), np.array([[1.0, 1.0]]))
    array([5.])
    """

    def __init__(self, model: Model, root: Any) -> None:
        if not isinstance(model, Model):
            raise InputError("model", model, "a margin_projection model")
        p = model.num_parameters
        self.model, self.root = model, to_tensor("root", root)
        if tuple(self.root.shape) not in ((p,), (p, p)):
            raise InputError("root", root, f"of shape ({p},) or ({p}, {p})")
        sizes = self.root.abs() if self.is_diagonal else torch.linalg.svdvals(self.root)
        if not float(sizes.min()) > _SINGULAR * float(sizes.max()):
            raise InputError("root", root, "invertible")
        self.degree, self.num_parameters, self.input_shape = model.degree, p, model.input_shape
        self.smooth, self.nonsmooth_operations = model.smooth, model.nonsmooth_operations
        self.structure = self._find_structure()

    @property
    def is_diagonal(self) -> bool:
        """Whether R is given by its diagonal."""
        return self.root.ndim == 1

    def _find_structure(self) -> Structure:
        inner = self.model.structure
        if inner in (Structure.LINEAR, Structure.QUADRATIC):
            return inner
        if inner is Structure.DIAGONAL_QUADRATIC:
            return inner if self.is_diagonal else Structure.QUADRATIC
        return Structure.GENERAL

    def _apply(self, phi: Tensor) -> Tensor:
        """R phi for phi (..., p)."""
        root = self.root.to(phi.device)
        return phi * root if self.is_diagonal else phi @ root.T

    def _apply_transposed(self, vector: Tensor) -> Tensor:
        root = self.root.to(vector.device)
        return vector * root if self.is_diagonal else vector @ root

    def to_theta(self, phi: Array) -> Any:
        """theta = R phi, for phi (p,) or (B, p)."""
        return restore(self._apply(parameters_to_tensor("phi", phi, self.num_parameters)), phi)

    def from_theta(self, theta: Array) -> Any:
        """phi = R^{-1} theta, for theta (p,) or (B, p)."""
        tensor = parameters_to_tensor("theta", theta, self.num_parameters)
        root = self.root.to(tensor.device)
        phi = tensor / root if self.is_diagonal else torch.linalg.solve(root, tensor.unsqueeze(-1)).squeeze(-1)
        return restore(phi, theta)

    def forward(self, theta: Tensor, X: Tensor) -> Tensor:
        return self.model.forward(self._apply(theta), X)

    def linearize(self, theta: Tensor, X: Tensor) -> Linearization:
        return _Chained(self, self.model.linearize(self._apply(theta), X))

    def coefficients(self, X: Tensor) -> Tensor:
        inner, root = self.model.coefficients(X), self.root.to(X.device)
        if self.model.structure is Structure.LINEAR:
            return self._apply_transposed(inner)
        if self.model.structure is Structure.DIAGONAL_QUADRATIC:
            return inner * root.square() if self.is_diagonal else (root.T * inner[:, None, :]) @ root
        matrix = torch.diag(root) if self.is_diagonal else root
        return matrix.T @ inner @ matrix

    def fan_in(self) -> np.ndarray:
        return self.model.fan_in()

    def initialize(self, seed: int, scheme: str = "he", scale: float = 1.0) -> np.ndarray:
        """phi with R phi the inner model's `initialize`."""
        return np.asarray(self.from_theta(self.model.initialize(seed, scheme, scale)))

    def to_module(self, theta: Array) -> nn.Module:
        return self.model.to_module(self.to_theta(theta))

    def from_state(self, state: dict[str, Tensor]) -> np.ndarray:
        return np.asarray(self.from_theta(self.model.from_state(state)))

    def __repr__(self) -> str:
        return f"Reparametrized({self.model!r}, {'diagonal' if self.is_diagonal else 'full'})"


class _Chained(Linearization):
    """The chain rule: J R, R^T J^T, R^T H R."""

    def __init__(self, outer: Reparametrized, inner: Linearization) -> None:
        self._outer, self._inner = outer, inner
        self.values, self.num_parameters = inner.values, inner.num_parameters

    def apply(self, vector: Tensor) -> Tensor:
        return self._inner.apply(self._outer._apply(vector))

    def apply_rows(self, vector: Tensor, rows: Tensor) -> Tensor:
        return self._inner.apply_rows(self._outer._apply(vector), rows)

    def row_gradients(self, rows: Tensor) -> Tensor | None:
        gradients = self._inner.row_gradients(rows)
        return None if gradients is None else self._outer._apply_transposed(gradients)

    def adjoint(self, weights: Tensor) -> Tensor:
        return self._outer._apply_transposed(self._inner.adjoint(weights))

    def gram(self) -> Tensor:
        rows = torch.arange(self.values.numel(), device=self.values.device)
        total = torch.zeros(len(rows), len(rows), dtype=self.values.dtype, device=self.values.device)
        blocks = [self._gradients(each) for each in rows.split(max(1, _BLOCK // self.num_parameters))]
        first = 0
        for left in blocks:
            total[first : first + len(left)] = torch.cat([left @ right.T for right in blocks], 1)
            first += len(left)
        return total

    def _gradients(self, rows: Tensor) -> Tensor:
        gradients = self.row_gradients(rows)
        if gradients is not None:
            return gradients
        units = torch.zeros(len(rows), self.values.numel(), dtype=self.values.dtype, device=self.values.device)
        units[torch.arange(len(rows)), rows] = 1.0
        return torch.stack([self.adjoint(unit) for unit in units])

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        return self._outer._apply_transposed(self._inner.hessian_vector(weights, self._outer._apply(vector)))

    def kinks(self) -> Kinks:
        return self._inner.kinks()

    def preactivations(self) -> Tensor:
        return self._inner.preactivations()

    def breaks(self) -> tuple[Tensor, Tensor]:
        return self._inner.breaks()

    def with_fractions(self, index: Tensor, fractions: Tensor) -> Linearization:
        return _Chained(self._outer, self._inner.with_fractions(index, fractions))

    def kink_changes(self, vector: Tensor) -> Tensor:
        return self._inner.kink_changes(self._outer._apply(vector))

    def with_kinks(self, kinks: Kinks) -> Linearization:
        return _Chained(self._outer, self._inner.with_kinks(kinks))

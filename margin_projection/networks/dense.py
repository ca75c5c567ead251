"""A linearization that holds its Jacobian: for models with few parameters or explicit formulas."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from margin_projection.networks.linearization import Kinks, Linearization


class DenseLinearization(Linearization):
    """Rows given by their values, an explicit Jacobian and a Hessian-vector product.

    Args:
        values: (m,).
        jacobian: (m, p).
        hessian_vector: maps weights (m,) and a vector (p,) to (sum_r weights[r] Hessian_r) v (p,); zero where None.
        kinks: all rectifier preactivations of the model (none where None).
        kink_gradients: maps kinks (k) to the gradients (k, p) of their preactivations, which must be linear in theta.
    """

    def __init__(
        self,
        values: Tensor,
        jacobian: Tensor,
        hessian_vector: Callable[[Tensor, Tensor], Tensor] | None = None,
        kinks: Callable[[], Kinks] | None = None,
        kink_gradients: Callable[[Kinks], Tensor] | None = None,
    ) -> None:
        self.values, self._jacobian = values, jacobian
        self.num_parameters = int(jacobian.shape[1])
        self._num_outputs = int(jacobian.shape[0])
        self._hessian_vector, self._kinks, self._kink_gradients = hessian_vector, kinks, kink_gradients

    def apply(self, vector: Tensor) -> Tensor:
        return self._jacobian @ vector

    def apply_rows(self, vector: Tensor, rows: Tensor) -> Tensor:
        return self._jacobian[rows] @ vector

    def row_gradients(self, rows: Tensor) -> Tensor:
        return self._jacobian[rows]

    def adjoint(self, weights: Tensor) -> Tensor:
        return weights @ self._jacobian

    def gram(self) -> Tensor:
        return self._jacobian @ self._jacobian.T

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        if self._hessian_vector is None:
            return torch.zeros_like(vector)
        return self._hessian_vector(weights[: self._num_outputs], vector)

    def jacobian(self) -> Tensor:
        return self._jacobian

    def kinks(self) -> Kinks:
        return Kinks.none(self.values) if self._kinks is None else self._kinks()

    def with_kinks(self, kinks: Kinks) -> Linearization:
        if not len(kinks):
            return self
        if self._kink_gradients is None:
            return super().with_kinks(kinks)
        extended = DenseLinearization(
            torch.cat([self.values, kinks.values]),
            torch.cat([self._jacobian, self._kink_gradients(kinks)]),
            self._hessian_vector,
            self._kinks,
            self._kink_gradients,
        )
        extended._num_outputs = self._num_outputs
        return extended

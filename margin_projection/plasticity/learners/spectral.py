"""Spectral regularization (Lewandowski et al. 2024): powers of the largest singular values are held near a target."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from margin_projection._validation import check_integer, check_real
from margin_projection.plasticity.learner import Learner


class Spectral(Learner):
    """strength * (sum over weight matrices of (sigma_max^k - target)^2 + sum over biases of ||b||^(2 k)).

    sigma_max comes from ``iterations`` power iterations from vectors that are kept from update to update.
    """

    name = "spectral"

    def __init__(
        self,
        *arguments: Any,
        strength: float = 1e-3,
        power: int = 2,
        target: float = 2.0,
        iterations: int = 10,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.strength, self.target = check_real("strength", strength, 0.0), check_real("target", target, 0.0)
        self.power, self.iterations = check_integer("power", power, 1), check_integer("iterations", iterations, 1)
        matrices = [linear.weight for linear in self.network.linears]
        self.vectors = [torch.randn(w.shape[1], generator=self.generator, dtype=w.dtype) for w in matrices]

    def penalty(self) -> Tensor:
        """See the class."""
        terms = []
        for index, linear in enumerate(self.network.linears):
            sigma = self._largest_singular_value(index, linear.weight)
            terms.append((sigma**self.power - self.target) ** 2)
            terms.append(linear.bias.square().sum() ** self.power)
        return self.strength * torch.stack(terms).sum()

    def _largest_singular_value(self, index: int, weight: Tensor) -> Tensor:
        with torch.no_grad():
            right = self.vectors[index]
            for _ in range(self.iterations):
                left = torch.nn.functional.normalize(weight @ right, dim=0)
                right = torch.nn.functional.normalize(weight.T @ left, dim=0)
            self.vectors[index] = right
        return left @ weight @ right

    def state(self) -> dict[str, Any]:
        """With the power iteration's vectors."""
        return {**super().state(), "vectors": self.vectors}

    def restore(self, state: dict[str, Any]) -> None:
        """With the power iteration's vectors."""
        super().restore(state)
        self.vectors = list(state["vectors"])

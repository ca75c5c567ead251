"""Shrink and perturb (Ash and Adams 2020; after every update, as in Dohare et al. 2024)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from margin_projection._validation import check_real
from margin_projection.plasticity.learner import Learner


class ShrinkAndPerturb(Learner):
    """After every update theta becomes (1 - shrink) theta + noise * N(0, 1), entry by entry."""

    name = "shrink_perturb"

    def __init__(self, *arguments: Any, shrink: float = 1e-5, noise: float = 1e-4, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.shrink, self.noise = check_real("shrink", shrink, 0.0, 1.0), check_real("noise", noise, 0.0)

    def after_step(self, X: Tensor, features: list[Tensor]) -> None:
        """Shrink, then perturb."""
        with torch.no_grad():
            for parameter in self.network.parameters():
                drawn = torch.randn(parameter.shape, generator=self.generator, dtype=torch.float64)
                parameter.mul_(1.0 - self.shrink).add_(drawn.to(parameter), alpha=self.noise)

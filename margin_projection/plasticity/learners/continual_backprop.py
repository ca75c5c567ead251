"""Continual backpropagation (Dohare et al. 2024): units of low utility are replaced, slowly and continually."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from margin_projection._validation import check_integer, check_real
from margin_projection.plasticity.learner import Learner
from margin_projection.plasticity.learners.replacement import replace_units


class ContinualBackprop(Learner):
    """CBP with the contribution utility: a running mean of |h_j| sum_k |w_jk| over the samples of each minibatch.

    Every update, each layer's counter grows by ``replacement_rate`` times the number of its units older than
    ``maturity`` updates; whenever it reaches 1, the mature unit of least utility is replaced and 1 is subtracted. The
    mean activation of a replaced unit times its outgoing weights is moved to the next layer's bias first, so that the
    outputs on average stay what they were.

    Args:
        replacement_rate: share of units replaced an update, in [0, 1] (default 1e-4).
        decay: of the running means, in [0, 1) (default 0.99).
        maturity: updates during which a new unit is protected, at least 0 (default 100).
    """

    name = "cbp"

    def __init__(
        self,
        *arguments: Any,
        replacement_rate: float = 1e-4,
        decay: float = 0.99,
        maturity: int = 100,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self.rate = check_real("replacement_rate", replacement_rate, 0.0, 1.0)
        self.decay = check_real("decay", decay, 0.0, 1.0)
        self.maturity = check_integer("maturity", maturity, 0)
        widths = [layer.incoming.out_features for layer in self.network.hidden_layers()]
        self.utility = [torch.zeros(width, dtype=torch.float64) for width in widths]
        self.activation = [torch.zeros(width, dtype=torch.float64) for width in widths]
        self.age = [torch.zeros(width, dtype=torch.float64) for width in widths]
        self.due = [0.0] * len(widths)

    def after_step(self, X: Tensor, features: list[Tensor]) -> None:
        """Update utilities and ages; replace units that are due."""
        for index, (layer, hidden) in enumerate(zip(self.network.hidden_layers(), features, strict=True)):
            contribution = hidden.abs().mean(0) * layer.outgoing.weight.detach().abs().sum(0)
            self.utility[index].mul_(self.decay).add_(contribution, alpha=1.0 - self.decay)
            self.activation[index].mul_(self.decay).add_(hidden.mean(0), alpha=1.0 - self.decay)
            self.age[index] += 1.0
            self._replace(index)

    def _replace(self, index: int) -> None:
        layer = list(self.network.hidden_layers())[index]
        mature = self.age[index] > self.maturity
        self.due[index] += self.rate * int(mature.sum())
        while self.due[index] >= 1.0 and bool(mature.any()):
            corrected = self.utility[index] / (1.0 - self.decay ** self.age[index])
            unit = int(torch.where(mature, corrected, torch.inf).argmin())
            self._absorb(index, unit)
            chosen = torch.zeros_like(mature)
            chosen[unit] = True
            replace_units(layer, chosen, self.optimizer, self.generator)
            for memory in (self.utility, self.activation, self.age):
                memory[index][unit] = 0.0
            mature[unit] = False
            self.due[index] -= 1.0

    def _absorb(self, index: int, unit: int) -> None:
        layer = list(self.network.hidden_layers())[index]
        mean = self.activation[index][unit] / (1.0 - self.decay ** self.age[index][unit])
        with torch.no_grad():
            layer.outgoing.bias.add_(layer.outgoing.weight[:, unit] * mean)

    def state(self) -> dict[str, Any]:
        """With utilities, activations, ages and counters."""
        memory = {"utility": self.utility, "activation": self.activation, "age": self.age, "due": self.due}
        return {**super().state(), **memory}

    def restore(self, state: dict[str, Any]) -> None:
        """With utilities, activations, ages and counters."""
        super().restore(state)
        self.utility, self.activation, self.age = (list(state[key]) for key in ("utility", "activation", "age"))
        self.due = list(state["due"])

"""ReDo (Sokar et al. 2023): dormant units are recycled every so many updates."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from margin_projection._validation import check_integer, check_real
from margin_projection.curvature.units import dormant_units
from margin_projection.plasticity.learner import Learner
from margin_projection.plasticity.learners.replacement import replace_units


class ReDo(Learner):
    """Every ``period`` updates, units whose score on that minibatch is at most ``threshold`` are replaced.

    The score is the unit's mean |activation| divided by its layer's (`curvature.units.dormant_units`).
    """

    name = "redo"

    def __init__(self, *arguments: Any, period: int = 100, threshold: float = 0.025, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.period, self.threshold = check_integer("period", period, 1), check_real("threshold", threshold, 0.0)

    def after_step(self, X: Tensor, features: list[Tensor]) -> None:
        """Recycle, on every ``period``-th update."""
        if self.updates % self.period == 0:
            for layer, hidden in zip(self.network.hidden_layers(), features, strict=True):
                replace_units(layer, dormant_units(hidden, self.threshold), self.optimizer, self.generator)

"""Full reset: the network is drawn anew for every task; what plasticity could be at best for one task."""

from __future__ import annotations

from margin_projection.plasticity.learner import Learner
from margin_projection.plasticity.stream import StreamTask


class FullReset(Learner):
    """New weights and a new optimizer state at the start of every task."""

    name = "reset"

    def start_task(self, task: StreamTask) -> None:
        """Draw the network anew."""
        self.network.reset(self.generator)
        self.optimizer = self.settings.build(self.network)

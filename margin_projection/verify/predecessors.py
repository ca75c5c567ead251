"""Table 1: the regimes of the predecessors reach their limits at their rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from margin_projection.verify.findings import Check, Part

_NEAR, _EXACT = 1e-3, 1e-9


def predecessors(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; it takes seconds, ``quick`` or not."""
    from figures import table_1 as figure

    data = figure.compute(progress=progress)
    part = Part("Table 1: the regimes of the predecessors", figure=(figure, data))
    found, regression = data["classification"], data["regression"]
    ratios = np.asarray(regression["forgetting"]) / np.asarray(regression["line"])
    within = int((np.asarray(found["distance"]) <= np.asarray(found["proved"]) * (1.0 + _EXACT)).sum())
    part.checks = [
        Check.at_most("one task, linear: distance to the projection at s = 1e6", data["linear"]["distance"][-1], _NEAR),
        Check.at_most("one task, ReLU: the same", data["homogeneous"]["distance"][-1], _NEAR),
        Check.all_of("linear classification: steps within the proved rate", within, len(found["distance"])),
        Check.at_most("linear regression: forgetting against cos^4 a cycle", np.abs(ratios - 1.0).max(), 1e-6),
    ]
    return part

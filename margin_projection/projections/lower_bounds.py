"""Lower bounds on the distance to a set, for models without structure: how far until the outputs can have changed?"""

from __future__ import annotations

import math

from torch import Tensor

from margin_projection.networks.layered import LayeredNetwork
from margin_projection.sets.margin_set import ConstraintSystem

_HALVINGS = 30


def output_change_lower_bound(system: ConstraintSystem, start: Tensor) -> tuple[float, str]:
    """A sound lower bound on the distance from ``start`` (p,) to the set, and how it was obtained.

    Every point of the set changes output i by at least the violation of constraint i; for layered networks the change
    within a ball is bounded by norms of the layers, so a ball too small for one violated constraint misses the set. For
    other models the bound is 0.
    """
    model = system.model
    violations = system.violation_values(system.constraint_values(start))
    if not isinstance(model, LayeredNetwork) or float(violations.max()) <= 0.0:
        return 0.0, "trivial: the distance is at least 0"
    change = model.output_change_bound(start, system.tensors(start.device)[0])

    def too_small(radius: float) -> bool:
        return bool((change(radius) < violations * (1.0 - 1e-12)).any())

    low, high = 0.0, 1.0
    while too_small(high) and math.isfinite(high):
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return low, "layerwise bound on how far outputs can change within a ball"

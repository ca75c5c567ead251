"""Bound jets of functions that act on each entry: rectifiers, powers, and a few smooth ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from margin_projection._arrays import to_numpy
from margin_projection.regularity.norm_calculus import Jet, composed, length, merged
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, operation_name

ROUNDING = 1e-12  # of the largest entry: how far a computed preactivation may be from the exact one
RECTIFIERS = ("abs", "clamp", "clamp_min", "leaky_relu", "relu")


def rectifier_slopes(node: Node) -> tuple[float, float] | None:
    """(left, right) slopes where a node is a rectifier with its kink at 0, else None."""
    name, args = operation_name(node), node.args
    if name == "relu":
        return 0.0, 1.0
    if name == "abs":
        return -1.0, 1.0
    if name == "leaky_relu":
        slope: Any = args[1] if len(args) > 1 else node.kwargs.get("negative_slope", 0.01)
        return float(slope), 1.0
    if name in ("clamp", "clamp_min"):
        bounds: dict[str, Any] = dict(zip(("min", "max"), args[1:], strict=False)) | node.kwargs
        low, high = bounds.get("min"), bounds.get("max")
        return (0.0, 1.0) if isinstance(low, int | float) and low == 0 and high is None else None
    return None


def rectifier(call: Call) -> Bound:
    """left z for z <= 0, right z for z > 0: smooth on the ball where no entry can change its side."""
    slopes = rectifier_slopes(call.node)
    if slopes is None:
        raise NotCovered(f"the operation {call.name} with these bounds")
    source = call.operand(0)
    values = call.data(source)
    rows = values.flatten(1)
    distances = values.abs()
    if rows.shape[1]:
        distances = distances - ROUNDING * rows.abs().amax(1).reshape(-1, *[1] * (values.ndim - 1))
    sides = torch.where(rows > 0, rows.new_tensor(abs(slopes[1])), rows.new_tensor(abs(slopes[0])))
    local = to_numpy(sides.amax(1)) if rows.shape[1] else np.zeros(rows.shape[0])
    distance = to_numpy(rows.abs().amin(1)) if rows.shape[1] else np.full(rows.shape[0], np.inf)
    distance = distance - ROUNDING * (to_numpy(rows.abs().amax(1)) if rows.shape[1] else 0.0)
    widest = max(abs(slopes[0]), abs(slopes[1]))
    obstacle = f"a rectifier may change its side within the ball ({call.node.name})"

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        z = jets[source]
        change = radius * length(z.first_entry) * (1.0 + 1e-9)
        fixed = (distance > change) | (length(z.first_entry) == 0.0)
        if z.entries is not None:
            safe = (distances > radius * (1.0 + 1e-9) * z.entries) | (z.entries == 0.0)
            fixed = fixed | to_numpy(safe.flatten(1).all(1))
        slope = np.where(fixed, local, widest)
        rough = merged(z)
        if not fixed.all():
            rough = rough | {obstacle: ~fixed}
        return composed(z, slope, np.zeros(1), rough)

    return bound


def power(call: Call) -> Bound:
    """z^k for an integer k >= 0, or a rectifier's k-th power, which is C^{1,1} for k >= 2."""
    exponent = 2 if call.name == "square" else call.node.args[1]
    if not (isinstance(exponent, int | float) and exponent >= 0 and float(exponent).is_integer()):
        raise NotCovered(f"the operation {call.name} with the exponent {exponent}")
    return power_of(call, call.operand(0), int(exponent))


def power_of(call: Call, node: Node, exponent: int) -> Bound:
    """The k-th power of a node, looking through rectifiers."""
    slopes = rectifier_slopes(node) if exponent >= 2 else None
    source = node if slopes is None else node.args[0]
    assert isinstance(source, Node)
    left, right = (abs(slope) ** exponent for slope in slopes or (1.0, 1.0))
    rows = call.data(source).flatten(1)
    tops = [to_numpy(side.amax(1)) if rows.shape[1] else np.zeros(rows.shape[0]) for side in (rows, -rows)]

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        z = jets[source]
        change = radius * length(z.first_entry) * (1.0 + 1e-9)
        slope = curvature = np.zeros(1)
        for factor, top in zip((right, left), tops, strict=True):
            reach = np.minimum(np.maximum(top + change + ROUNDING * z.largest, 0.0), z.largest)
            steepest = factor * exponent * reach ** max(exponent - 1, 0)
            most_curved = factor * exponent * (exponent - 1) * np.where(reach > 0.0, reach ** max(exponent - 2, 0), 0.0)
            slope, curvature = np.maximum(slope, steepest), np.maximum(curvature, most_curved)
        return composed(z, slope, curvature, merged(z))

    return bound


def rectifier_product(call: Call, rectified: Node, other: Node) -> Bound:
    """A rectifier's output times itself or times its argument: C^{1,1} in the argument."""
    slopes, source = rectifier_slopes(rectified), rectified.args[0]
    assert slopes is not None and isinstance(source, Node)
    if other is rectified:
        return power_of(call, rectified, 2)
    factor = 2.0 * max(abs(slopes[0]), abs(slopes[1]))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        z = jets[source]
        return composed(z, factor * z.largest, np.full(1, factor), merged(z))

    return bound


Range = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def smooth(call: Call, source: Node, derivatives: Range) -> Bound:
    """The rule from bounds on |phi'| and |phi''| where |z| >= low, z <= high and |z| <= largest (all (n,)).

    ``low`` is 0 where an entry may change its sign or reach 0 on the ball.
    """
    rows = call.data(source).flatten(1)
    nearest, top = to_numpy(rows.abs().amin(1)), to_numpy(rows.amax(1))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        z = jets[source]
        change = radius * length(z.first_entry) * (1.0 + 1e-9)
        low = np.maximum(nearest - change - ROUNDING * z.largest, 0.0)
        slope, curvature = derivatives(low, top + change, z.largest)
        return composed(z, slope, curvature, merged(z))

    return bound


def _on_the_range(derivatives: Range) -> Callable[[Call], Bound]:
    return lambda call: smooth(call, call.operand(0), derivatives)


def _constants(slope: float, curvature: float) -> Range:
    return lambda low, high, largest: (np.full(1, slope), np.full(1, curvature))


SMOOTH: dict[str, Range] = {
    "cos": _constants(1.0, 1.0),
    "exp": lambda low, high, largest: (np.exp(high), np.exp(high)),
    "reciprocal": lambda low, high, largest: (low**-2.0, 2.0 * low**-3.0),
    "rsqrt": lambda low, high, largest: (0.5 * low**-1.5, 0.75 * low**-2.5),
    "sigmoid": _constants(0.25, 0.0963),
    "sin": _constants(1.0, 1.0),
    "sqrt": lambda low, high, largest: (0.5 * low**-0.5, 0.25 * low**-1.5),
    "tanh": _constants(1.0, 0.7699),
}


RULES: dict[str, Callable[[Call], Bound]] = {
    **dict.fromkeys(("abs", "leaky_relu", "relu"), rectifier),
    **dict.fromkeys(("pow", "square"), power),
    **{name: _on_the_range(derivatives) for name, derivatives in SMOOTH.items()},
}

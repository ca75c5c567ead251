"""Bound jets of quotients, normalizations, softmax and maxima."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor
from torch.fx import Node

from margin_projection._arrays import to_numpy
from margin_projection.regularity.norm_calculus import Jet, Size, added, length, merged, outer, tightened
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, scaled
from margin_projection.regularity.norm_rules_elementwise import SMOOTH, rectifier, rectifier_slopes, smooth
from margin_projection.regularity.norm_rules_products import entrywise
from margin_projection.regularity.spectral_norms import overlap

_UNKNOWN = np.full(1, np.inf)
_SLACK = 1.0 + 1e-9


def quotient(call: Call) -> Bound:
    """a / b as a times 1 / b, the latter smooth where no entry of b can reach 0."""
    if call.node.kwargs.get("rounding_mode") is not None:
        raise NotCovered(f"the operation {call.name} with rounding")
    left, right = call.arguments[:2]
    if not isinstance(right, Node):
        factor = np.full(1, 1.0 / abs(float(right)) if right else np.inf)
        return lambda jets, radius: scaled(jets[left], factor)
    inverse, size = smooth(call, right, SMOOTH["reciprocal"]), call.shape(call.node).numel()
    center = Size.of(call.values[right].data.reciprocal(), call.values[right].batched)
    copies = [math.sqrt(size / max(1, call.shape(node).numel())) for node in (left, right) if isinstance(node, Node)]

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        reciprocal = tightened(inverse(jets, radius), center, radius)
        if not isinstance(left, Node):
            return scaled(reciprocal, np.full(1, abs(float(left))))
        return entrywise(jets[left], reciprocal, copies[0], copies[1])

    return bound


def batch_normalization(call: Call) -> Bound:
    """(v - mean) / sqrt(variance + eps) with constant statistics, times a weight, plus a bias."""
    source, weight, bias, mean, variance = call.arguments[:5]
    training, eps = call.argument(5, "training"), call.argument(7, "eps")
    if training is not False or not all(isinstance(node, Node) for node in (source, mean, variance)):
        raise NotCovered("batch normalization with the statistics of the batch")
    if call.depends(mean) or call.depends(variance):
        raise NotCovered("batch normalization with statistics that depend on the parameters")
    a = call.data(source)
    shape = (-1, *[1] * (a.ndim - 3))
    factor = (call.values[variance].data + eps).rsqrt()
    normalized = Size.of((a - call.values[mean].data.reshape(shape)) * factor.reshape(shape), True)
    spread = math.sqrt(a[0].numel() / factor.numel())
    largest = np.full(1, float(factor.max()))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = replace(scaled(jets[source], largest), norm=_UNKNOWN, largest=_UNKNOWN)
        return affine(tightened(jet, normalized, radius), jets, weight, bias, spread)

    return bound


def affine(jet: Jet, jets: Mapping[Node, Jet], weight: Node | None, bias: Node | None, copies: float) -> Jet:
    """The jet of weight v + bias, both repeated copies^2 times."""
    if weight is not None:
        jet = entrywise(jet, jets[weight], 1.0, copies)
    return jet if bias is None else added([jet, jets[bias]], [1.0, copies], [1.0, 1.0])


def layer_normalization(call: Call) -> Bound:
    """sqrt(d) u / sqrt(|u|^2 + d eps) for every centered row u of length d, times a weight, plus a bias.

    With s = |u| / rho, rho^2 = |u|^2 + d eps, the first derivative of u / rho has norm at most 1 / rho. Split along u
    and across, the second derivative is -(s / rho^2) (alpha b' + beta a' + <a', b'> u/|u|) - 3 s (1 - s^2) alpha beta
    u/|u| / rho^2, of norm at most sqrt(2) / rho^2 for eps = 0 and 2.1 / rho^2 for every s in [0, 1].
    """
    source, shape, weight, bias, eps = call.arguments[:5]
    if any(part is not None and not isinstance(part, Node) for part in (weight, bias)):
        raise NotCovered(f"the operation {call.name} with these arguments")
    width = int(np.prod(shape))
    a = call.data(source)
    rows = a.reshape(a.shape[0], -1, width)
    rows = rows - rows.mean(2, keepdim=True)
    shortest = to_numpy(rows.norm(dim=2).amin(1))
    value = rows / (rows.square().sum(2, keepdim=True) + width * eps).sqrt() * math.sqrt(width)
    center, copies = Size.of(value, True), math.sqrt(rows.shape[1])
    curvature = 2.1 if eps else math.sqrt(2.0) * _SLACK

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = jets[source]
        reach = np.maximum(shortest - radius * length(jet.first) * _SLACK - 1e-12 * jet.largest, 0.0)
        rho = np.sqrt(reach**2 + width * eps)
        slope = math.sqrt(width) / rho
        first = slope[:, None] * jet.first
        bent = (math.sqrt(width) * curvature / rho**2)[:, None, None] * outer(jet.first, jet.first)
        second = slope[:, None, None] * jet.second + bent
        normalized = Jet(_UNKNOWN, _UNKNOWN, first, first, second, merged(jet))
        return affine(tightened(normalized, center, radius), jets, weight, bias, copies)

    return bound


def euclidean_norm(call: Call) -> Bound:
    """The Euclidean norms of rows: 1-Lipschitz, with second derivatives of norm 1 / (the least norm on the ball)."""
    order = call.argument(1, "ord", 2)
    source = call.operand(0)
    if order != 2:
        raise NotCovered(f"the operation {call.name} of order {order}")
    values = call.data(call.node).flatten(1)
    least = to_numpy(values.amin(1))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = jets[source]
        reach = np.maximum(least - radius * length(jet.first) * _SLACK - 1e-12 * jet.largest, 0.0)
        second = jet.second + (1.0 / reach)[:, None, None] * outer(jet.first, jet.first)
        return Jet(jet.norm, jet.norm, jet.first, jet.first, second, merged(jet))

    return bound


def softmax(call: Call) -> Bound:
    """Rows p = softmax(v): |Dp a| <= |a| / 2 and |D^2 p [a, b]| <= |a| |b|.

    The first derivative is diag(p) - p p^T. The second one has the entries p_i (a_i - mean a)(b_i - mean b) and
    -p_i cov(a, b); both parts are at most sqrt(var a var b) <= |a| |b| / 2 long, the variances taken under p.
    """
    source = call.operand(0)

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = jets[source]
        first = 0.5 * jet.first
        second = 0.5 * jet.second + outer(jet.first, jet.first)
        return Jet(_UNKNOWN, np.ones(1), first, first, second, merged(jet))

    return bound


def maximum_of_windows(call: Call) -> Bound:
    """Max pooling, and maxima along axes: as Lipschitz as the argument, and no more than that is proved."""
    source, share = call.operand(0), 1.0
    if call.name.startswith("max_pool"):
        kernel = tuple(call.arguments[1])
        stride = list(call.argument(2, "stride", []) or kernel)
        share = math.sqrt(overlap(kernel, stride, list(call.argument(4, "dilation", [1]))))
    elif call.name in ("max", "min") and any(isinstance(part, Node) for part in call.arguments[1:]):
        raise NotCovered(f"the operation {call.name} of two tensors")
    obstacle = f"a maximum or minimum may be attained elsewhere within the ball ({call.node.name})"

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = jets[source]
        rough = merged(jet) | {obstacle: np.asarray((jet.first > 0.0).any(1))}
        return Jet(share * jet.norm, jet.largest, share * jet.first, jet.first_entry, share * jet.second, rough)

    return bound


def clamped(call: Call) -> Bound:
    """Values cut off at constant bounds: 1-Lipschitz, smooth where no entry can cross a bound."""
    if rectifier_slopes(call.node) is not None:
        return rectifier(call)
    source = call.operand(0)
    limits = [call.argument(1, "min"), call.argument(2, "max") if call.name == "clamp" else None]
    if call.name == "clamp_max":
        limits = [call.argument(1, "max")]
    limits = [float(limit) for limit in limits if isinstance(limit, int | float)]
    if not limits or any(isinstance(part, Node) for part in call.arguments[1:]):
        raise NotCovered(f"the operation {call.name} with these bounds")
    rows: Tensor = call.data(source).flatten(1)
    distance = np.min([to_numpy((rows - limit).abs().amin(1)) for limit in limits], axis=0)
    obstacle = f"a value may cross a bound at which it is cut off within the ball ({call.node.name})"

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet = jets[source]
        change = radius * length(jet.first_entry) * _SLACK
        rough = ~((distance > change + 1e-12 * jet.largest) | (length(jet.first_entry) == 0.0))
        return replace(jet, norm=_UNKNOWN, largest=_UNKNOWN, rough=merged(jet) | {obstacle: rough}, entries=None)

    return bound


RULES: dict[str, Callable[[Call], Bound]] = {
    **dict.fromkeys(("amax", "amin", "max", "min"), maximum_of_windows),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), maximum_of_windows),
    "_softmax": softmax,
    **dict.fromkeys(("clamp", "clamp_max", "clamp_min"), clamped),
    "div": quotient,
    "linalg_vector_norm": euclidean_norm,
    "native_batch_norm": batch_normalization,
    "native_layer_norm": layer_normalization,
}

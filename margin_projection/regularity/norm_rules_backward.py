"""Bound jets of the operations that automatic differentiation adds: what a recorded gradient consists of.

Here only first derivatives matter (they are the second ones of the model). Where a rectifier may change its side, its
derivative jumps, and there is no bound, unless a factor vanishes there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch.fx import Node

from margin_projection._arrays import to_numpy
from margin_projection.regularity import norm_rules
from margin_projection.regularity.norm_calculus import Jet, added, bilinear, length, outer
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, operation_name, scaled
from margin_projection.regularity.norm_rules_elementwise import ROUNDING, rectifier_slopes
from margin_projection.regularity.spectral_norms import convolution_norm, overlap, patch_norms


def rectifier_backward(call: Call) -> Bound:
    """gradient * (right where z > 0, left where not), given z or the rectifier's output.

    Where the gradient has the rectifier's output (slopes 0 and 1) as a factor, it is unchanged.
    """
    gradient, source = call.operand(0), call.operand(1)
    left = 0.0 if call.name == "threshold_backward" else abs(float(call.arguments[2]))
    if call.name == "threshold_backward" and call.argument(2, "threshold") != 0:
        raise NotCovered(f"the operation {call.name} with another threshold than 0")
    if left == 0.0 and vanishes_with(gradient, source):
        return lambda jets, radius: jets[gradient]
    z = source.args[0] if rectifier_slopes(source) is not None else source
    if not isinstance(z, Node):
        raise NotCovered(f"the operation {call.name} with these arguments")
    values = call.data(z)
    rows, distances = values.flatten(1), values.abs()
    margin = ROUNDING * rows.abs().amax(1).reshape(-1, *[1] * (values.ndim - 1))
    sides = to_numpy(torch.where(rows > 0, rows.new_tensor(1.0), rows.new_tensor(left)).amax(1))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        jet, argument = jets[gradient], jets[z]
        change = torch.as_tensor(length(argument.first_entry)).reshape(-1, *[1] * (values.ndim - 1))
        change = change.to(values.device) if argument.entries is None else argument.entries
        safe = (distances - margin > radius * (1.0 + 1e-9) * change) | (change == 0.0)
        fixed = to_numpy(safe.flatten(1).all(1))
        result = scaled(jet, np.where(fixed, sides, max(1.0, left)))
        first = np.where(fixed[:, None], result.first, np.inf)
        return replace(result, first=first, first_entry=first)

    return bound


def vanishes_with(node: Node, rectified: Node) -> bool:
    """Whether a product is seen to be zero wherever the rectifier's output is."""
    if operation_name(rectified) != "relu":
        return False
    if node is rectified:
        return True
    name, arguments = operation_name(node), node.args
    if name == "mul":
        return any(isinstance(part, Node) and vanishes_with(part, rectified) for part in arguments[:2])
    if name == "pow":
        whole = isinstance(arguments[1], int | float) and arguments[1] >= 1
        return whole and isinstance(arguments[0], Node) and vanishes_with(arguments[0], rectified)
    return name == "neg" and isinstance(arguments[0], Node) and vanishes_with(arguments[0], rectified)


def pooling_backward(call: Call) -> Bound:
    """The adjoint of an average pooling: linear in the gradient, by Schur's test."""
    gradient = call.operand(0)
    ones = torch.ones(call.shape(gradient), dtype=torch.float64, device=call.data(gradient).device)
    image = torch.ones(call.shape(call.operand(1)), dtype=torch.float64, device=ones.device)
    result, pullback = torch.func.vjp(  # type: ignore[misc]
        lambda tensor: call.node.target(tensor, image, *call.arguments[2:]), ones  # type: ignore[operator]
    )
    (columns,) = pullback(torch.ones_like(result))
    row = float(result.max())
    return lambda jets, radius: added([jets[gradient]], [math.sqrt(row * float(columns.max()))], [row])


def convolution_backward(call: Call, result: int) -> Bound:
    """Result 0, the derivative with respect to the image, or 1, with respect to the filters: both are bilinear."""
    gradient, source, filters = (call.operand(k) for k in range(3))
    stride, padding, dilation, transposed, _, groups = call.arguments[4:10]
    if transposed or call.values[filters].batched or result > 1:
        raise NotCovered("the derivative of a transposed convolution, of filters that vary, or of a bias")
    a, w = call.data(source), call.values[filters].data
    share = math.sqrt(overlap(tuple(w.shape[2:]), stride, dilation))
    if result == 0:
        operator = np.full(1, convolution_norm(w, groups, share))
    else:
        operator, _ = patch_norms(a, w, stride, padding, dilation, groups)
    other = filters if result == 0 else source

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        u, v = jets[gradient], jets[other]
        strong = np.minimum(operator + share * radius * length(v.first), share * v.norm)
        return bilinear(u, v, share * u.norm, strong, share * outer(u.first, v.first))

    return bound


def item(call: Call) -> Bound:
    """One result of an operation with several."""
    source = call.operand(0)
    if operation_name(source) == "convolution_backward":
        return convolution_backward(Call(source, call.values), int(call.arguments[1]))
    return norm_rules.item(call)


def first_argument(call: Call) -> Bound:
    """A placeholder for several results, each of which has its own rule."""
    return lambda jets, radius: jets[call.operand(0)]


RULES: dict[str, Callable[[Call], Bound]] = {
    **dict.fromkeys(("threshold_backward", "leaky_relu_backward"), rectifier_backward),
    "avg_pool2d_backward": pooling_backward,
    "convolution_backward": first_argument,
    "getitem": item,
}

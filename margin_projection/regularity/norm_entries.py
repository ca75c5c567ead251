"""Bounds on the change of each single entry of a tensor: what decides whether a rectifier can change its side.

For an entry v_j, e_j >= sup ||D v_j|| over the ball, the derivative with respect to all parameters together, so that
|v_j(theta) - v_j(theta*)| <= R e_j. An entry that is constant, such as the response to an empty patch, has e_j = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.fx import Node
from torch.nn import functional as F

from margin_projection.regularity.norm_calculus import Jet, length
from margin_projection.regularity.norm_rules import NONNEGATIVE_LINEAR, Call
from margin_projection.regularity.norm_rules_elementwise import RECTIFIERS, ROUNDING, rectifier_slopes

Entries = Callable[[Mapping[Node, Jet], float], Tensor | None]  # (n, *shape) or (1, *shape)


def linear_entries(call: Call) -> Entries | None:
    """A v for A >= 0: A e."""
    operand = call.node.args[0]
    if not isinstance(operand, Node) or not call.depends(operand):
        return None
    others = [node for node in call.node.all_input_nodes if node is not operand]
    held = {node: call.values[node] for node in others}
    if any(value.batched or value.depends for value in held.values()):
        return None

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        known = jets[operand].entries
        return None if known is None else torch.vmap(lambda e: call.apply({operand: e, **constants}))(known)

    constants = {node: value.data for node, value in held.items()}
    return entries


def sum_entries(call: Call) -> Entries | None:
    """a + alpha b: the sum, alpha in absolute value."""
    alpha = abs(float(call.argument(2, "alpha", 1)))
    factors = (alpha, 1.0) if call.name == "rsub" else (1.0, alpha)
    dependent = [
        (node, factor)
        for node, factor in zip(call.arguments[:2], factors, strict=True)
        if isinstance(node, Node) and call.depends(node)
    ]
    shape = call.shape(call.node)

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        known = [(jets[node].entries, factor) for node, factor in dependent]
        total: Tensor | None = None
        for term, factor in known:
            if term is None:
                return None
            aligned = term.reshape(term.shape[0], *[1] * (len(shape) - term.ndim + 1), *term.shape[1:])
            total = factor * aligned if total is None else total + factor * aligned
        return None if total is None else total.expand(total.shape[0], *shape)

    return entries


def scaled_entries(call: Call) -> Entries | None:
    """The entries times the largest possible slope: negation, and products with a number."""
    factor = call.arguments[1] if call.name in ("mul", "div") else 1.0
    node = call.arguments[0]
    if not isinstance(factor, int | float) or not isinstance(node, Node):
        return None
    size = abs(float(factor)) if call.name != "div" else 1.0 / abs(float(factor))

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        known = jets[node].entries
        return None if known is None else size * known

    return entries


def product_entries(call: Call) -> Entries | None:
    """a @ b with b from the parameters alone: ||D a_t|| ||b_j|| + ||a_t|| ||D b_j|| for row t and column j."""
    left, right = call.arguments[-2:] if call.name == "addmm" else call.arguments[:2]
    start = call.arguments[0] if call.name == "addmm" else None
    if call.name not in ("mm", "addmm") or call.values[right].batched or (start is not None and call.depends(start)):
        return None
    a, b = call.data(left), call.values[right].data
    rows, columns, varies = a.norm(dim=-1, keepdim=True), b.norm(dim=0), call.depends(left)

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        jet, other = jets[left], jets[right]
        known = jet.entries
        own = float(length(other.first)[0])
        if known is None:
            return None if varies else (rows * own).expand(*rows.shape[:-1], len(columns))
        lengths = known.norm(dim=-1, keepdim=True)
        through = torch.minimum(lengths, whole_length(jet, known)) * (columns + radius * own)
        return combined(through, (rows + radius * lengths) * own, jet, other)

    return entries


def whole_length(jet: Jet, like: Tensor) -> Tensor:
    """The Lipschitz constant of the whole tensor, (n, 1, ...)."""
    return torch.as_tensor(length(jet.first), device=like.device).reshape(-1, *[1] * (like.ndim - 1))


def combined(through: Tensor, own: Tensor, left: Jet, right: Jet) -> Tensor:
    """The norm of two parts of a derivative: Pythagoras where they concern different parameters, else the sum."""
    shared = bool(((left.first > 0.0).any(0) & (right.first > 0.0).any(0)).any())
    return through + own if shared else torch.hypot(through, own.expand_as(through))


def rectifier_entries(call: Call) -> Entries | None:
    """0 where the entry stays on a side of slope 0, else the steeper slope times the argument's bound."""
    slopes = rectifier_slopes(call.node)
    if slopes is None:
        return None
    source = call.operand(0)
    values = call.data(source)
    margin = ROUNDING * values.abs().max() if values.numel() else 0.0
    right, left = (values.new_tensor(abs(slope)) for slope in (slopes[1], slopes[0]))
    steepest = torch.maximum(left, right)

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        known = jets[source].entries
        if known is None:
            return None
        reach = radius * (1.0 + 1e-9) * known + margin
        return known * torch.where(values > reach, right, torch.where(values < -reach, left, steepest))

    return entries


def convolution_entries(call: Call) -> Entries | None:
    """As `product_entries`, patch by patch."""
    source, filters, bias = call.arguments[:3]
    stride, padding, dilation, transposed, _, groups = call.arguments[3:9]
    if bias is not None or transposed or call.values[filters].batched:
        return None
    a, w = call.data(source), call.values[filters].data
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[w.ndim - 2]
    ones = torch.ones((groups, 1, *w.shape[2:]), dtype=w.dtype, device=w.device)

    def patch_lengths(values: Tensor) -> Tensor:
        energies = values.square().flatten(0, 1).unflatten(1, (groups, -1)).sum(2)
        lengths = function(energies, ones, None, stride, padding, dilation, groups).clamp(min=0.0).sqrt()
        return lengths.reshape(*values.shape[:2], *lengths.shape[1:]).repeat_interleave(w.shape[0] // groups, dim=2)

    patches, varies = patch_lengths(a), call.depends(source)
    sizes = w.flatten(1).norm(dim=1).reshape(1, 1, -1, *[1] * (w.ndim - 2))

    def entries(jets: Mapping[Node, Jet], radius: float) -> Tensor | None:
        jet, other = jets[source], jets[filters]
        known = jet.entries
        own = float(length(other.first)[0])
        if known is None:
            return None if varies else patches * own
        lengths = patch_lengths(known)
        through = torch.minimum(lengths, whole_length(jet, lengths)) * (sizes + radius * own)
        return combined(through, (patches + radius * lengths) * own, jet, other)

    return entries


def parameter_entries(value: Tensor) -> Entries:
    """A parameter: each entry is a coordinate."""
    ones = torch.ones_like(value)[None]
    return lambda jets, radius: ones


ENTRIES: dict[str, Callable[[Call], Entries | None]] = {
    **dict.fromkeys(NONNEGATIVE_LINEAR, linear_entries),
    **dict.fromkeys(("add", "sub", "rsub"), sum_entries),
    **dict.fromkeys(("neg", "mul", "div"), scaled_entries),
    **dict.fromkeys(("mm", "addmm"), product_entries),
    **dict.fromkeys(RECTIFIERS, rectifier_entries),
    "convolution": convolution_entries,
}

"""Bound jets of operations that are linear in one tensor, and the table of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg

from margin_projection.regularity.norm_calculus import Jet, added, joined
from margin_projection.regularity.norm_program import Value

Bound = Callable[[Mapping[Node, Jet], float], Jet]


class NotCovered(Exception):
    """No rule bounds this operation; the message names it."""


@dataclass(frozen=True)
class Call:
    """One operation at the center of the ball, as the rules see it.

    Attributes:
        node: the operation; its arguments are other nodes and constants.
        values: what the nodes computed at the center.
    """

    node: Node
    values: Mapping[Node, Value]

    @property
    def name(self) -> str:
        """The operation's name, without its overload."""
        return operation_name(self.node)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The positional arguments: nodes and constants."""
        return tuple(self.node.args)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """A positional or keyword argument."""
        if len(self.node.args) > position:
            return self.node.args[position]
        return self.node.kwargs.get(name, default)

    def operand(self, position: int) -> Node:
        """A positional argument that must be a tensor."""
        argument = self.node.args[position] if len(self.node.args) > position else None
        if not isinstance(argument, Node):
            raise NotCovered(f"the operation {self.name} with a constant in place of a tensor")
        return argument

    def depends(self, argument: Any) -> bool:
        """Whether an argument depends on the parameters."""
        return isinstance(argument, Node) and self.values[argument].depends

    def shape(self, node: Node) -> torch.Size:
        """The shape for one sample of what a node computes."""
        value = self.values[node]
        return value.data.shape[1:] if value.batched else value.data.shape

    def data(self, node: Node) -> Tensor:
        """(n, ...) or (1, ...) what a node computes, with an axis of samples."""
        value = self.values[node]
        return value.data if value.batched else value.data[None]

    def apply(self, values: Mapping[Node, Any]) -> Any:
        """The operation for other values of its arguments."""
        args: Any = map_arg(self.node.args, lambda node: values[node])
        kwargs: Any = map_arg(self.node.kwargs, lambda node: values[node])
        return self.node.target(*args, **kwargs)  # type: ignore[operator]

    def only_dependent(self) -> Node:
        """The one argument that depends on the parameters.

        Raises:
            NotCovered: there are several.
        """
        found = [node for node in self.node.all_input_nodes if self.depends(node)]
        if len(found) != 1:
            raise NotCovered(f"the operation {self.name} where several arguments depend on the parameters")
        return found[0]


def operation_name(node: Node) -> str:
    """``mm`` for ``aten.mm.default``."""
    packet = getattr(node.target, "overloadpacket", None)
    return packet.__name__ if packet is not None else getattr(node.target, "__name__", str(node.target))


# Linear maps with coefficients that are not negative; what decides is the first argument.
NONNEGATIVE_LINEAR = frozenset((
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_reshape_alias", "_unsafe_view", "adaptive_avg_pool1d", "alias",
    "avg_pool2d", "avg_pool3d", "clone", "constant_pad_nd", "cumsum", "detach", "diag_embed", "diagonal", "expand",
    "flip", "gather", "im2col", "index", "index_select", "lift_fresh_copy", "mean", "permute", "pixel_shuffle",
    "positive", "reflection_pad1d", "reflection_pad2d", "repeat", "replication_pad1d", "replication_pad2d", "reshape",
    "roll", "select", "select_backward", "slice", "slice_backward", "squeeze", "sum", "t", "trace", "transpose",
    "tril", "triu", "unfold", "unsqueeze", "upsample_bilinear2d", "upsample_nearest2d", "view",
))  # fmt: skip
PARTS = frozenset(("split", "split_with_sizes", "unbind", "unsafe_chunk", "unsafe_split"))


def nonnegative_linear(call: Call) -> Bound:
    """A linear map A >= 0, by Schur's test: ||A||_2^2 <= max(A 1) max(A^T 1)."""
    operand = call.only_dependent()
    if operand is not call.node.args[0] or any(call.values[each].batched for each in _others(call, operand)):
        raise NotCovered(f"the operation {call.name} whose other arguments depend on the sample or the parameters")
    if call.name == "constant_pad_nd" and call.argument(2, "value", 0.0) != 0:
        raise NotCovered("the operation constant_pad_nd with a constant other than 0")
    if call.values[operand].data.dtype != torch.float64 or call.node.kwargs.get("dtype") not in (None, torch.float64):
        raise NotCovered(f"the operation {call.name} in another precision than float64")
    ones = torch.ones(call.shape(operand), dtype=torch.float64, device=call.values[operand].data.device)

    constants = {node: call.values[node].data for node in _others(call, operand)}
    rows, pullback = torch.func.vjp(lambda tensor: call.apply({operand: tensor, **constants}), ones)  # type: ignore[misc]
    (columns,) = pullback(torch.ones_like(rows))
    largest_row = float(rows.max()) if rows.numel() else 0.0
    factor = (largest_row * (float(columns.max()) if columns.numel() else 0.0)) ** 0.5
    return lambda jets, radius: added([jets[operand]], [factor], [largest_row])


def _others(call: Call, operand: Node) -> list[Node]:
    return [node for node in call.node.all_input_nodes if node is not operand]


def pieces(call: Call) -> Bound:
    """A tensor cut into several ones, each bounded by the whole."""
    operand = call.only_dependent()
    return lambda jets, radius: jets[operand]


def item(call: Call) -> Bound:
    """One result of an operation with several."""
    source, index = call.operand(0), call.node.args[1]
    if operation_name(source) not in PARTS and index != 0:
        raise NotCovered(f"result {index} of the operation {operation_name(source)}")
    return lambda jets, radius: jets[source]


def concatenation(call: Call) -> Bound:
    """Tensors joined along an axis, old or new."""
    parts = call.node.args[0]
    assert isinstance(parts, list | tuple)
    nodes = [part for part in parts if isinstance(part, Node)]
    return lambda jets, radius: joined([jets[node] for node in nodes])


def written(call: Call) -> Bound:
    """A part of a tensor replaced by another tensor: each entry comes from one of the two."""
    nodes = [call.operand(0), call.operand(1)]

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        unknown = np.full(1, np.inf)  # what is overwritten may never have been initialized
        return replace(joined([jets[node] for node in nodes]), norm=unknown, largest=unknown)

    return bound


def copied(call: Call) -> Bound:
    """The second argument, repeated to the shape of the first."""
    source = call.operand(1)
    copies = (_output_size(call) / max(1, call.shape(source).numel())) ** 0.5
    return lambda jets, radius: added([jets[source]], [copies], [1.0])


def negation(call: Call) -> Bound:
    """-v."""
    operand = call.operand(0)
    return lambda jets, radius: jets[operand]


def addition(call: Call) -> Bound:
    """a + alpha b or a - alpha b, broadcast."""
    alpha = call.argument(2, "alpha", 1)
    left, right = call.node.args[0], call.node.args[1]
    size = _output_size(call)
    if call.name == "rsub":
        left, right = right, left
    terms = [(left, 1.0), (right, abs(float(alpha)))]
    nodes = [(term, factor) for term, factor in terms if isinstance(term, Node)]
    spread = [factor * (size / max(1, call.shape(node).numel())) ** 0.5 for node, factor in nodes]
    shift = sum(abs(float(term)) * factor for term, factor in terms if isinstance(term, int | float))

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        total = added([jets[node] for node, _ in nodes], spread, [factor for _, factor in nodes])
        if not shift:
            return total
        norm, largest = total.norm + shift * size**0.5, total.largest + shift
        return Jet(norm, largest, total.first, total.first_entry, total.second, total.rough)

    return bound


def _output_size(call: Call) -> int:
    return int(call.shape(call.node).numel())


def scaled(jet: Jet, factor: np.ndarray) -> Jet:
    """The jet of (constants of absolute value at most factor (n,)) times the tensor, elementwise."""
    wide, wider = factor[:, None], factor[:, None, None]
    first, first_entry = wide * jet.first, wide * jet.first_entry
    return Jet(factor * jet.norm, factor * jet.largest, first, first_entry, wider * jet.second, jet.rough)


RULES: dict[str, Callable[[Call], Bound]] = {
    **dict.fromkeys(NONNEGATIVE_LINEAR, nonnegative_linear),
    **dict.fromkeys(PARTS, pieces),
    **dict.fromkeys(("add", "sub", "rsub"), addition),
    **dict.fromkeys(("cat", "stack"), concatenation),
    **dict.fromkeys(("slice_scatter", "select_scatter"), written),
    "copy": copied,
    "getitem": item,
    "neg": negation,
}

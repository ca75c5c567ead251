"""Lipschitz constants of a model and of its gradient on balls, by bound jets through its recorded operations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from margin_projection.networks.base import Model
from margin_projection.regularity import (
    norm_rules,
    norm_rules_backward,
    norm_rules_elementwise,
    norm_rules_normalizing,
    norm_rules_products,
)
from margin_projection.regularity.norm_calculus import (
    Jet,
    Size,
    constant_jet,
    length,
    parameter_jet,
    tightened,
)
from margin_projection.regularity.norm_entries import ENTRIES, Entries, parameter_entries
from margin_projection.regularity.norm_program import (
    NotTraceable,
    Value,
    check_outputs,
    parameter_tensors,
    run,
    trace,
    trace_gradient,
)
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, operation_name
from margin_projection.regularity.norm_rules_elementwise import RECTIFIERS

LARGEST_GRADIENTS = 4e6  # numbers in the gradients of all samples up to which the gradient is followed, too
_FAMILIES = (norm_rules, norm_rules_products, norm_rules_normalizing, norm_rules_elementwise, norm_rules_backward)
RULES = {name: rule for family in _FAMILIES for name, rule in family.RULES.items()}


@dataclass(frozen=True)
class NormBounds:
    """Bounds (n,) on a ball: Lipschitz constants of f(x_i; .) and of its gradient.

    Attributes:
        lipschitz, smoothness: infinite where unknown.
        obstacle: "", or what made a bound infinite.
    """

    lipschitz: np.ndarray
    smoothness: np.ndarray
    obstacle: str


class NormCalculus:
    """Bound jets of a model around theta, for any radius.

    Everything that does not depend on the radius is computed at construction: the operations of the model and of its
    gradient are recorded, run at theta for all samples, and each is given its rule. The Lipschitz constants of the
    gradient are those that the second derivatives of the model's operations give, or the first derivatives of its
    gradient's, whichever are smaller: the latter know the gradient's values at the center, but hold all samples'
    gradients at once, and are left out where these are too large.

    Args:
        model: any model whose operations can be recorded.
        X: (n, *input_shape).
        theta: (p,), the center.
    """

    def __init__(self, model: Model, X: Tensor, theta: Tensor) -> None:
        self._count = X.shape[0]
        self.obstacle = ""
        self._gradient: JetProgram | None = None
        try:
            parameters = parameter_tensors(model, theta)
            self._model = JetProgram(trace(model, theta, X), parameters, X)
            self._model.check(model.forward(theta, X).detach())
        except (NotTraceable, NotCovered) as error:
            self.obstacle = str(error)
            return
        if X.shape[0] * theta.numel() > LARGEST_GRADIENTS:
            return
        with contextlib.suppress(NotTraceable, NotCovered):
            self._gradient = JetProgram(trace_gradient(model, theta, X), parameters, X)

    def at(self, radius: float) -> NormBounds:
        """The bounds on the ball of this radius."""
        if self.obstacle:
            infinite = np.full(self._count, np.inf)
            return NormBounds(infinite, infinite.copy(), self.obstacle)
        with np.errstate(all="ignore"):
            (jet,) = self._model.jets(radius)
            smoothness = _spectral(jet.second)
            lipschitz = np.broadcast_to(length(jet.first), (self._count,)) * (1.0 + 1e-9)
            smoothness = np.broadcast_to(smoothness, (self._count,)).copy()
            for mask in jet.rough.values():
                smoothness[np.broadcast_to(mask, (self._count,))] = np.inf
            if self._gradient is not None:
                smoothness = np.minimum(_infinite(smoothness), _infinite(self._from_gradient(radius)))
        lipschitz, smoothness = _infinite(lipschitz), _infinite(smoothness)
        return NormBounds(lipschitz, smoothness, self._describe(jet, lipschitz, smoothness))

    def _from_gradient(self, radius: float) -> np.ndarray:
        """(n,) bounds from the blocks of the gradient: |D_l grad_k f| = |D_k grad_l f|, of which the less counts."""
        assert self._gradient is not None
        blocks = [jet.first for jet in self._gradient.jets(radius)]
        second = np.stack(np.broadcast_arrays(*blocks), axis=1)
        second = np.where(np.isnan(second), np.inf, second)
        return np.broadcast_to(_spectral(np.minimum(second, second.transpose(0, 2, 1))), (self._count,))

    def _describe(self, jet: Jet, lipschitz: np.ndarray, smoothness: np.ndarray) -> str:
        """What made a bound infinite, "" where none is."""
        infinite = ~np.isfinite(smoothness)
        for reason, mask in jet.rough.items():
            rough = np.broadcast_to(mask, (self._count,)) & infinite
            if rough.any():
                return f"{reason}, sample {int(np.argmax(rough))}"
        if infinite.any() or not np.isfinite(lipschitz).all():
            return "a bound overflows, or an operation may reach a point where it is not differentiable"
        return ""


def _infinite(bounds: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(bounds), np.inf, bounds)


class JetProgram:
    """Recorded operations, each with its rule.

    Args:
        graph: the operations.
        parameters: the parameter tensors at the center.
        X: (n, *input_shape).

    Raises:
        NotCovered: an operation that the outputs need has no rule.
    """

    def __init__(self, graph: GraphModule, parameters: list[Tensor], X: Tensor) -> None:
        self._blocks = len(parameters)
        self._steps: list[_Step] = []
        self._constants: dict[Node, Jet] = {}
        self._unknown: dict[Node, str] = {}
        self._behind = _behind_rectifiers(graph)
        self._parameters = 0
        self.outputs: list[Node] = []
        self.values: list[Value] = []
        for node, values in run(graph, parameters, X):
            if node.op == "output":
                self.outputs = node.all_input_nodes
                self.values = [values[each] for each in self.outputs]
            else:
                self._add(node, values)
        missing = [self._unknown[each] for each in self.outputs if each in self._unknown]
        if missing:
            raise NotCovered(f"{missing[0]} is not covered")

    def _add(self, node: Node, values: dict[Node, Value]) -> None:
        value = values[node]
        size = Size.of(value.data, value.batched) if _is_real(value) else None
        if not value.depends:
            if size is not None:
                self._constants[node] = constant_jet(size, self._blocks)
        elif node.op == "placeholder":
            assert size is not None
            bound = _parameter(size, self._blocks, self._parameters)
            entries = parameter_entries(value.data) if node in self._behind else None
            self._steps.append(_Step(node, bound, entries, size))
            self._parameters += 1
        else:
            reason = next((self._unknown[each] for each in node.all_input_nodes if each in self._unknown), None)
            try:
                if isinstance(value.data, Tensor) and size is None:
                    reason = f"the operation {operation_name(node)} to another type than float64"
                if reason is None:
                    call = Call(node, values)
                    find = ENTRIES.get(call.name) if node in self._behind else None
                    self._steps.append(_Step(node, _rule(node)(call), None if find is None else find(call), size))
            except NotCovered as error:
                reason = str(error)
            if reason is not None:
                self._unknown[node] = reason

    def check(self, expected: Tensor) -> None:
        """Compare the output at the center with the model's."""
        check_outputs(self.values[0], expected)

    def jets(self, radius: float) -> list[Jet]:
        """The jets of the outputs on the ball of this radius."""
        jets = dict(self._constants)
        for step in self._steps:
            jet = step.bound(jets, radius)
            jet = jet if step.size is None else tightened(jet, step.size, radius)
            jets[step.node] = jet if step.entries is None else replace(jet, entries=step.entries(jets, radius))
        return [jets[each] for each in self.outputs]


@dataclass(frozen=True)
class _Step:
    """One operation: its rule, the rule for its single entries where a rectifier follows, its size at the center."""

    node: Node
    bound: Bound
    entries: Entries | None
    size: Size | None


_SWITCHES = (*RECTIFIERS, "threshold_backward", "leaky_relu_backward")


def _behind_rectifiers(graph: GraphModule) -> set[Node]:
    """The nodes that some rectifier depends on."""
    found: set[Node] = set()
    for node in reversed(graph.graph.nodes):
        if node in found or operation_name(node) in _SWITCHES:
            found.update(node.all_input_nodes)
    return found


def _is_real(value: Value) -> bool:
    return isinstance(value.data, Tensor) and value.data.dtype == torch.float64


def _parameter(size: Size, blocks: int, block: int) -> Bound:
    return lambda jets, radius: parameter_jet(size, blocks, block, radius)


def _rule(node: Node) -> Callable[[Call], Bound]:
    rule = RULES.get(operation_name(node))
    if rule is None:
        raise NotCovered(f"the operation {operation_name(node)}")
    return rule


def _spectral(second: np.ndarray) -> np.ndarray:
    """(n,) upper bounds on the spectral norms of symmetric nonnegative matrices (n, K, K); infinite if not finite."""
    finite = np.isfinite(second).all((1, 2))
    norms = np.abs(np.linalg.eigvalsh(np.where(finite[:, None, None], second, 0.0))).max(1, initial=0.0)
    return np.where(finite, norms * (1.0 + 1e-9), np.inf)

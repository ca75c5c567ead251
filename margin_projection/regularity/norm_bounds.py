"""Lipschitz constants of a model and of its gradient on balls, by bound jets through its recorded operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from margin_projection.networks.base import Model
from margin_projection.regularity import (
    norm_rules,
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
from margin_projection.regularity.norm_program import NotTraceable, Value, check_outputs, parameter_tensors, run, trace
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, operation_name
from margin_projection.regularity.norm_rules_elementwise import RECTIFIERS

_FAMILIES = (norm_rules, norm_rules_products, norm_rules_normalizing, norm_rules_elementwise)
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

    Everything that does not depend on the radius is computed at construction: the operations are recorded, run at
    theta for all samples, and each is given its rule.

    Args:
        model: any model whose operations can be recorded.
        X: (n, *input_shape).
        theta: (p,), the center.
    """

    def __init__(self, model: Model, X: Tensor, theta: Tensor) -> None:
        self._count = X.shape[0]
        self._steps: list[_Step] = []
        self._constants: dict[Node, Jet] = {}
        self.obstacle = ""
        try:
            self._prepare(model, X, theta)
        except (NotTraceable, NotCovered) as error:
            self.obstacle = str(error)

    def _prepare(self, model: Model, X: Tensor, theta: Tensor) -> None:
        graph = trace(model, theta, X)
        parameters = parameter_tensors(model, theta)
        self._blocks = len(parameters)
        behind = _behind_rectifiers(graph)
        unknown: dict[Node, str] = {}
        position = 0
        for node, values in run(graph, parameters, X):
            if node.op == "output":
                self._output = node.all_input_nodes[0]
                check_outputs(values[self._output], model.forward(theta, X).detach())
                continue
            value = values[node]
            size = Size.of(value.data, value.batched) if _is_real(value) else None
            if not value.depends:
                if size is not None:
                    self._constants[node] = constant_jet(size, self._blocks)
                continue
            if node.op == "placeholder":
                assert size is not None
                bound = _parameter(size, self._blocks, position)
                entries = parameter_entries(value.data) if node in behind else None
                self._steps.append(_Step(node, bound, entries, size))
                position += 1
                continue
            reason = next((unknown[each] for each in node.all_input_nodes if each in unknown), None)
            try:
                if reason is None:
                    call = Call(node, values)
                    find = ENTRIES.get(call.name) if node in behind else None
                    self._steps.append(_Step(node, _rule(node)(call), None if find is None else find(call), size))
            except NotCovered as error:
                reason = str(error)
            if reason is not None:
                unknown[node] = reason
        if self._output in unknown:
            raise NotCovered(f"{unknown[self._output]} is not covered")

    def at(self, radius: float) -> NormBounds:
        """The bounds on the ball of this radius."""
        if self.obstacle:
            infinite = np.full(self._count, np.inf)
            return NormBounds(infinite, infinite.copy(), self.obstacle)
        with np.errstate(all="ignore"):
            jet = self._output_jet(radius)
            smoothness = _spectral(jet.second)
            lipschitz = np.broadcast_to(length(jet.first), (self._count,)) * (1.0 + 1e-9)
        smoothness = np.broadcast_to(smoothness, (self._count,)).copy()
        obstacle = ""
        for reason, mask in jet.rough.items():
            rough = np.broadcast_to(mask, (self._count,))
            if rough.any():
                smoothness[rough] = np.inf
                obstacle = obstacle or f"{reason}, sample {int(np.argmax(rough))}"
        lipschitz, smoothness = (np.where(np.isnan(each), np.inf, each) for each in (lipschitz, smoothness))
        if not obstacle and not (np.isfinite(lipschitz).all() and np.isfinite(smoothness).all()):
            obstacle = "a bound overflows, or an operation may reach a point where it is not differentiable"
        return NormBounds(lipschitz, smoothness, obstacle)

    def _output_jet(self, radius: float) -> Jet:
        jets = dict(self._constants)
        for step in self._steps:
            jet = step.bound(jets, radius)
            jet = jet if step.size is None else tightened(jet, step.size, radius)
            jets[step.node] = jet if step.entries is None else replace(jet, entries=step.entries(jets, radius))
        return jets[self._output]


@dataclass(frozen=True)
class _Step:
    """One operation: its rule, the rule for its single entries where a rectifier follows, its size at the center."""

    node: Node
    bound: Bound
    entries: Entries | None
    size: Size | None


def _behind_rectifiers(graph: GraphModule) -> set[Node]:
    """The nodes that some rectifier depends on."""
    found: set[Node] = set()
    for node in reversed(graph.graph.nodes):
        if node in found or operation_name(node) in RECTIFIERS:
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

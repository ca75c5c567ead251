"""A model as the list of elementary operations that it runs on one sample, and their values at one theta."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, functionalize
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg

from margin_projection.networks.base import Model
from margin_projection.networks.module import ModuleModel

AGREEMENT = 1e-9  # relative; between the recorded operations and the model
_CHECKED_SAMPLES = 4
_CONSTANT = ("ones_like.default", "zeros_like.default", "new_zeros.default")  # use the shape of their argument alone
_UNVECTORIZED = ("copy.default",)  # torch.vmap falls back to a loop, and says so on the standard error


class NotTraceable(Exception):
    """The model's operations cannot be recorded; the message says why."""


@dataclass(frozen=True)
class Value:
    """What one operation computes.

    Attributes:
        data: a tensor, (n, ...) where ``batched``, or a sequence of them.
        batched: whether it differs from sample to sample.
        depends: whether it depends on the parameters.
    """

    data: Any
    batched: bool
    depends: bool


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parameter_tensors(model: Model, theta: Tensor) -> list[Tensor]:
    """theta cut into the tensors that the model's operations use."""
    return _callable_form(model, theta)[0]


def _callable_form(model: Model, theta: Tensor) -> tuple[list[Tensor], Callable[[list[Tensor], Tensor], Tensor]]:
    """The parameter tensors, and the model as a function of such tensors and one sample."""
    if isinstance(model, ModuleModel):
        named = model.unflatten(theta)
        names = list(named)
        return list(named.values()), lambda values, x: model.call(dict(zip(names, values, strict=True)), x[None])
    module = model.to_module(theta).to(theta.device)
    held = {name: value.detach() for name, value in module.named_parameters()}
    flat = torch.cat([value.reshape(-1) for value in held.values()])
    if not torch.equal(flat, theta):
        raise NotTraceable(f"the module of {type(model).__name__} holds its parameters in another order")

    def call(values: list[Tensor], x: Tensor) -> Tensor:
        return functional_call(module, dict(zip(held, values, strict=True)), (x[None],))

    return list(held.values()), call


def trace(model: Model, theta: Tensor, X: Tensor) -> GraphModule:
    """The operations from the parameter tensors and one sample to the output, without side effects.

    A branch that depends on values cannot be recorded. Against values that were silently frozen, the recording is
    compared with the model at three parameter vectors.

    Raises:
        NotTraceable: recording failed, or the recorded operations compute something else.
    """
    parameters, function = _callable_form(model, theta)

    def outputs(values: list[Tensor], x: Tensor) -> Tensor:
        return function(values, x).reshape(())

    graph = _record(outputs, parameters, model, X)
    _check(model, graph, theta, X)
    return graph


def trace_gradient(model: Model, theta: Tensor, X: Tensor) -> GraphModule:
    """The operations from the parameter tensors and one sample to the gradient with respect to each tensor.

    Raises:
        NotTraceable: recording failed.
    """
    parameters, function = _callable_form(model, theta)

    def outputs(values: list[Tensor], x: Tensor) -> Tensor:
        return function(values, x).reshape(())

    return _record(torch.func.grad(outputs), parameters, model, X)


def _record(function: Callable[..., Any], parameters: list[Tensor], model: Model, X: Tensor) -> GraphModule:
    example = torch.zeros(model.input_shape, dtype=X.dtype, device=X.device) if not X.shape[0] else X[0]
    try:
        with torch.no_grad(), _quiet():
            graph = _without_side_effects(function, [each.detach() for each in parameters], example)
    except Exception as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise NotTraceable(f"its operations cannot be recorded ({first_line[:120]})") from error
    writing = [node for node in graph.graph.nodes if _writes(node)]
    if writing:
        raise NotTraceable(f"its operation {writing[0].target} writes into a tensor in place")
    return graph


def _without_side_effects(function: Callable[..., Any], parameters: list[Tensor], example: Tensor) -> GraphModule:
    """Recorded twice where needed: composite operations may write into tensors that they create themselves."""
    graph = make_fx(functionalize(function, remove="mutations"))(parameters, example)
    if any(_writes(node) for node in graph.graph.nodes):
        graph = make_fx(functionalize(graph, remove="mutations"))(parameters, example)
    graph.graph.eliminate_dead_code()
    return graph


def _writes(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return bool(schema is not None and schema.is_mutable)


def _check(model: Model, graph: GraphModule, theta: Tensor, X: Tensor) -> None:
    generator = np.random.default_rng(0)
    samples = X[:_CHECKED_SAMPLES]
    scale = float(theta.norm()) / theta.numel() ** 0.5 or 1.0
    for trial in range(3):
        noise = torch.from_numpy(generator.standard_normal(theta.numel())).to(theta.device)
        point = theta if trial == 0 else scale * noise
        parts = _callable_form(model, point)[0]
        with torch.no_grad(), _quiet():
            recorded = [float(graph(parts, x)) for x in samples]
            expected = model.forward(point, samples).tolist()
        check_outputs(Value(samples.new_tensor(recorded), True, True), samples.new_tensor(expected))


def check_outputs(recorded: Value, expected: Tensor) -> None:
    """Compare what the recorded operations compute with the model's outputs (n,), finite or not.

    Raises:
        NotTraceable: they differ.
    """
    finite = torch.isfinite(expected)
    size = float(expected[finite].abs().max()) if bool(finite.any()) else 0.0
    close = (recorded.data - expected).abs() <= AGREEMENT * size
    if not bool(torch.where(finite, close, ~torch.isfinite(recorded.data)).all()):
        raise NotTraceable("the recorded operations do not compute the model's outputs")


def run(graph: GraphModule, parameters: list[Tensor], X: Tensor) -> Iterator[tuple[Node, dict[Node, Value]]]:
    """Run the operations for all samples; after each, yields it and the values known so far.

    Values are dropped once nothing needs them any more.
    """
    values: dict[Node, Value] = {}
    remaining: Counter[Node] = Counter(seen for node in graph.graph.nodes for seen in _seen_by(node))
    inputs: list[Value] = [*(Value(each, False, True) for each in parameters), Value(X, True, False)]
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            values[node] = inputs.pop(0)
        elif node.op == "get_attr":
            values[node] = Value(getattr(graph, str(node.target)), False, False)
        elif node.op == "call_function":
            values[node] = _apply(node, values, X.shape[0])
        elif node.op != "output":
            raise NotTraceable(f"it calls {node.target} in a way that cannot be recorded")
        yield node, values
        for operand in _seen_by(node):
            remaining[operand] -= 1
            if not remaining[operand]:
                del values[operand]


def _seen_by(node: Node) -> list[Node]:
    """The nodes whose values the rule of a node may look at: its arguments and theirs."""
    behind = [each for operand in node.all_input_nodes for each in operand.all_input_nodes]
    return list(dict.fromkeys([*node.all_input_nodes, *behind]))


def _apply(node: Node, values: dict[Node, Value], count: int) -> Value:
    operands = node.all_input_nodes
    place = {operand: index for index, operand in enumerate(operands)}
    given = [values[operand] for operand in operands]

    def call(*tensors: Any) -> Any:
        args = map_arg(node.args, lambda operand: tensors[place[operand]])
        kwargs = map_arg(node.kwargs, lambda operand: tensors[place[operand]])
        results = node.target(*args, **kwargs)  # type: ignore[operator]
        return tuple(map(_tensor, results)) if isinstance(results, tuple) else results

    name = getattr(node.target, "__name__", "")
    depends = any(each.depends for each in given) and name not in _CONSTANT
    batched = any(each.batched for each in given)
    data = [each.data for each in given]
    with torch.no_grad(), _quiet():
        if not batched:
            return Value(call(*data), False, depends)
        if isinstance(data[0], tuple | list):
            return Value(call(*data), True, depends)
        flags = [each.batched for each in given]
        if name in _UNVECTORIZED:
            return Value(_loop(call, data, flags, count), True, depends)
        try:
            return Value(torch.vmap(call, in_dims=tuple(0 if flag else None for flag in flags))(*data), True, depends)
        except RuntimeError:
            return Value(_loop(call, data, flags, count), True, depends)


def _tensor(result: Tensor | None) -> Tensor:
    """A result that was not asked for is None."""
    return torch.zeros((), dtype=torch.float64) if result is None else result


def _loop(call: Callable[..., Tensor], data: list[Any], flags: list[bool], count: int) -> Tensor:
    """Sample by sample."""
    pairs = list(zip(data, flags, strict=True))
    return torch.stack([call(*(each[i] if flag else each for each, flag in pairs)) for i in range(count)])

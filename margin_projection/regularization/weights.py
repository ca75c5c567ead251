"""Weighted regularizers ||Theta - Theta_{t-1}||^2_B (the paper's equation (1); EWC where B is a Fisher matrix)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor, restore, to_tensor
from margin_projection._validation import InputError, check_choice, check_real
from margin_projection.networks.base import Model
from margin_projection.networks.reparametrized import Reparametrized
from margin_projection.tasks.task import Task

FISHER_KINDS = ("diagonal", "full")
_SYMMETRIC = 1e-12
_LEAST_SHARE = 1e-26  # of the largest weight: beyond, the coordinates B^{1/2} theta are singular in float64


def fisher_weights(model: Model, task: Task, theta: Array, kind: str = "diagonal", damping: float = 1e-3) -> Any:
    """The empirical Fisher matrix of the logistic loss, (1/n) sum_i g_i g_i^T + damping I, as EWC's weights.

    g_i = -y_i grad f(x_i; theta) / (1 + exp(y_i f(x_i; theta))) is the gradient of log(1 + exp(-y_i f)).

    Args:
        model: the network; task: a classification task that fits it.
        theta: (p,) where the Fisher matrix is taken; its container carries over.
        kind: "diagonal" (default): the diagonal, (p,); "full": (p, p).
        damping: > 0 (default 1e-3), added to the diagonal, so that the weights are positive definite.

    Raises:
        InputError: an argument is out of its range, or the task is none for classification.

    >>> from margin_projection.networks import Linear
    >>> fisher_weights(Linear(2), Task([[2.0, 0.0]], [1]), np.zeros(2), damping=0.5)
    array([1.5, 0.5])
    """
    point = parameters_to_tensor("theta", theta, model.num_parameters, batched=False)
    check_choice("kind", kind, FISHER_KINDS)
    check_real("damping", damping, 0.0, open_below=True)
    if not isinstance(task, Task) or task.kind != "classification":
        raise InputError("task", task, "a classification task (the Fisher matrix is that of the logistic loss)")
    line = model.linearize(point, model.inputs_to_tensor(task.X, point.device))
    labels = torch.tensor(task.y, device=point.device)
    slopes = -labels * torch.sigmoid(-labels * line.values)
    count = slopes.numel()
    rows = line.row_gradients(torch.arange(count, device=point.device))
    gradients = slopes[:, None] * (line.jacobian() if rows is None else rows)
    if kind == "diagonal":
        return restore(gradients.square().mean(0) + damping, theta)
    identity = torch.eye(point.numel(), dtype=point.dtype, device=point.device)
    return restore(gradients.T @ gradients / count + damping * identity, theta)


def weighted_models(model: Model, weights: Any, num_steps: int) -> list[Model]:
    """The model of every step in the coordinates phi = B_t^{1/2} theta; the model itself where there are no weights.

    Args:
        weights: None, one array or a sequence of ``num_steps`` arrays: (p,) positive, or (p, p) symmetric positive
            definite.

    Raises:
        InputError: a shape does not fit, or weights are not symmetric positive definite.
    """
    if weights is None:
        return [model] * num_steps
    if isinstance(weights, Sequence) and not isinstance(weights, str) and _is_listed(weights):
        if len(weights) != num_steps:
            raise InputError("weights", weights, f"one array, or one for each of the {num_steps} steps")
        return [_reparametrized(model, f"weights[{step}]", each) for step, each in enumerate(weights)]
    return [_reparametrized(model, "weights", weights)] * num_steps


def _is_listed(weights: Sequence[Any]) -> bool:
    """Whether a sequence holds arrays, one a step, rather than the numbers of one array."""
    return bool(weights) and all(isinstance(each, np.ndarray | Tensor) and each.ndim >= 1 for each in weights)


def _reparametrized(model: Model, name: str, weights: Any) -> Reparametrized:
    p = model.num_parameters
    tensor = to_tensor(name, weights)
    if tuple(tensor.shape) == (p,):
        if not bool((tensor > 0).all()):
            raise InputError(name, weights, "positive in every entry")
        if not float(tensor.min()) > _LEAST_SHARE * float(tensor.max()):
            raise InputError(name, weights, f"no entry below {_LEAST_SHARE:g} of the largest")
        return Reparametrized(model, tensor.rsqrt())
    if tuple(tensor.shape) != (p, p):
        raise InputError(name, weights, f"of shape ({p},) or ({p}, {p})")
    if float((tensor - tensor.T).abs().max()) > _SYMMETRIC * float(tensor.abs().max()):
        raise InputError(name, weights, "symmetric")
    values, vectors = torch.linalg.eigh((tensor + tensor.T) / 2.0)
    if not float(values[0]) > 1e-13 * float(values[-1]):
        raise InputError(name, weights, f"positive definite (its least eigenvalue is {float(values[0]):.3g})")
    return Reparametrized(model, (vectors * values.rsqrt()) @ vectors.T)

"""Euler's identity by groups of parameters: how much each group's own scaling moves f, at random parameters and inputs.

For weights w_g and a degree d, f(x; (c^{w_g} theta_g)_g) = c^d f(x; theta) for all c > 0 implies, by differentiation at
c = 1, sum_g w_g <grad_{theta_g} f, theta_g> = d f wherever f is differentiable; the converse holds where f is
absolutely continuous along c (integrate d/dc of f(x; (c^{w_g} theta_g)_g) / c^d, which vanishes almost everywhere).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_tensor
from margin_projection._validation import InputError
from margin_projection.networks.module_function import ModuleFunction

_SAMPLES = 4  # of each kind at one theta
_SPREAD = 3.0  # parameters of a group are scaled by up to 2^_SPREAD at random
_OVERALL = (0.0, -12.0, 12.0, -20.0)  # exponents of the factors on all parameters, in turn
_MOST_TRIALS = 400
_LEAST, _LARGEST = 1e-200, 1e200  # sizes between which products keep their digits
_STEP = 2.0**-17
_SLOPE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class EulerEquations:
    """pairings @ w = d values for every w and d with f(x; (c^{w_g} theta_g)_g) = c^d f(x; theta).

    Attributes:
        pairings: (N, G) <grad_{theta_g} f(x; theta), theta_g>, each row divided by its largest entry or value.
        values: (N,) f(x; theta), divided by the same.
        trials: how many random theta they come from.
    """

    pairings: np.ndarray
    values: np.ndarray
    trials: int


def euler_equations(function: ModuleFunction, X: Any, seed: int) -> EulerEquations:
    """Collect 3 G + 12 equations or more, G the number of groups (trainable parameter tensors).

    Raises:
        InputError: f vanished at every trial, or autograd's derivatives are not those of f.
    """
    groups = len(function.parameter_names)
    wanted, rows, used = 3 * groups + 12, [], 0
    for trial, (theta, inputs) in enumerate(random_points(function, X, seed, _MOST_TRIALS)):
        found = _equations_at(function, theta, inputs)
        if found.shape[0]:
            if used % 4 == 0:
                _check_slopes(function, theta, inputs)
            rows.append(found)
            used += 1
        if sum(map(len, rows)) >= wanted and trial >= 2 * len(_OVERALL):
            break
    table = np.concatenate(rows) if rows else np.zeros((0, groups + 1))
    if not table[:, -1].any():
        raise InputError("module", type(function.frozen_copy).__name__, "one whose output is not zero at every trial")
    return EulerEquations(table[:, :-1], table[:, -1], used)


def random_points(function: ModuleFunction, X: Any, seed: int, trials: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Random (theta, inputs): groups of different sizes, every second theta nonnegative, all sizes of theta in turn.

    Nonnegative parameters keep the rectifiers of narrow, deep networks active. Inputs are samples of ``X``, where it is
    given, and standard normal ones.
    """
    generator = np.random.default_rng((seed, 3))
    given = None if X is None else to_tensor("X", X, device=torch.device("cpu"))
    for trial in range(trials):
        exponents = generator.uniform(-_SPREAD, _SPREAD, len(function.sizes)) + _OVERALL[trial % len(_OVERALL)]
        scales = [2.0**e / math.sqrt(_fan_in(shape)) for e, shape in zip(exponents, function.shapes, strict=True)]
        theta = generator.standard_normal(function.num_parameters) * np.repeat(scales, function.sizes)
        inputs = torch.from_numpy(generator.standard_normal((_SAMPLES, *function.input_shape)))
        if given is not None:
            chosen = generator.choice(len(given), min(_SAMPLES, len(given)), replace=False)
            inputs = torch.cat([given[torch.from_numpy(chosen)], inputs])
        if trial % 8 >= 4:
            theta, inputs = np.abs(theta), (inputs.abs() if given is None else inputs)
        yield torch.from_numpy(theta), inputs


def _fan_in(shape: tuple[int, ...]) -> float:
    return float(np.prod(shape[1:])) if len(shape) > 1 else 1.0


def pairings_at(function: ModuleFunction, theta: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """(n, G) <grad_{theta_g} f(x_i; theta), theta_g> and (n,) f(x_i; theta), by one backward pass a sample."""
    leaf = theta.detach().clone().requires_grad_()
    with torch.enable_grad():
        outputs = function.outputs(leaf, inputs)
    rows = []
    for output in outputs:
        if not output.requires_grad:
            rows.append(theta.new_zeros(len(function.sizes)))
            continue
        (found,) = torch.autograd.grad(output, leaf, retain_graph=True, materialize_grads=True)
        rows.append(torch.stack([part.sum() for part in (found * theta).split(function.sizes)]))
    return torch.stack(rows), outputs.detach()


def _equations_at(function: ModuleFunction, theta: Tensor, inputs: Tensor) -> np.ndarray:
    """(n', G + 1) pairings and value of every sample where they are of sizes that float64 handles well, normalized."""
    try:
        pairings, values = pairings_at(function, theta, inputs)
    except (RuntimeError, NotImplementedError) as error:
        requirement = "a module with true derivatives by autograd"
        raise InputError("module", f"the error '{error}'", requirement) from error
    table = torch.cat([pairings, values[:, None]], 1).numpy()
    table = table[np.isfinite(table).all(1)]
    sizes = np.abs(table).max(1, initial=0.0)
    kept = (sizes > _LEAST) & (sizes < _LARGEST)
    return table[kept] / sizes[kept, None]


def _check_slopes(function: ModuleFunction, theta: Tensor, inputs: Tensor) -> None:
    """Compare the pairings with difference quotients in s of f(x; e^s theta_g): they differ where gradients are cut.

    Kinks within a step spoil single quotients, so a group is at fault where most of its quotients differ.
    """
    pairings, values = pairings_at(function, theta, inputs)
    bounds = np.cumsum([0, *function.sizes]).tolist()
    with torch.no_grad():
        for group, (first, last) in enumerate(itertools.pairwise(bounds)):
            moved = []
            for sign in (1.0, -1.0):
                point = theta.clone()
                point[first:last] *= math.exp(sign * _STEP)
                moved.append(function.outputs(point, inputs))
            quotient = (moved[0] - moved[1]) / (2.0 * _STEP)
            scale = torch.maximum(pairings.abs().amax(1), values.abs()) + quotient.abs()
            wrong = (quotient - pairings[:, group]).abs() > _SLOPE_TOLERANCE * scale
            if bool(torch.isfinite(scale).all()) and int(wrong.sum()) > 0.5 * len(values):
                name = function.parameter_names[group]
                found = f"<grad f, theta> that differs from difference quotients for '{name}'"
                raise InputError("module", found, "a module with true derivatives by autograd")

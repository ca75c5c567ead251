"""What a user's module must satisfy besides homogeneity, checked on a few samples at construction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._validation import InputError, check_integer

if TYPE_CHECKING:
    from margin_projection.networks.module import ModuleModel

TOLERANCE = 1e-9


def resolve_input_shape(module: nn.Module, input_shape: Any, X: Any) -> tuple[int, ...]:
    """The shape of one sample: as given, from the examples, or (in_features,) of a first linear layer."""
    if input_shape is not None:
        sizes = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        shape = tuple(check_integer(f"input_shape[{i}]", size, 1) for i, size in enumerate(sizes))
        if X is not None and tuple(np.shape(X)[1:]) != shape:
            raise InputError("X", X, f"of shape (n, {', '.join(map(str, shape))})")
        return shape
    if X is not None:
        if len(np.shape(X)) < 2 or 0 in np.shape(X):
            raise InputError("X", X, "a nonempty array of shape (n, *input_shape)")
        return tuple(int(size) for size in np.shape(X)[1:])
    leaves = [leaf for leaf in module.modules() if next(leaf.children(), None) is None]
    first = next((leaf for leaf in leaves if any(True for _ in leaf.parameters(recurse=False))), None)
    if isinstance(first, nn.Linear):
        return (first.in_features,)
    raise InputError("input_shape", None, "given (or X), since the first layer is not linear")


def scalar_outputs(outputs: Any, count: int) -> Tensor:
    """A module's output as (n,), from (n,) or (n, 1), or a scalar for a single sample."""
    if isinstance(outputs, Tensor) and (outputs.shape in ((count,), (count, 1)) or (count == 1 == outputs.numel())):
        return outputs.reshape(count)
    what = f"shape {tuple(outputs.shape)}" if isinstance(outputs, Tensor) else type(outputs).__name__
    raise InputError("module", f"{what} for {count} samples", "a module with one output a sample, (n,) or (n, 1)")


def check_samples_independent(function: Callable[[Tensor, Tensor], Any], theta: Tensor, examples: Tensor) -> None:
    """Raise `InputError` where the module fails, is not float64 or not finite, is random, or mixes the samples."""
    with torch.no_grad():
        try:
            outputs = scalar_outputs(function(theta, examples), examples.shape[0])
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            shape = tuple(examples.shape)
            raise InputError("module", f"the error '{error}'", f"one that accepts X of shape {shape}") from error
        if outputs.dtype != torch.float64:
            raise InputError("module", f"outputs of {outputs.dtype}", "a module that computes in float64 throughout")
        if not bool(outputs.isfinite().all()):
            raise InputError("module", "NaN or infinity at random parameters", "a module with finite outputs")
        again = scalar_outputs(function(theta, examples), examples.shape[0])
        if _differ(again, outputs):
            raise InputError("module", "two outputs for the same input", "a module without randomness or memory")
        single = torch.cat([scalar_outputs(function(theta, x[None]), 1) for x in examples])
        if _differ(single, outputs):
            raise InputError("module", "outputs that depend on the batch", "a module that treats each sample by itself")


def _differ(first: Tensor, second: Tensor) -> bool:
    return not torch.allclose(first, second, rtol=0.0, atol=TOLERANCE * float(second.abs().max()), equal_nan=True)


def vectorizes(
    trace: Callable[[Tensor, Tensor], tuple[Tensor, list[Tensor]]],
    outputs: Callable[[Tensor, Tensor], Tensor],
    theta: Tensor,
    examples: Tensor,
) -> bool:
    """Whether the traced module runs under ``torch.vmap``, over samples and over parameters, with the same outputs."""
    try:
        with torch.no_grad():
            expected = outputs(theta, examples)
            over_samples = trace(theta, examples)[0]
            over_parameters = torch.vmap(outputs, in_dims=(0, None))(torch.stack([theta, theta]), examples)
        leaf = theta.clone().requires_grad_()
        torch.autograd.grad(trace(leaf, examples)[0].sum(), leaf)
    except InputError:
        raise
    except Exception:
        return False
    return not (_differ(over_samples, expected) or _differ(over_parameters[1], expected))


def check_derivatives(model: ModuleModel, theta: Tensor, examples: Tensor) -> None:
    """Compare autograd with Euler's identities <grad f, theta> = r f and (Hess f) theta = (r - 1) grad f.

    They hold for every homogeneous f of degree r at almost every theta, and fail where a module detaches, rounds or
    replaces its gradient.

    Raises:
        InputError: an identity fails, or autograd does.
    """
    requirement = "a module with true first and second derivatives by autograd"
    weights = torch.linspace(1.0, 2.0, examples.shape[0], dtype=torch.float64)
    try:
        linearization = model.linearize(theta, examples)
        slopes, gradient = linearization.apply(theta), linearization.adjoint(weights)
        curvature = linearization.hessian_vector(weights, theta)
        rows = linearization.jacobian()
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise InputError("module", f"the error '{error}'", requirement) from error
    if _differ(slopes, model.degree * linearization.values):
        raise InputError("module", "<grad f, theta> that differs from r f", requirement)
    scale = TOLERANCE * max(float(rows.abs().max()), 1e-300) * examples.shape[0] * max(1.0, model.degree)
    if float((weights @ rows - gradient).abs().max()) > scale:
        raise InputError("module", "per-sample gradients that differ from the gradient of the sum", requirement)
    if float((curvature - (model.degree - 1.0) * gradient).abs().max()) > scale:
        raise InputError("module", "(Hess f) theta that differs from (r - 1) grad f", requirement)

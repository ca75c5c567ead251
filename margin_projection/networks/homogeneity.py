"""Positive homogeneity f(x; c theta) = c^r f(x; theta): checked for a known degree r, or the degree found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_tensor
from margin_projection._validation import InputError, check_integer, check_real
from margin_projection.networks.base import Model

SCALES = (0.5, 2.0, 0.1, 3.0, 2.0**-16, 2.0**16)
TOLERANCE = 1e-9
TRIALS = 4
SAMPLES = 4
_LARGEST_EXPONENT = 250.0
_SHRINKAGES = 40

Forward = Callable[[Tensor, Tensor], Tensor]


class HomogeneityError(InputError):
    """A function is not positively homogeneous of the degree asked for (or of any). The message says where it fails.

    Attributes:
        argument, requirement, value: as in `InputError`; ``value`` is the evidence, in words.
    """

    def __init__(self, argument: str, requirement: str, evidence: str) -> None:
        super().__init__(argument, evidence, requirement)
        self.args = (f"{argument} must be {requirement}: {evidence}",)


@dataclass(frozen=True)
class DegreeEvidence:
    """What `find_degree` found.

    Attributes:
        degree: r, a whole number or a fraction p/q with q <= 4 where the measurement is within 1e-8 of one, else the
            measured value; None where the function is not homogeneous, or vanished at every trial.
        measured: log2 of f(x; 2 theta) / f(x; theta) at the largest output; None where there was no output to measure.
        reason: one sentence, empty where a degree was found.
    """

    degree: float | None
    measured: float | None
    reason: str


def check_homogeneity(
    forward: Forward,
    num_parameters: int,
    degree: float,
    input_shape: tuple[int, ...] | None = None,
    *,
    X: Any = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    argument: str = "model",
) -> float:
    """Check f(x; c theta) = c^r f(x; theta) at random theta and x, for c in 0.5, 2, 0.1, 3, 2^-16 and 2^16.

    The error at (theta, c) is max_i |f(x_i; c theta) - c^r f(x_i; theta)| over c^r max_i |f(x_i; theta)|: relative to
    the largest output, so that a single output near zero is no obstacle. Passing is evidence, not a proof.

    Args:
        forward: maps theta (p,) and X (n, *input_shape) to (n,), float64 tensors.
        num_parameters: p >= 1.
        degree: r, any finite number.
        input_shape: the shape of one sample, for random standard normal X. Not needed with ``X``.
        X: (n, ...) samples to check at, instead of random ones.
        seed: of the random theta and X (default 0).
        tolerance: largest relative error accepted, above 0 (default 1e-9).
        argument: how the error names the function (default "model").

    Returns:
        The largest relative error met.

    Raises:
        HomogeneityError: naming the degree, c and the relative error; or saying that f vanished at every trial.
        InputError: an argument is out of range.

    >>> check_homogeneity(lambda theta, X: X @ theta**2, 3, 2, (3,)) < 1e-14
    True
    """
    check_integer("num_parameters", num_parameters, 1)
    check_real("degree", degree)
    check_real("tolerance", tolerance, 0.0, open_below=True)
    requirement = f"positively homogeneous of degree {degree:g}"
    worst = -1.0
    for theta, inputs, base in _trials(forward, num_parameters, input_shape, X, seed):
        for scale in _admissible_scales(base, degree):
            error = _relative_error(_evaluate(forward, scale * theta, inputs), base * scale**degree)
            if not error <= tolerance:
                raise HomogeneityError(
                    argument, requirement,
                    f"f(x; c theta) differs from c^{degree:g} f(x; theta) at c = {scale:g} "
                    f"by {error:.2e} of the largest output (tolerance {tolerance:g})",
                )
            worst = max(worst, error)
    if worst < 0.0:
        raise HomogeneityError(argument, requirement, "f vanished or was not finite at every trial, nothing to check")
    return worst


def verify_model(model: Model, seed: int = 0) -> float:
    """`check_homogeneity` of a model against its own ``degree``; returns the largest relative error met.

    Raises:
        HomogeneityError: the model is not homogeneous of that degree.
    """
    return check_homogeneity(
        model.forward, model.num_parameters, model.degree, model.input_shape, seed=seed, argument=type(model).__name__
    )


def find_degree(
    forward: Forward,
    num_parameters: int,
    input_shape: tuple[int, ...] | None = None,
    *,
    X: Any = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> DegreeEvidence:
    """The degree r of f in theta: measured at c = 2, rounded, then confirmed by `check_homogeneity`.

    Args: as for `check_homogeneity`.

    >>> find_degree(lambda theta, X: X @ theta**2, 3, (3,)).degree
    2.0
    >>> find_degree(lambda theta, X: X @ theta.abs().sqrt(), 3, (3,)).degree
    0.5
    >>> find_degree(lambda theta, X: (X @ theta).tanh(), 3, (3,)).degree is None
    True
    """
    check_integer("num_parameters", num_parameters, 1)
    first = next(iter(_trials(forward, num_parameters, input_shape, X, seed)), None)
    if first is None:
        return DegreeEvidence(None, None, "f vanished or was not finite at every trial")
    theta, inputs, base = first
    where = int(base.abs().argmax())
    ratio = float(_evaluate(forward, 2.0 * theta, inputs)[where] / base[where])
    if not (math.isfinite(ratio) and ratio > 0.0):
        return DegreeEvidence(None, None, f"f(x; 2 theta) / f(x; theta) = {ratio:g}, no positive number")
    measured = math.log2(ratio)
    degree = _simple_fraction(measured)
    try:
        check_homogeneity(forward, num_parameters, degree, input_shape, X=X, seed=seed, tolerance=tolerance)
    except HomogeneityError as error:
        return DegreeEvidence(None, measured, f"measured degree {measured:.6g} at c = 2, but {error.value}")
    return DegreeEvidence(degree, measured, "")


def _simple_fraction(measured: float) -> float:
    """The fraction p/q, q <= 4, within 1e-8 of ``measured``, or ``measured`` itself."""
    simple = float(Fraction(measured).limit_denominator(4))
    return simple if abs(simple - measured) <= 1e-8 else measured


def _trials(
    forward: Forward, num_parameters: int, input_shape: tuple[int, ...] | None, X: Any, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Random (theta, X, f(X; theta)) with an output that is not zero; every second theta (and X) is nonnegative.

    Nonnegative weights keep every rectifier of a narrow, deep network active, where random signs would make f vanish.
    """
    if input_shape is None and X is None:
        raise InputError("input_shape", None, "given where X is not")
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    for trial in range(TRIALS):
        theta = torch.from_numpy(generator.standard_normal(num_parameters))
        if X is None:
            inputs = torch.from_numpy(generator.standard_normal((SAMPLES, *(input_shape or ()))))
        else:
            inputs = to_tensor("X", X)
        if trial % 2:
            theta, inputs = theta.abs(), (inputs.abs() if X is None else inputs)
        base = _evaluate(forward, theta, inputs)
        for _ in range(_SHRINKAGES):
            if bool(torch.isfinite(base).all()):
                break
            theta = 0.5 * theta
            base = _evaluate(forward, theta, inputs)
        if bool(torch.isfinite(base).all()) and bool((base != 0.0).any()):
            yield theta, inputs, base


def _evaluate(forward: Forward, theta: Tensor, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        return forward(theta.to(inputs.device), inputs).reshape(-1)


def _admissible_scales(base: Tensor, degree: float) -> Iterator[float]:
    """The scales at which c^r f neither overflows nor underflows."""
    exponent = math.log10(float(base.abs().max()))
    for scale in SCALES:
        if abs(exponent + degree * math.log10(scale)) <= _LARGEST_EXPONENT:
            yield scale


def _relative_error(value: Tensor, expected: Tensor) -> float:
    """max |value - expected| / max |expected|, infinite where a value is not finite."""
    error = float((value - expected).abs().max() / expected.abs().max())
    return error if math.isfinite(error) else math.inf

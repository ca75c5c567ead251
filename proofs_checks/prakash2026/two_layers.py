"""A two-layer ReLU network with one output and squared loss: its exact Hessian, in rational arithmetic.

Parameters per unit j: incoming weights w_j and bias b_j, outgoing weight a_j; then the output bias. f(x) = sum_j a_j
[<w_j, x> + b_j]_+ + bias; the risk is the mean of (f - y)^2 / 2. Points where a pre-activation is 0 are no twice
differentiable points and are passed over.
"""

from __future__ import annotations

from types import SimpleNamespace

from flint import fmpq, fmpq_mat
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.errors import Discard
from proofs_checks.instance import Instance
from proofs_checks.prakash2026.spectra import rational
from proofs_checks.strategies import dyadics, instances, vectors


def networks(max_units: int = 3) -> SearchStrategy[Instance]:
    """One or two inputs, up to ``max_units`` units, two or three samples."""
    small = dyadics(2, 2)

    def built(shape: tuple[int, int, int]) -> SearchStrategy[Instance]:
        inputs, units, samples = shape
        unit = st.tuples(vectors(inputs, small), small, small)  # w, b, a
        data = st.tuples(vectors(inputs, small), small)
        return instances(units=st.tuples(*[unit] * units), bias=small, data=st.tuples(*[data] * samples))

    return st.tuples(st.integers(1, 2), st.integers(1, max_units), st.integers(2, 3)).flatmap(built)


def preactivations(x: SimpleNamespace) -> list[list[fmpq]]:
    """<w_j, x_i> + b_j, one row a unit."""
    return [
        [sum((rational(w) * rational(v) for w, v in zip(weights, sample, strict=True)), rational(bias))
         for sample, _ in x.data]
        for weights, bias, _ in x.units
    ]  # fmt: skip


def strictly_dead(x: SimpleNamespace) -> list[bool]:
    """Units whose pre-activations are negative on every sample.

    Raises:
        Discard: a pre-activation is 0.
    """
    values = preactivations(x)
    if any(value == 0 for row in values for value in row):
        raise Discard("a kink")
    return [all(value < 0 for value in row) for row in values]


def derivatives(x: SimpleNamespace) -> tuple[fmpq_mat, fmpq_mat]:
    """The Hessian of the risk (p x p) and its gradient (p x 1); p = units (inputs + 2) + 1."""
    inputs, count, samples = len(x.units[0][0]), len(x.units), len(x.data)
    width = inputs + 2
    size = count * width + 1
    hessian, gradient = fmpq_mat(size, size), fmpq_mat(size, 1)
    values = preactivations(x)
    for i, (sample, label) in enumerate(x.data):
        extended = [*(rational(v) for v in sample), fmpq(1)]  # for the bias
        slopes = [fmpq(0)] * size
        slopes[-1] = fmpq(1)
        output = rational(x.bias)
        for j, (_, _, outgoing) in enumerate(x.units):
            if values[j][i] > 0:
                output += rational(outgoing) * values[j][i]
                for k, v in enumerate(extended):
                    slopes[j * width + k] = rational(outgoing) * v
                slopes[j * width + width - 1] = values[j][i]
        residual = output - rational(label)
        for row in range(size):
            gradient[row, 0] += residual * slopes[row] / samples
            for column in range(size):
                hessian[row, column] += slopes[row] * slopes[column] / samples
        for j in range(count):
            if values[j][i] > 0:
                last = j * width + width - 1
                for k, v in enumerate(extended):
                    hessian[j * width + k, last] += residual * v / samples
                    hessian[last, j * width + k] += residual * v / samples
    return hessian, gradient

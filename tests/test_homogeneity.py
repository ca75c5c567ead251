"""Homogeneity: the check of a known degree and the search for an unknown one, against functions of known degree."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margin_projection._validation import InputError
from margin_projection.networks.homogeneity import HomogeneityError, check_homogeneity, find_degree, verify_model
from margin_projection.networks.squared_linear import SquaredLinear

TIGHT = 1e-12


def power(exponent):
    return lambda theta, X: X @ (theta.sign() * theta.abs() ** exponent)


@pytest.mark.parametrize("degree", [0.25, 1 / 3, 0.5, 1.0, 1.5, 2.0, 3.0, 7.0, 40.0, 121.0])
def test_the_degree_of_a_power_is_found(degree):
    assert find_degree(power(degree), 4, (4,)).degree == pytest.approx(degree, abs=TIGHT)
    assert check_homogeneity(power(degree), 4, degree, (4,)) < TIGHT * max(1.0, degree)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 1000))
def test_fractions_are_recovered_and_neighbours_refuted(numerator, denominator, seed):
    degree = numerator / denominator
    assert find_degree(power(degree), 3, (3,), seed=seed).degree == degree
    for wrong in (degree + 1e-6, degree - 1e-6):
        with pytest.raises(HomogeneityError):
            check_homogeneity(power(degree), 3, wrong, (3,), seed=seed)


def test_a_degree_that_is_no_simple_fraction_is_returned_as_measured():
    assert find_degree(power(math.pi), 3, (3,)).degree == pytest.approx(math.pi, abs=TIGHT)


def test_degrees_zero_and_negative():
    assert find_degree(lambda theta, X: X @ (theta / theta.norm()), 3, (3,)).degree == 0.0
    assert find_degree(lambda theta, X: X @ (theta / theta.norm() ** 2), 3, (3,)).degree == -1.0


NOT_HOMOGENEOUS = {
    "bias": lambda theta, X: X @ theta**2 + theta[0],
    "constant": lambda theta, X: X @ theta + 1.0,
    "tiny constant": lambda theta, X: X @ theta + 1e-9,
    "tanh": lambda theta, X: (X @ theta).tanh(),
    "a clamp far away": lambda theta, X: (X @ theta).clamp(-100, 100),
    "a threshold far below": lambda theta, X: (X @ theta) * ((X @ theta).abs() > 1e-3),
    "small eps": lambda theta, X: X @ theta / (theta.norm() ** 2 + 1e-12).sqrt(),
    "logarithm": lambda theta, X: (X @ theta) * theta.norm().log(),
    "odd in theta only": lambda theta, X: X @ theta.exp(),
    "not a number": lambda theta, X: (X @ theta) / (theta * 0).sum(),
}


@pytest.mark.parametrize("name", NOT_HOMOGENEOUS)
def test_functions_without_a_degree_have_none(name):
    found = find_degree(NOT_HOMOGENEOUS[name], 3, (3,))
    assert found.degree is None
    assert found.reason


def test_the_error_names_degree_scale_and_relative_error():
    with pytest.raises(HomogeneityError, match=r"degree 3.*c = 0.5 by 1.00e\+00 of the largest output") as caught:
        check_homogeneity(power(2.0), 3, 3, (3,))
    assert isinstance(caught.value, InputError)
    assert caught.value.argument == "model"


def test_a_negative_multiple_is_not_asked_for():
    assert find_degree(lambda theta, X: (X @ theta).relu(), 3, (3,)).degree == 1.0


def test_a_function_that_vanishes_is_not_accepted():
    assert "vanished" in find_degree(lambda theta, X: 0 * (X @ theta), 3, (3,)).reason
    with pytest.raises(HomogeneityError, match="vanished"):
        check_homogeneity(lambda theta, X: 0 * (X @ theta), 3, 1, (3,))


def test_a_narrow_deep_rectifier_network_is_not_mistaken_for_zero():
    def forward(theta, X):
        hidden = X[:, 0]
        for weight in theta:
            hidden = (weight * hidden).relu()
        return hidden

    assert find_degree(forward, 12, (1,)).degree == 12.0


def test_given_samples_are_used():
    X = torch.eye(3, dtype=torch.float64)
    assert find_degree(power(2.0), 3, X=X).degree == 2.0
    with pytest.raises(InputError, match="input_shape"):
        find_degree(power(2.0), 3)


def test_verify_model_names_the_model():
    model = SquaredLinear(3)
    assert verify_model(model) < TIGHT
    model.degree = 1
    with pytest.raises(HomogeneityError, match="SquaredLinear must be positively homogeneous of degree 1"):
        verify_model(model)


@pytest.mark.parametrize("bad", [{"tolerance": 0.0}, {"degree": math.nan}, {"num_parameters": 0}, {"seed": -1}])
def test_arguments_are_validated(bad):
    arguments = {"num_parameters": 3, "degree": 2.0, "input_shape": (3,)} | bad
    with pytest.raises(InputError, match=next(iter(bad))):
        check_homogeneity(power(2.0), **arguments)

"""The boundary: what arrays are accepted, what is copied, and how refusals read."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from margin_projection._arrays import parameters_to_tensor, restore, to_tensor
from margin_projection._validation import (
    InputError,
    check_array,
    check_choice,
    check_integer,
    check_numbers,
    check_real,
)

REFUSED = {
    "text": (["1.0", "2.0"], "real numbers"),
    "numbers and text": ([1.0, "2.0"], "real numbers"),
    "text among objects": (np.array([1.0, "2.0"], dtype=object), "real numbers"),
    "bytes": (np.array([b"1"]), "real numbers"),
    "complex": (np.array([1.0 + 0.0j]), "complex128"),
    "complex number in a list": ([1.0, 2j], "complex128"),
    "complex among objects": (np.array([1.0, 2j], dtype=object), "real numbers"),
    "dates": (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64"),
    "masked": (np.ma.masked_array([1.0, 2.0], [True, False]), "some are masked"),
    "ragged": ([[1.0], [1.0, 2.0]], "array of numbers"),
    "nothing": (None, "real numbers"),
    "a dictionary": ({"a": 1.0}, "real numbers"),
    "fields": (np.zeros(2, dtype=[("a", "f8")]), "real numbers"),
    "too large a number": ([10**400], "array of numbers"),
}


@pytest.mark.parametrize("check", [check_array, check_numbers, to_tensor])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_array_of_real_numbers_is_refused(name, check):
    value, message = REFUSED[name]
    with pytest.raises(InputError, match=rf"^theta must be .*{message}") as caught:
        check("theta", value)
    assert caught.value.argument == "theta"


@pytest.mark.parametrize("value", [[1, 2], (1.0, 2), np.array([1, 2], dtype=np.uint8), [Fraction(1), Decimal(2)],
                                   np.array([1, 2], dtype=np.float16), torch.tensor([1, 2]), [torch.tensor(1.0), 2]])
def test_real_numbers_of_every_kind_are_accepted(value):
    assert check_array("x", value).tolist() == [1.0, 2.0]
    tensor = to_tensor("x", value)
    assert (tensor.dtype, tensor.tolist()) == (torch.float64, [1.0, 2.0])


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, min_side=0), elements=st.floats(-1e300, 1e300)))
def test_arrays_are_copied_and_equal(array):
    array.setflags(write=False)
    tensor, copied = to_tensor("x", array), check_array("x", array)
    assert np.array_equal(tensor.numpy(), array)
    assert np.array_equal(copied, array)
    tensor += 1.0
    copied += 1.0
    assert not (np.shares_memory(tensor.numpy(), array) or np.shares_memory(copied, array))


def test_reversed_and_strided_arrays_are_accepted():
    array = np.arange(12.0).reshape(3, 4)[::-1, ::2]
    assert np.array_equal(to_tensor("x", array).numpy(), array)


def test_tensors_stay_what_they_are():
    tensor = torch.ones(2, dtype=torch.float64, requires_grad=True)
    converted = to_tensor("x", tensor)
    assert not converted.requires_grad
    assert converted.data_ptr() == tensor.data_ptr()
    with pytest.raises(InputError, match="x must be real"):
        to_tensor("x", torch.ones(2, dtype=torch.complex128))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    with pytest.raises(InputError, match=r"x\[1, 0\] must be finite"):
        check_array("x", [[1.0], [bad]])
    for value in ([1.0, bad], torch.tensor([1.0, bad])):
        with pytest.raises(InputError, match="x must be finite"):
            to_tensor("x", value)


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"x must be an array with 1 axes, got an array of shape \(1, 2\)"):
        check_array("x", [[1.0, 2.0]], ndim=1)
    assert parameters_to_tensor("theta", np.zeros((5, 3)), 3).shape == (5, 3)
    for shape in ((2,), (1, 2, 3), ()):
        with pytest.raises(InputError, match="theta must be of shape"):
            parameters_to_tensor("theta", np.zeros(shape), 3)
    with pytest.raises(InputError, match=r"theta must be of shape \(3,\)"):
        parameters_to_tensor("theta", np.zeros((5, 3)), 3, batched=False)


def test_results_come_in_the_container_of_the_arguments():
    tensor = torch.ones(2, dtype=torch.float64)
    assert restore(tensor, tensor) is tensor
    assert isinstance(restore(tensor, [1.0]), np.ndarray)


def test_numbers_and_choices():
    assert (check_integer("n", np.int64(3), 1), check_real("x", Fraction(1, 2), 0.0)) == (3, 0.5)
    for value in (0, 2.0, True, "1"):
        with pytest.raises(InputError, match="n must be an integer in"):
            check_integer("n", value, 1)
    for value in (0.0, np.nan, np.inf, "1", 2.5, 1j):
        with pytest.raises(InputError, match="x must be a finite number in"):
            check_real("x", value, 0.0, 2.0, open_below=True)
    assert check_choice("c", "a", ("b", "a")) == "a"
    with pytest.raises(InputError, match="c must be one of 'a', 'b', got 'd'"):
        check_choice("c", "d", ("b", "a"))

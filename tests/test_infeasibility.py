"""Exact Farkas proofs: found where they exist, never where the exact system is feasible, refused when tampered with."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margin_projection.projections.infeasibility import least_violation_point, prove_infeasible, verify_farkas

NO_EQUALITIES = np.zeros(2, bool)


def exact_check(A, b, is_equality, farkas):
    weights = [Fraction(text) for text in farkas]
    signs = all(weight >= 0 for weight, equality in zip(weights, is_equality, strict=True) if not equality)
    combination = [sum(w * Fraction(float(a)) for w, a in zip(weights, column, strict=True)) for column in A.T]
    return signs and not any(combination) and sum(w * Fraction(float(v)) for w, v in zip(weights, b, strict=True)) > 0


def test_opposed_constraints():
    A, b = np.array([[2.0], [-1.0]]), np.ones(2)
    proof = prove_infeasible(A, b, NO_EQUALITIES)
    assert Fraction(proof.farkas[1]) == 2 * Fraction(proof.farkas[0]) and proof.support == (0, 1)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.4]))
def test_every_proof_holds_in_exact_arithmetic(seed, dimension, equalities):
    random = np.random.default_rng(seed)
    count = 4 * dimension + 2
    A, b = random.standard_normal((count, dimension)), random.standard_normal(count) + 1.0
    is_equality = random.random(count) < equalities
    proof = prove_infeasible(A, b, is_equality)
    violation = residual(A, b, is_equality, least_violation_point(A, b, is_equality))
    assert (proof is not None) == (violation > 1e-7)
    if proof is not None:
        assert exact_check(A, b, is_equality, proof.farkas)
        assert verify_farkas(A, b, is_equality, proof.farkas)


def residual(A, b, is_equality, theta):
    slack = A @ theta - b
    return np.where(is_equality, np.abs(slack), -slack).max()


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=2, max_size=8),
    st.integers(-3, 3),
    st.integers(-3, 3),
)
def test_systems_with_a_known_exact_solution_have_no_proof(rows, first, second):
    A = np.array(rows, dtype=float)
    b = A @ np.array([first, second], dtype=float)  # small integers: exact, and tight everywhere
    for is_equality in (np.zeros(len(b), bool), np.ones(len(b), bool)):
        assert prove_infeasible(A, b, is_equality) is None


@pytest.mark.parametrize("margin", [1e-6, 1e-9, 1e-15, 1e-300, 5e-324])
def test_the_narrowest_margin_is_no_proof(margin):
    A = np.array([[1.0, margin], [-1.0, margin]])
    assert prove_infeasible(A, np.ones(2), NO_EQUALITIES) is None
    A[:, 1] = 0.0
    assert prove_infeasible(A, np.ones(2), NO_EQUALITIES) is not None


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e200])
def test_rows_of_very_different_size(scale):
    random = np.random.default_rng(4)
    A = random.standard_normal((12, 3))
    A[0] = np.array([1.0, 2.0, 4.0]) / 3
    A[1] = -A[0] * 2.0 ** round(np.log2(scale))
    proof = prove_infeasible(A, np.ones(12), np.zeros(12, bool))
    assert proof is not None and exact_check(A, np.ones(12), np.zeros(12, bool), proof.farkas)


def test_contradicting_equalities():
    A, b = np.array([[1.0, 2.0], [0.5, 1.0], [1.0, 0.0]]), np.array([1.0, 1.0, 7.0])
    proof = prove_infeasible(A, b, np.ones(3, bool))
    assert verify_farkas(A, b, np.ones(3, bool), proof.farkas) and proof.support == (0, 1)
    assert any(Fraction(text) < 0 for text in proof.farkas)
    assert not verify_farkas(A, b, np.zeros(3, bool), proof.farkas)


def test_a_zero_row():
    proof = prove_infeasible(np.zeros((1, 2)), np.ones(1), np.zeros(1, bool))
    assert proof.farkas == ("1",)
    assert prove_infeasible(np.zeros((1, 2)), np.zeros(1), np.zeros(1, bool)) is None


@pytest.mark.parametrize(
    "farkas",
    [
        ("1", "1"),
        ("-1/2", "-1"),
        ("0", "0"),
        ("1/2",),
        ("1/0", "1"),
        ("x", "1"),
        ("", ""),
        ("0.5", "1"),
        ("1/2", "1", "0"),
    ],
)
def test_wrong_vectors_are_refused(farkas):
    A = np.array([[2.0], [-1.0]])
    assert verify_farkas(A, np.ones(2), NO_EQUALITIES, ("1/2", "1"))
    assert not verify_farkas(A, np.ones(2), NO_EQUALITIES, farkas)


def test_data_that_are_not_finite_prove_nothing():
    assert not verify_farkas(np.array([[np.nan]]), np.ones(1), np.zeros(1, bool), ("1",))
    assert not verify_farkas(np.zeros((1, 1)), np.array([np.inf]), np.zeros(1, bool), ("1",))


def test_vectors_with_thousands_of_digits():
    random = np.random.default_rng(5)
    A = random.standard_normal((260, 120))
    proof = prove_infeasible(A, np.ones(260), np.zeros(260, bool))
    if proof is None:
        pytest.fail("260 random half-spaces in dimension 120 have an empty intersection with this seed")
    assert verify_farkas(A, np.ones(260), np.zeros(260, bool), proof.farkas)


def test_least_violation_is_the_chebyshev_point():
    A, b = np.array([[1.0], [-1.0]]), np.array([2.0, 1.0])  # theta >= 2 and theta <= -1
    assert least_violation_point(A, b, NO_EQUALITIES)[0] == pytest.approx(0.5)
    assert least_violation_point(A, b, np.array([True, False]))[0] == pytest.approx(0.5)

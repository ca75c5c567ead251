"""Orderings (7): what they draw, that longer runs extend shorter ones, and that they survive JSON."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from scipy import stats

from margin_projection._validation import InputError
from margin_projection.tasks.orderings import Ordering, as_ordering, cyclic, given, iid, without_replacement

SIGNIFICANCE = 1e-4  # a fair draw fails a chi-squared test this rarely; the seeds are fixed

seeds = st.integers(0, 2**70)
orderings = st.one_of(
    st.just(cyclic()),
    seeds.map(iid),
    seeds.map(without_replacement),
    st.lists(st.integers(0, 0), min_size=200, max_size=200).map(given),
)


def test_cyclic_is_the_papers_formula():
    paper = [((t - 1) % 4) + 1 for t in range(1, 12)]
    assert (cyclic().indices(4, 11) + 1).tolist() == paper


@hypothesis_given(orderings, st.integers(1, 12), st.integers(0, 200), st.integers(0, 200))
def test_a_longer_run_extends_a_shorter_one(ordering, num_tasks, one, other):
    short, long = sorted((one, other))
    extended = ordering.indices(num_tasks, long)
    assert extended.shape == (long,) and extended.dtype == np.int64
    assert np.array_equal(extended[:short], ordering.indices(num_tasks, short))
    assert ((extended >= 0) & (extended < num_tasks)).all()


@hypothesis_given(orderings)
def test_json_round_trip(ordering):
    assert Ordering.from_dict(json.loads(json.dumps(ordering.to_dict()))) == ordering


@hypothesis_given(seeds, st.integers(1, 30), st.integers(1, 8))
def test_without_replacement_permutes_in_every_epoch(seed, num_tasks, epochs):
    drawn = without_replacement(seed).indices(num_tasks, num_tasks * epochs).reshape(epochs, num_tasks)
    assert np.array_equal(np.sort(drawn, axis=1), np.tile(np.arange(num_tasks), (epochs, 1)))


def test_iid_is_uniform_and_independent():
    drawn = iid(seed=11).indices(3, 90_000)
    assert stats.chisquare(np.bincount(drawn, minlength=3)).pvalue > SIGNIFICANCE
    pairs = np.bincount(3 * drawn[0::2] + drawn[1::2], minlength=9)
    assert stats.chisquare(pairs).pvalue > SIGNIFICANCE


def test_without_replacement_draws_every_permutation_equally_often():
    epochs = without_replacement(seed=5).indices(3, 3 * 30_000).reshape(-1, 3)
    counts = [int((epochs == permutation).all(axis=1).sum()) for permutation in itertools.permutations(range(3))]
    assert sum(counts) == 30_000
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE


def test_recorded_draws_stay_the_same():
    # Saved trajectories name their ordering by its seed: these values must not change between releases.
    assert iid(seed=0).indices(5, 10).tolist() == [3, 1, 0, 0, 4, 4, 3, 3, 2, 4]
    assert without_replacement(seed=0).indices(5, 10).tolist() == [3, 2, 1, 0, 4, 3, 1, 2, 0, 4]


@pytest.mark.parametrize("make", [iid, without_replacement])
def test_seeds_differ(make):
    runs = {tuple(make(seed).indices(6, 60)) for seed in range(20)}
    assert len(runs) == 20


def test_as_ordering():
    assert as_ordering("cyclic") == cyclic()
    assert as_ordering("iid", seed=4) == iid(4)
    assert as_ordering("without_replacement", seed=4) == without_replacement(4)
    assert as_ordering(np.array([1, 0])) == as_ordering((1, 0)) == given([1, 0])
    ordering = iid(1)
    assert as_ordering(ordering) is ordering


def test_given_lists_the_users_choice():
    assert given([2, 0, 0, 1]).indices(3, 3).tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: cyclic().indices(0, 3), "num_tasks"),
        (lambda: cyclic().indices(2.0, 3), "num_tasks"),
        (lambda: cyclic().indices(2, -1), "num_steps"),
        (lambda: cyclic().indices(2, True), "num_steps"),
        (lambda: iid(-1), "seed"),
        (lambda: iid(0.5), "seed"),
        (lambda: without_replacement(None), "seed"),
        (lambda: given([]), "ordering"),
        (lambda: given([0, -1]), r"ordering\[1\]"),
        (lambda: given([0, 1.5]), r"ordering\[1\]"),
        (lambda: given([0, "1"]), r"ordering\[1\]"),
        (lambda: given([[0, 1]]), r"ordering\[0\]"),
        (lambda: given("01"), "ordering"),
        (lambda: given(7), "ordering"),
        (lambda: given([0, 1]).indices(2, 3), "num_steps"),
        (lambda: given([0, 2]).indices(2, 2), r"ordering\[1\]"),
        (lambda: as_ordering("given"), "ordering"),
        (lambda: as_ordering("shuffled"), "ordering"),
        (lambda: as_ordering(None), "ordering"),
        (lambda: as_ordering("iid", seed=-3), "seed"),
        (lambda: Ordering.from_dict({"seed": 1}), "ordering"),
        (lambda: Ordering.from_dict({"name": "sorted"}), "ordering name"),
        (lambda: Ordering.from_dict({"name": "iid"}), "ordering"),
        (lambda: Ordering.from_dict({"name": "cyclic", "seed": 1}), "ordering"),
        (lambda: Ordering.from_dict({"name": "iid", "seed": "1"}), "seed"),
        (lambda: Ordering.from_dict(["iid"]), "ordering"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(InputError, match=f"^{named} must be "):
        call()

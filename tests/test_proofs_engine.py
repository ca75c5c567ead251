"""The engine on statements whose truth is known, and on statements that are no good."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from proofs_samples import CAUCHY_SCHWARZ, MEANS, TRUE

from margin_projection import InputError
from proofs_checks import Claim, Constant, Hypothesis, Instance, Statement, StatementError, verify
from proofs_checks.arithmetic import EXACT, dot
from proofs_checks.attacks.exactification import exact_truth
from proofs_checks.attacks.property_search import QUANTILES, property_search
from proofs_checks.condition import Truth
from proofs_checks.evaluation import evaluate
from proofs_checks.strategies import instances, unit_vectors


def with_factor(statement: Statement, factor: Fraction) -> Statement:
    return replace(statement, constants={"factor": Constant(factor, "down")}, fates={})


def test_true_statements_survive_and_mutants_do_not():
    verdict = verify(CAUCHY_SCHWARZ, budget="default")
    assert verdict.status.word == "supported" and verdict.mutation is not None
    assert verdict.mutation.score == 1.0 and not verdict.mutation.mistakes
    (bracket,) = verdict.tightness
    assert bracket.not_refuted == "1"


def test_tightness_starts_from_the_printed_constant():
    """1 <= factor / (factor - 1/4) holds for every factor > 1/4 and, past its pole, fails below."""
    claim = Claim("a pole", lambda q, c: 1, "<=", lambda q, c: 4 * c.factor / (4 * c.factor - 1))
    statement = replace(with_factor(CAUCHY_SCHWARZ, Fraction(1)), claims=(claim,))
    statement = replace(statement, constants={"factor": Constant(1, "up")})
    (bracket,) = verify(statement, budget="default").tightness
    assert (bracket.not_refuted, bracket.refuted, bracket.stronger) == ("64", None, "up")


def test_slack_quantiles_are_those_of_distinct_instances_and_rounding_is_no_violation():
    for factor in (1, Fraction(9, 10)):
        statement = with_factor(CAUCHY_SCHWARZ, Fraction(factor))
        search = property_search(statement, 60, 0, pool=4)
        slacks = {each: evaluate(statement, each).worst[1].relative_slack for each in search.slacks}
        refuting = {each for each in slacks if exact_truth(statement, each) is Truth.FALSE}
        assert bool(refuting) == (factor < 1) and len(slacks) <= search.tried
        expected = {each: slack if each in refuting else max(0.0, slack) for each, slack in slacks.items()}
        assert search.slacks == expected
        np.testing.assert_allclose(search.slack_quantiles(), np.quantile(list(expected.values()), QUANTILES))


def test_fifty_weakened_true_statements_are_not_refuted():
    rng = random.Random(0)
    for _ in range(50):
        weaker = 1 + Fraction(rng.choice([0, 1, 10**6, 10**11, rng.randrange(10**12)]), 10**12)
        assert verify(with_factor(rng.choice(TRUE), weaker), budget="quick").status.word == "supported"


def test_false_statements_are_refuted_exactly_and_reproducibly():
    for factor in (Fraction(9, 10), Fraction(99, 100)):
        for statement in (CAUCHY_SCHWARZ, MEANS):
            first, second = (verify(with_factor(statement, factor), budget="default", seed=3) for _ in range(2))
            assert first.status.word == "refuted" and first.counterexample == second.counterexample


def bad(**changes) -> Statement:
    return replace(CAUCHY_SCHWARZ, id="samples/bad", fates={}, corners={}, **changes)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (bad(claims=(Claim("c", lambda q, c: 1 / 0, "<=", lambda q, c: 1),)), "ZeroDivisionError"),
        (bad(claims=(Claim("c", lambda q, c: math.nan, "<=", lambda q, c: 1.0),)), "not a number"),
        (
            bad(hypotheses=(Hypothesis("long", lambda q, c: q.right, ">=", lambda q, c: 10**9),)),
            "its strategy broke the hypothesis 'long'",
        ),
    ],
    ids=["raises", "nan", "strategy"],
)  # fmt: skip
def test_unusable_statements_are_named(statement: Statement, said: str):
    verdict = verify(statement, budget="quick")
    assert verdict.status.word == "unknown" and verdict.error is not None
    assert "samples/bad" in verdict.error and said in verdict.error


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="nothing/there"):
        verify("nothing/there")
    with pytest.raises(InputError, match="budget"):
        verify(CAUCHY_SCHWARZ, budget="huge")
    with pytest.raises(InputError, match="seed"):
        verify(CAUCHY_SCHWARZ, seed=-1)
    with pytest.raises(InputError, match="floats are not exact"):
        Instance(x=0.5)
    with pytest.raises(StatementError, match="claims nothing"):
        bad(claims=())


def test_exact_arithmetic():
    assert EXACT.sqrt(EXACT.number("4/9")) == EXACT.number("2/3")
    assert EXACT.sqrt(EXACT.number(2)) ** 2 - 2 < EXACT.number("1/1000000000")
    assert EXACT.power(EXACT.number("8"), 2) == 64


def test_unit_vectors_have_norm_one():
    for vector in (unit_vectors(3).filter(lambda v: v[0] != 0),):
        found = verify(
            replace(
                CAUCHY_SCHWARZ, id="samples/unit", fates={}, corners={},
                instances=lambda dropped, v=vector: instances(u=v),
                derive=lambda x, A, c: {"left": dot(x.u, x.u), "right": c.factor},
                claims=(Claim("norm", lambda q, c: q.left, "=", lambda q, c: q.right),),
            ),
            budget="quick",
        )  # fmt: skip
        assert found.status.word == "supported"


@pytest.mark.parametrize(
    ("identifier", "status", "proof"),
    [
        ("schliserman2026/lemma-d2", "refuted", "BROKEN"),
        ("schliserman2026/lemma-d3", "refuted", "BROKEN"),
        ("schliserman2026/theorem-05a", "proved", "ABSENT"),
        ("schliserman2026/theorem-05b", "refuted", "BROKEN"),
        ("schliserman2026/lemma-14", "refuted", "BROKEN"),
        ("schliserman2026/theorem-15-cyclic", "refuted", "BROKEN"),
        ("schliserman2026/theorem-15-random", "refuted", "BROKEN"),
        ("schliserman2026/proposition-b1", "proved", "COMPLETE"),
        ("schliserman2026/proposition-b2", "refuted", "BROKEN"),
        ("schliserman2026/proposition-b3", "proved", "BROKEN"),
        ("schliserman2026/proposition-b4", "proved", "BROKEN"),
        ("schliserman2026/text-u1-at-least-2", "refuted", "ABSENT"),
        ("schliserman2026/text-any-ordering", "proved", "ABSENT"),
        ("schliserman2026/text-positive-measure", "proved", "ABSENT"),
        ("schliserman2026/text-nonzero-initialization", "refuted", "ABSENT"),
    ],
)
def test_verdicts(identifier: str, status: str, proof: str):
    verdict = verify(identifier, budget="quick")
    assert verdict.error is None
    assert (verdict.status.word, verdict.proof_status.name) == (status, proof)
    if status == "refuted":
        assert verdict.counterexample is not None and verdict.repair is not None
        assert verdict.repair.status.word == "proved"

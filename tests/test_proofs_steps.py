"""Makers of proof steps judge right and wrong steps as what they are."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import z3
from proofs_samples import CAUCHY_SCHWARZ

from proofs_checks import Constant, ContradictionError, ProofStatus, StepOutcome, steps, verify, verify_all
from proofs_checks.proof import judge, proof_status, proves
from proofs_checks.registry import registered

A, B = z3.Reals("a b")
FINE = steps.argued("d", "a", "because")
CASES = {
    "a true identity": (steps.identity("d", "a", "(x + y)**2", "x**2 + 2*x*y + y**2"), StepOutcome.CHECKED),
    "a wrong identity": (steps.identity("d", "a", "(x + y)**2", "x**2 + y**2"), StepOutcome.UNDECIDED),
    "a true implication": (steps.implication("d", "a", [], 2 * A * B <= A * A + B * B), StepOutcome.CHECKED),
    "a wrong implication": (steps.implication("d", "a", [A > 0, B > 0], A * B <= A * A), StepOutcome.FALSE),
    "contradictory premises": (steps.implication("d", "a", [A > 0, A < 0], B > B), StepOutcome.UNDECIDED),
    "positive": (steps.positive_on("d", "a", lambda t: t.exp() - 1 - t, "1/10", "3"), StepOutcome.CHECKED),
    "not positive": (steps.positive_on("d", "a", lambda t: t - 1, "0", "2"), StepOutcome.FALSE),
    "evaluated": (steps.evaluated("d", "a", lambda: 1 < 2), StepOutcome.CHECKED),
    "evaluated, wrong": (steps.evaluated("d", "a", lambda: 2 < 1), StepOutcome.FALSE),
    "false": (steps.false("d", "a", lambda: True, "here"), StepOutcome.FALSE),
    "false without a witness": (steps.false("d", "a", lambda: False, "here"), StepOutcome.UNDECIDED),
    "cited": (steps.cited("d", "a", "a book", [FINE]), StepOutcome.CITED),
    "cited, conditions fail": (
        steps.cited("d", "a", "a book", [steps.evaluated("d", "a", lambda: False)]), StepOutcome.OPEN
    ),
    "a gap that is closed": (steps.gap("d", "a", "missing", [FINE]), StepOutcome.GAP),
    "a gap that is open": (steps.gap("d", "a", "missing"), StepOutcome.OPEN),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_outcomes(name):
    step, expected = CASES[name]
    (judged,) = judge([step])
    assert judged.result.outcome is expected
    assert proves([judged]) == (expected in (StepOutcome.CHECKED, StepOutcome.ARGUED, StepOutcome.GAP))


def test_a_proof_is_as_good_as_its_worst_step():
    def status(*names):
        return proof_status(judge([CASES[name][0] for name in names]))

    assert status() is ProofStatus.ABSENT and not proves(())
    assert status("evaluated") is ProofStatus.COMPLETE
    assert status("evaluated", "cited") is ProofStatus.CITED
    assert status("cited", "a gap that is closed") is ProofStatus.GAP
    assert status("a gap that is closed", "contradictory premises") is ProofStatus.OPEN
    assert status("false", "a gap that is open") is ProofStatus.BROKEN


def test_a_check_that_raises_names_statement_and_step():
    raising = steps.evaluated("display 7", "a", lambda: 1 // 0 > 0)
    broken = replace(CAUCHY_SCHWARZ, id="samples/step", own_proof=(raising,))
    error = verify(broken, budget="quick").error
    assert error is not None and "samples/step" in error and "display 7" in error


def test_a_proof_and_a_counterexample_contradict_one_another(monkeypatch):
    wrong = replace(
        CAUCHY_SCHWARZ, id="samples/both", own_proof=(FINE,), fates={}, constants={"factor": Constant("1/2", "down")},
    )  # fmt: skip
    with pytest.raises(ContradictionError, match="samples/both"):
        verify(wrong, budget="quick")
    monkeypatch.setitem(registered(), "samples/both", wrong)
    monkeypatch.setitem(registered(), "samples/true", CAUCHY_SCHWARZ)
    lost, kept = verify_all(["samples/both", "samples/true"], budget="quick")
    assert lost.error is not None and "samples/both" in lost.error and kept.status.word == "supported"


@pytest.mark.parametrize("name", ["proposition-b1", "proposition-b2", "proposition-b3", "lemma-d3", "theorem-05a"])
def test_mutants_that_are_false_are_caught_and_true_ones_are_not(name):
    verdict = verify(f"schliserman2026/{name}")
    found = verdict if verdict.mutation is not None else verdict.repair
    assert found is not None and found.mutation is not None
    assert found.mutation.score == 1.0 and not found.mutation.mistakes


def test_verdicts_do_not_depend_on_the_process():
    code = (
        "from proofs_checks import verify\n"
        "print([verify(f'schliserman2026/{name}', seed=5).counterexample for name in ('lemma-d3', 'proposition-b2')])"
    )
    printed = set()
    for start, hash_seed in ((code, "1"), ("import margin_projection.verify.job, mpmath\n" + code, "2")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, env=environment, check=True)
        printed.add(run.stdout)
    assert len(printed) == 1 and "lemma-d3#" in printed.pop()

"""From attacks to a verdict."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace

from proofs_checks.attacks.adversarial import adversarial_search
from proofs_checks.attacks.corners import CornerResults, corner_cases
from proofs_checks.attacks.exactification import counterexample, refutes, shrunk
from proofs_checks.attacks.mutation import mutate
from proofs_checks.attacks.property_search import Search, property_search
from proofs_checks.attacks.tightness import tightness
from proofs_checks.budget import Budget
from proofs_checks.errors import ContradictionError, StatementError
from proofs_checks.evidence import FEWEST_CASES, Findings
from proofs_checks.instance import Instance
from proofs_checks.proof import JudgedStep, ProofStatus, Step, failing, judge, proof_status, proves
from proofs_checks.statement import Statement
from proofs_checks.verdict import Counterexample, Status, Verdict

_FEWEST_EXAMPLES = 5


def examine(statement: Statement, budget: Budget, seed: int) -> Verdict:
    """The verdict on a statement, with its repair and its other readings; an unusable statement is `Status.UNKNOWN`.

    Args:
        statement: see `Statement`.
        budget: see `BUDGETS`.
        seed: a nonnegative integer; the same seed gives the same verdict and the same counterexample.

    Raises:
        ContradictionError: the statement is proved and refuted.
    """
    begin = time.perf_counter()
    try:
        verdict = _examined(statement, budget, seed)
    except StatementError as error:
        verdict = unusable(statement, error, seed)
    if statement.repair is not None:
        verdict = replace(verdict, repair=examine(statement.repair, budget, seed))
    verdict = replace(verdict, readings=tuple(examine(each, budget, seed) for each in statement.readings))
    return replace(verdict, seconds=round(time.perf_counter() - begin, 3))


def _examined(statement: Statement, budget: Budget, seed: int) -> Verdict:
    findings = _attacked(statement, budget, zlib.crc32(statement.key.encode()) ^ seed)
    status, because = findings.status()
    pool = [*findings.search.tight, *statement.corners.values()]
    return Verdict(
        statement.id,
        statement.source,
        statement.title,
        statement.text,
        statement.reading,
        status,
        proof_status(findings.printed),
        because,
        hypotheses=tuple(f"{each.name} (silent)" if each.silent else each.name for each in statement.hypotheses),
        steps=findings.printed,
        own_steps=(*findings.vacuity, *findings.own),
        failing_steps=tuple(f"{s.display}: {s.asserts} ({s.result.detail})" for s in failing(findings.printed)),
        evidence=findings.evidence(),
        counterexample=findings.counterexample,
        tightness=tightness(statement, pool) if budget.mutant_examples else (),
        mutation=findings.mutation,
        remarks=statement.remarks,
        seed=seed,
    )


def _attacked(statement: Statement, budget: Budget, random_state: int) -> Findings:
    proofs = (statement.proof, statement.own_proof, statement.vacuity)
    printed, own, vacuity = (_judged(statement, steps) for steps in proofs)
    corners = corner_cases(statement)
    fewest = _FEWEST_EXAMPLES if proves(own) or proves(printed) else 2 * FEWEST_CASES  # some are discarded
    examples = budget.scaled(budget.examples, statement.cost, fewest)
    search = property_search(statement, examples, random_state, pool=budget.pool)
    evaluations = 0
    if not corners.refuting and search.counterexample is None and budget.evaluations:
        share = budget.scaled(budget.evaluations, statement.cost, 1)
        evaluations = adversarial_search(statement, search, share, random_state, pool=budget.pool)
    found = _counterexample(statement, corners, search)
    findings = Findings(statement, printed, own, vacuity, corners, search, evaluations, found)
    if found is None:
        share = budget.scaled(budget.mutant_examples, statement.cost, _FEWEST_EXAMPLES)
        return replace(findings, mutation=mutate(statement, search.tight, share, random_state, holds=findings.proved))
    if findings.proved or proves(vacuity):
        raise ContradictionError(f"{statement.key!r} has a proof and a counterexample: {found.id}, {found.instance!r}")
    return findings


def _counterexample(statement: Statement, corners: CornerResults, search: Search) -> Counterexample | None:
    """The simplest of those found."""
    found = [statement.corners[name] for name in corners.refuting]
    if search.counterexample is not None:
        found.append(search.counterexample)
    candidates = [shrunk(statement, instance) for instance in found]
    confirmed = [instance for instance in candidates if refutes(statement, instance)]
    return counterexample(statement, min(confirmed, key=Instance.size)) if confirmed else None


def _judged(statement: Statement, steps: Sequence[Step]) -> tuple[JudgedStep, ...]:
    found: list[JudgedStep] = []
    for step in steps:
        try:
            found += judge([step])
        except Exception as error:
            problem = f"the check of step {step.display!r} raised {type(error).__name__} ({error})"
            raise StatementError(statement.key, problem) from error
    return tuple(found)


def unusable(statement: Statement, error: Exception, seed: int) -> Verdict:
    """The verdict on a statement that could not be examined: unknown, with the reason."""
    return Verdict(
        statement.id,
        statement.source,
        statement.title,
        statement.text,
        statement.reading,
        Status.UNKNOWN,
        ProofStatus.ABSENT,
        "the statement could not be examined",
        remarks=statement.remarks,
        seed=seed,
        error=str(error),
    )

"""Verdicts as JSON: one row a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofs_checks.verdict import MutationReport, Verdict


def json_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values: id, source, title, status, proof_status, failing_steps, reading, evidence,
    counterexample, repair, tightness, seed, seconds; and readings, steps, mutation, remarks, error.
    """
    found = verdict.counterexample
    return {
        "id": verdict.id,
        "source": verdict.source,
        "title": verdict.title,
        "text": verdict.text,
        "reading": verdict.reading,
        "hypotheses": list(verdict.hypotheses),
        "status": verdict.status.word,
        "because": verdict.because,
        "proof_status": verdict.proof_status.name.lower(),
        "failing_steps": list(verdict.failing_steps),
        "steps": _steps(verdict),
        "evidence": [
            {"attack": each.attack, "outcome": each.outcome, "numbers": dict(each.numbers)} for each in verdict.evidence
        ],
        "counterexample": None if found is None else found.to_json(),
        "repair": None if verdict.repair is None else json_row(verdict.repair),
        "tightness": [vars(each) for each in verdict.tightness],
        "mutation": None if verdict.mutation is None else _mutation(verdict.mutation),
        "readings": [json_row(each) for each in verdict.readings],
        "remarks": list(verdict.remarks),
        "seed": verdict.seed,
        "seconds": verdict.seconds,
        "error": verdict.error,
    }


def flattened(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts with those on their readings and repairs, each after its own."""
    found: list[Verdict] = []
    for verdict in verdicts:
        found += [verdict, *flattened(verdict.readings), *flattened([] if verdict.repair is None else [verdict.repair])]
    return found


def _steps(verdict: Verdict) -> list[dict[str, str]]:
    parts = (("printed", verdict.steps), ("own", verdict.own_steps))
    return [
        {
            "proof": whose, "display": step.display, "asserts": step.asserts,
            "outcome": step.result.outcome.name.lower(), "method": step.result.method, "detail": step.result.detail,
        }
        for whose, steps in parts for step in steps
    ]  # fmt: skip


def _mutation(report: MutationReport) -> dict[str, Any]:
    return {
        "score": report.score, "caught": report.caught, "known_false": len(report.known_false),
        "mistakes": [mutant.name for mutant in report.mistakes], "mutants": [vars(mutant) for mutant in report.mutants],
    }  # fmt: skip

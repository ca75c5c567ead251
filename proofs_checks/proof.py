"""Proofs as lists of steps, each checked by a machine, written out, or cited; statement and proof are judged apart."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class StepOutcome(enum.Enum):
    """What became of one display of a proof."""

    CHECKED = "The step follows; a machine checked it."
    ARGUED = "The step follows, by the argument written out with it."
    CITED = "The step rests on a quoted result; the conditions under which it may be applied are met."
    GAP = "The step does not follow as it is written, and the project closes it."
    OPEN = "The step does not follow as it is written, and the project does not close it."
    FALSE = "The step is false."
    UNDECIDED = "The check came to no answer."


class ProofStatus(enum.Enum):
    """The judgement on a printed proof, whatever becomes of its statement."""

    COMPLETE = "Every step follows."
    GAP = "A step does not follow as it is written; the project closes it."
    OPEN = "A step does not follow as it is written, or could not be decided, and the project does not close it."
    BROKEN = "A step is false."
    CITED = "It rests on a result that is only quoted."
    ABSENT = "The source gives no proof."


@dataclass(frozen=True)
class StepResult:
    """The outcome of a step's check. ``method``: how it was checked; ``detail``: what was found, with numbers."""

    outcome: StepOutcome
    method: str
    detail: str = ""


@dataclass(frozen=True)
class Step:
    """One display of a proof.

    Attributes:
        display: which one, so that a reader finds it ("B.3, 'branch I at most 2.02'").
        asserts: what it says, in formulas.
        check: judges it; made by the functions of `proofs_checks.steps`.
    """

    display: str
    asserts: str
    check: Callable[[], StepResult]


@dataclass(frozen=True)
class JudgedStep:
    """A step with what its check found."""

    display: str
    asserts: str
    result: StepResult


_VALID = (StepOutcome.CHECKED, StepOutcome.ARGUED, StepOutcome.GAP)


def judge(steps: Sequence[Step]) -> tuple[JudgedStep, ...]:
    """Run every check."""
    return tuple(JudgedStep(step.display, step.asserts, step.check()) for step in steps)


def proof_status(steps: Sequence[JudgedStep]) -> ProofStatus:
    """The judgement on a whole proof: that of its worst step."""
    outcomes = {step.result.outcome for step in steps}
    if not outcomes:
        return ProofStatus.ABSENT
    if StepOutcome.FALSE in outcomes:
        return ProofStatus.BROKEN
    if outcomes & {StepOutcome.OPEN, StepOutcome.UNDECIDED}:
        return ProofStatus.OPEN
    if StepOutcome.GAP in outcomes:
        return ProofStatus.GAP
    return ProofStatus.CITED if StepOutcome.CITED in outcomes else ProofStatus.COMPLETE


def proves(steps: Sequence[JudgedStep]) -> bool:
    """Whether steps make a proof that rests on nothing unproved: checked, argued, or gaps that are closed."""
    return bool(steps) and all(step.result.outcome in _VALID for step in steps)


def failing(steps: Sequence[JudgedStep]) -> tuple[JudgedStep, ...]:
    """The steps that do not follow as they are written."""
    fine = (StepOutcome.CHECKED, StepOutcome.ARGUED, StepOutcome.CITED)
    return tuple(step for step in steps if step.result.outcome not in fine)

"""What all attacks on a statement found, the status that follows, and the evidence as reports show it."""

from __future__ import annotations

from dataclasses import dataclass

from proofs_checks.attacks.corners import CornerResults
from proofs_checks.attacks.property_search import Search
from proofs_checks.proof import JudgedStep, ProofStatus, StepOutcome, proof_status, proves
from proofs_checks.statement import Statement
from proofs_checks.verdict import Counterexample, Evidence, MutationReport, Status

FEWEST_CASES = 20  # instances and corner cases below which nothing counts as supported


@dataclass(frozen=True)
class Findings:
    """The results of every attack on one statement.

    Attributes:
        statement: what was attacked.
        printed, own, vacuity: its proofs, judged.
        corners, search: see there; ``evaluations`` were made by the adversarial search.
        counterexample: where one was confirmed. mutation: where none was.
    """

    statement: Statement
    printed: tuple[JudgedStep, ...]
    own: tuple[JudgedStep, ...]
    vacuity: tuple[JudgedStep, ...]
    corners: CornerResults
    search: Search
    evaluations: int
    counterexample: Counterexample | None
    mutation: MutationReport | None = None

    @property
    def proved(self) -> bool:
        """Whether the printed or the project's own proof is valid."""
        return proves(self.own) or proves(self.printed)

    def status(self) -> tuple[Status, str]:
        """The status, and the main reason for it."""
        if (found := self.counterexample) is not None:
            return Status.REFUTED, f"the claim {found.claim!r} fails at an exact instance"
        if proves(self.vacuity):
            trivial = self.statement.trivial or "no instance"
            return Status.VACUOUS, f"beyond {trivial} nothing satisfies the hypotheses: {_checked(self.vacuity)}"
        if (instance := self.search.unconfirmed) is not None:
            return Status.UNKNOWN, f"a violation in float64 could not be confirmed exactly, at {instance!r}"
        for steps, whose in ((self.own, "the project's proof"), (self.printed, "the printed proof")):
            if proves(steps):
                closed = ", with gaps closed" if proof_status(steps) is ProofStatus.GAP else ""
                return Status.PROVED, f"{whose}{closed}: {_checked(steps)}"
        cases = len(self.search.slacks) + len(self.corners.holding)
        if cases >= FEWEST_CASES:
            return Status.SUPPORTED, f"{cases} cases hold; least relative slack {_number(self.search.tightest)}"
        return Status.UNKNOWN, f"only {cases} cases could be tried"

    def evidence(self) -> tuple[Evidence, ...]:
        """One entry an attack."""
        return (self._vacuity(), self._steps(), self._corners(), *self._searches(), self._exactification())

    def _vacuity(self) -> Evidence:
        mutants = () if self.mutation is None else self.mutation.mutants
        dropped = {each.name.removeprefix("without "): each.refuted for each in mutants if each.name[:8] == "without "}
        silent = [each.name for each in self.statement.hypotheses if getattr(each, "silent", False)]
        distinct = len(self.search.slacks)
        outcome = f"{distinct} different instances satisfy the hypotheses"
        if proves(self.vacuity):
            outcome = f"proved: only {self.statement.trivial or 'no instance'}"
        return Evidence("vacuity", outcome, {"instances": distinct, "needed when dropped": dropped, "silent": silent})

    def _steps(self) -> Evidence:
        everything = (*self.printed, *self.own, *self.vacuity)
        outcome = f"{len(self.printed)} displays of the printed proof, {len(self.own)} steps of the project's own"
        counts = {kind.name.lower(): sum(s.result.outcome is kind for s in everything) for kind in StepOutcome}
        return Evidence("steps", outcome, {kind: count for kind, count in counts.items() if count})

    def _corners(self) -> Evidence:
        found = self.corners
        outcome = f"{len(found.holding)} of {found.total} hold exactly, {len(found.refuting)} refute"
        names = {"refuting": list(found.refuting), "undecided": list(found.undecided)}
        return Evidence("corner cases", outcome, {"total": found.total, **names})

    def _searches(self) -> tuple[Evidence, Evidence]:
        least, search = _number(self.search.tightest), self.search
        numbers = {
            "tried": search.tried, "discarded": search.discarded, "least relative slack": search.tightest,
            "slack quantiles": search.slack_quantiles(),
        }  # fmt: skip
        return (
            Evidence("property search", f"{search.tried} instances, least relative slack {least}", numbers),
            Evidence("adversarial search", f"{self.evaluations} evaluations", {"evaluations": self.evaluations}),
        )

    def _exactification(self) -> Evidence:
        found, unconfirmed = self.counterexample, self.search.unconfirmed
        outcome = "no violation"
        if found is not None:
            outcome = f"{found.id}: {found.left} {found.relation} {found.right} fails"
        elif unconfirmed is not None:
            outcome = f"not confirmed: {unconfirmed!r}"
        return Evidence("exactification", outcome, {"confirmed": found is not None})


def _checked(steps: tuple[JudgedStep, ...]) -> str:
    checked = sum(step.result.outcome is StepOutcome.CHECKED for step in steps)
    return f"{len(steps)} steps, {checked} of them checked by a machine, the others argued or closed"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"

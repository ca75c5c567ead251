"""Corner cases: the instances at the boundary of the hypotheses that a statement names, in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from proofs_checks.condition import Truth
from proofs_checks.errors import StatementError
from proofs_checks.evaluation import evaluate_exactly
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement


@dataclass(frozen=True)
class CornerResults:
    """What the corner cases gave: names of those that hold, refute, are undecided, and where hypotheses fail."""

    holding: tuple[str, ...]
    refuting: tuple[str, ...]
    undecided: tuple[str, ...]
    outside: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(map(len, (self.holding, self.refuting, self.undecided, self.outside)))


def corner_cases(statement: Statement, *, mutant: bool = False) -> CornerResults:
    """Evaluate every corner case exactly.

    Raises:
        StatementError: a formula raises (passed over for mutants), or a corner case breaks a hypothesis for certain.
    """
    found: dict[str, list[str]] = {"holding": [], "refuting": [], "undecided": [], "outside": []}
    for name, instance in statement.corners.items():
        found[_outcome(statement, name, instance, mutant)].append(name)
    return CornerResults(**{key: tuple(names) for key, names in found.items()})


def _outcome(statement: Statement, name: str, instance: Instance, mutant: bool) -> str:
    try:
        evaluation = evaluate_exactly(statement, instance)
    except StatementError:
        if mutant:
            return "outside"
        raise
    if evaluation is None:
        return "undecided"
    if evaluation.failing_hypotheses:
        if not mutant:
            broken = evaluation.failing_hypotheses[0]
            raise StatementError(statement.key, f"corner case {name!r} breaks the hypothesis {broken!r}")
        return "outside"
    if evaluation.refuting_claims:
        return "refuting"
    decided = evaluation.applies and all(each.truth is Truth.TRUE for each in evaluation.claims.values())
    return "holding" if decided else "undecided"

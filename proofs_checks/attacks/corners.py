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
    """What the corner cases gave: names of those that hold, refute and are undecided."""

    holding: tuple[str, ...]
    refuting: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(map(len, (self.holding, self.refuting, self.undecided)))


def corner_cases(statement: Statement) -> CornerResults:
    """Evaluate every corner case exactly.

    Raises:
        StatementError: a formula raises, or a corner case breaks a hypothesis for certain.
    """
    found: dict[str, list[str]] = {"holding": [], "refuting": [], "undecided": []}
    for name, instance in statement.corners.items():
        found[_outcome(statement, name, instance)].append(name)
    return CornerResults(**{key: tuple(names) for key, names in found.items()})


def _outcome(statement: Statement, name: str, instance: Instance) -> str:
    evaluation = evaluate_exactly(statement, instance)
    if evaluation is None:
        return "undecided"
    if evaluation.failing_hypotheses:
        broken = evaluation.failing_hypotheses[0]
        raise StatementError(statement.key, f"corner case {name!r} breaks the hypothesis {broken!r}")
    if evaluation.refuting_claims:
        return "refuting"
    decided = evaluation.applies and all(each.truth is Truth.TRUE for each in evaluation.claims.values())
    return "holding" if decided else "undecided"

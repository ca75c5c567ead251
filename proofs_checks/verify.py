"""The public way in: verify one statement, or all of them side by side."""

from __future__ import annotations

from collections.abc import Iterable

from margin_projection._validation import check_integer
from proofs_checks.budget import Budget, budget_named
from proofs_checks.engine import examine, unusable
from proofs_checks.registry import registered, statement_named
from proofs_checks.statement import Statement
from proofs_checks.verdict import Verdict


def verify(statement: str | Statement, *, budget: str = "default", seed: int = 0) -> Verdict:
    """The verdict on a statement, with those on its repair and its other readings.

    Args:
        statement: the id of a registered statement ("schliserman2026/lemma-d2"), or a `Statement` of your own.
        budget: "quick", "default" (default) or "thorough".
        seed: a nonnegative integer (default 0); the same seed gives the same verdict and counterexample.

    Returns:
        The verdict. A statement that cannot be used has status UNKNOWN, and ``error`` says why.

    Raises:
        InputError: an unknown id or budget, or a negative seed.
        ContradictionError: the statement is proved and refuted: a mistake in its proof or in the engine.
    """
    found = statement if isinstance(statement, Statement) else statement_named(statement)
    return examine(found, budget_named(budget), check_integer("seed", seed, 0))


def verify_all(ids: Iterable[str] | None = None, *, budget: str = "default", seed: int = 0) -> list[Verdict]:
    """Verdicts on registered statements (default: all), one after the other.

    Whatever goes wrong with one of them, a contradiction included, becomes a verdict with status UNKNOWN and ``error``
    set; the others are not lost.

    Raises:
        InputError: an unknown id or budget, or a negative seed; nothing has been examined then.
    """
    statements = [statement_named(each) for each in (registered() if ids is None else ids)]
    chosen, number = budget_named(budget), check_integer("seed", seed, 0)
    return [_examined(statement, chosen, number) for statement in statements]


def _examined(statement: Statement, budget: Budget, seed: int) -> Verdict:
    try:
        return examine(statement, budget, seed)
    except Exception as error:
        return unusable(statement, error, seed)

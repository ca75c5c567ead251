"""The public way in: verify one statement, or all of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import joblib

from margin_projection._validation import check_integer
from proofs_checks.budget import Budget, budget_named
from proofs_checks.engine import examine, unusable
from proofs_checks.registry import named, registered, statement_named
from proofs_checks.statement import Statement
from proofs_checks.user_statements import statements_of
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


def verify_all(
    ids: Iterable[str] | None = None,
    *,
    budget: str = "default",
    seed: int = 0,
    workers: int = 1,
    module: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Verdict]:
    """Verdicts on registered statements, in the order of ``ids``.

    Whatever goes wrong with one of them, a contradiction included, becomes a verdict with status UNKNOWN and ``error``
    set; the others are not lost.

    Args:
        ids: of registered statements (default: all, or all of ``module``).
        budget, seed: see `verify`.
        workers: processes, at least 1 (default 1); verdicts do not depend on their number.
        module: a Python file of your own with ``STATEMENTS = (...)``, which are known beside the registered ones.
        progress: called with (verdicts so far, all).

    Raises:
        InputError: an unknown id or budget, a negative seed, or a module that cannot be used; nothing has been
            examined.
    """
    own = {} if module is None else statements_of(module)
    known = {**registered(), **own}
    wanted = list(ids) if ids is not None else list(own or known)
    for each in wanted:
        named(each, known, "id")
    chosen, number = budget_named(budget), check_integer("seed", seed, 0)
    check_integer("workers", workers, 1)
    if progress is not None:
        progress(0, len(wanted))
    found: dict[str, Verdict] = {}
    slow_first = sorted(dict.fromkeys(wanted), key=lambda each: -known[each].cost)
    if workers == 1:
        results: Iterable[tuple[str, Verdict]] = ((each, _examined(known[each], chosen, number)) for each in slow_first)
    else:
        jobs = (joblib.delayed(_examined_elsewhere)(each, chosen, number, module) for each in slow_first)
        results = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(jobs)
    for identifier, verdict in results:
        found[identifier] = verdict
        if progress is not None:
            progress(len(found), len(wanted))
    return [found[each] for each in wanted]


def _examined_elsewhere(
    identifier: str, budget: Budget, seed: int, module: str | Path | None
) -> tuple[str, Verdict]:
    """In a process of its own: statements hold functions, so their ids travel and not they."""
    own = {} if module is None else statements_of(module)
    return identifier, _examined(own.get(identifier) or statement_named(identifier), budget, seed)


def _examined(statement: Statement, budget: Budget, seed: int) -> Verdict:
    try:
        return examine(statement, budget, seed)
    except Exception as error:
        return unusable(statement, error, seed)

"""What goes wrong when a statement is evaluated: bad statements are told apart from undecided instances."""

from __future__ import annotations


class StatementError(ValueError):
    """A statement that cannot be used as it is written; the message names the statement and the part at fault."""

    def __init__(self, statement: str, problem: str) -> None:
        self.statement, self.problem = statement, problem
        super().__init__(f"statement {statement!r}: {problem}")


class Discard(Exception):
    """Raised by a ``derive`` where an instance is of no use (a projection failed, say): the search passes it over."""


class Inexact(Exception):
    """Raised by a ``derive`` in exact arithmetic where it has no rigorous way to its quantities."""


class ContradictionError(ArithmeticError):
    """A statement is both proved and refuted: a mistake in the engine, in a proof or in a counterexample."""

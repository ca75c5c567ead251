"""All statements, by id: what the folders of statements declare."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from margin_projection import InputError
from proofs_checks.errors import StatementError
from proofs_checks.statement import Statement

SOURCES = ("schliserman2026", "prakash2026", "controls")


@functools.cache
def registered() -> dict[str, Statement]:
    """id -> statement (its main reading), in the order of the sources and their files.

    Raises:
        StatementError: two statements have the same id.
    """
    found: dict[str, Statement] = {}
    for source in SOURCES:
        package = importlib.import_module(f"proofs_checks.{source}")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
            declared = importlib.import_module(f"{package.__name__}.{module.name}")
            for statement in getattr(declared, "STATEMENTS", ()):
                if statement.id in found:
                    raise StatementError(statement.id, "its id is taken")
                found[statement.id] = statement
    return found


def statement_named(identifier: str) -> Statement:
    """The registered statement of that id.

    Raises:
        InputError: there is none.
    """
    known = registered()
    if identifier not in known:
        raise InputError("id", identifier, f"one of {', '.join(known)}")
    return known[identifier]

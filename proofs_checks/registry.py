"""All statements, by id: what the folders of statements declare."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import TypeVar

from margin_projection import InputError
from proofs_checks.errors import StatementError
from proofs_checks.statement import Statement

Named = TypeVar("Named")
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
    return named(identifier, registered(), "id")


def named(identifier: str, known: Mapping[str, Named], argument: str) -> Named:
    """What is known under a name.

    Raises:
        InputError: nothing is; it lists the names that look alike.
    """
    if identifier not in known:
        alike = difflib.get_close_matches(identifier, known, n=4, cutoff=0.3) or list(known)[:4]
        raise InputError(argument, identifier, f"one of {len(known)} known ones, such as {', '.join(alike)}")
    return known[identifier]

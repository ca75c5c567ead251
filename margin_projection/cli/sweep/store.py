"""The store of a sweep: one SQLite file, to which every case is added once, whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from margin_projection._validation import InputError
from margin_projection.cli.sweep.grid import Case

VERSION = "1"
_SCHEMA = """
create table if not exists about (name text primary key, value text not null);
create table if not exists cases (
    identifier text primary key, kind text not null, parameters text not null, status text not null,
    result text not null, reason text not null, seconds real not null
);
"""


class Store:
    """Results by case; opened anew for every access, so that a killed sweep leaves nothing half written.

    Raises:
        InputError: the file cannot be opened, is no store, or is one of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.parent.is_dir() or path.is_dir():
            raise InputError("store", str(path), "a file in a folder that exists")
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
            connection.execute("insert or ignore into about values ('version', ?)", (VERSION,))
            found = connection.execute("select value from about where name = 'version'").fetchone()
        if found != (VERSION,):
            raise InputError("store", str(path), f"a store of version {VERSION} (it is of version {found[0]})")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60.0)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise InputError("store", str(self.path), f"a readable and writable store ({error})") from error

    def finished(self, *, failures_too: bool = True) -> set[str]:
        """Identifiers of the cases that are there."""
        query = "select identifier from cases" + ("" if failures_too else " where status = 'done'")
        with self._connection() as connection:
            return {row[0] for row in connection.execute(query)}

    def add(self, case: Case, outcome: dict[str, Any]) -> None:
        """Add or replace the outcome of a case (see `run_case`)."""
        row = (
            case.identifier, case.kind, json.dumps(case.values), outcome["status"], json.dumps(outcome["result"]),
            outcome["reason"], outcome["seconds"],
        )  # fmt: skip
        with self._connection() as connection:
            connection.execute("insert or replace into cases values (?, ?, ?, ?, ?, ?, ?)", row)

    def rows(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """One flat row a case, in order; those that are not finished have status "missing".

        A result with the name of a column that is there already is called "result." and that name.
        """
        with self._connection() as connection:
            found = {row[0]: row[1:] for row in connection.execute(
                "select identifier, status, result, reason, seconds from cases")}  # fmt: skip
        rows = []
        for case in cases:
            status, result, reason, seconds = found.get(case.identifier, ("missing", "{}", "", 0.0))
            parameters = {name: _plain(value) for name, value in case.values.items()}
            told = {"status": status, "reason": reason, "seconds": seconds}
            row = {"identifier": case.identifier, **parameters, **told}
            results = {f"result.{name}" if name in row else name: each for name, each in json.loads(result).items()}
            rows.append(row | results)
        return rows


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)

"""Tables of results: one row a task of a run, as Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from margin_projection._files import write_atomically
from margin_projection._validation import InputError


def write_table(path: str | Path, rows: list[dict[str, Any]]) -> Path:
    """Write the rows; a column is there for every key, empty where a row lacks it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    return write_atomically(path, lambda stream: pyarrow.parquet.write_table(table, stream))


def read_table(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a table.

    Raises:
        InputError: no such file, or it is no table of results.
    """
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InputError("path", str(path), f"a table of results ({error})") from error
    if rows and not {"learner", "seed", "task"} <= set(rows[0]):
        raise InputError("path", str(path), "a table with the columns learner, seed and task")
    return rows

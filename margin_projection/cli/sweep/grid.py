"""The file of a sweep: what is run, the keys that all cases share, and the grid of those that change."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from margin_projection.cli.errors import BadInput
from margin_projection.cli.loading import Table, override, read_table

KINDS = ("trajectory", "rate", "diagnosis", "plasticity", "bridge")
_MOST_CASES = 1_000_000


@dataclass(frozen=True)
class Case:
    """One point of the grid.

    Attributes:
        identifier: sixteen hexadecimal digits made from kind and table: the same case has the same one for ever.
        kind: see `KINDS`.
        values: dotted key -> its value at this point.
        table: the whole configuration.
    """

    identifier: str
    kind: str
    values: dict[str, Any]
    table: Table


def read_sweep(path: Path) -> list[Case]:
    """All cases of a file, the last key of the grid varying fastest.

    The file holds ``kind``, a table ``[base]`` (a configuration as for the command of that kind; for "bridge" its
    settings with method and seed) and a table ``[grid]``: dotted keys, each with a list of values.

    Raises:
        BadInput: the file cannot be read, or a part of it is missing or of a wrong form.
    """
    table = read_table(path)
    if strangers := sorted(set(table) - {"kind", "base", "grid"}):
        raise BadInput(f"{strangers[0]} is no known key of a sweep; it has kind, base and grid")
    kind, base, grid = table.get("kind"), table.get("base", {}), table.get("grid", {})
    if kind not in KINDS:
        raise BadInput(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if not isinstance(base, dict) or not isinstance(grid, dict):
        raise BadInput("base and grid must be tables")
    axes = dict(_axes(grid))
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > _MOST_CASES:
        raise BadInput(f"the grid must have at most {_MOST_CASES} cases, got {count}")
    return [_case(str(kind), base, dict(zip(axes, point, strict=True))) for point in itertools.product(*axes.values())]


def _axes(grid: Table, prefix: str = "") -> Any:
    for key, values in grid.items():
        name = f"{prefix}{key}"
        if isinstance(values, dict):
            yield from _axes(values, f"{name}.")
        elif isinstance(values, list) and values:
            yield name, values
        else:
            raise BadInput(f"grid.{name} must be a list of values, not empty, got {values!r}")


def _case(kind: str, base: Table, values: dict[str, Any]) -> Case:
    table: Table = json.loads(json.dumps(base))
    for name, value in values.items():
        section, dot, key = name.partition(".")
        if dot:
            override(table, section, key, value)
        else:
            table[section] = value
    text = json.dumps([kind, table], sort_keys=True)
    return Case(hashlib.sha256(text.encode()).hexdigest()[:16], kind, values, table)

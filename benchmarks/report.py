"""The table of all rows, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import scipy
import torch
from rich.table import Table

from benchmarks.row import Row
from benchmarks.settings import Settings

_VERDICTS = {True: "[green]met[/green]", False: "[red]not met[/red]", None: "-"}


def as_table(rows: Iterable[Row]) -> Table:
    """A rich table, one line a row."""
    table = Table(title="Measurements (ratios within this run)", show_lines=False)
    for heading in ("what", "ours", "peer", "ratio", "requirement", ""):
        table.add_column(heading, justify="right" if heading in ("ours", "peer", "ratio") else "left", overflow="fold")
    for row in rows:
        ratio = row.details.get("ratio_in_words") or _number(row.ratio)
        requirement = str(row.details["note"]) if "note" in row.details and row.met is None else row.requirement
        numbers = (_number(row.ours, row.unit), _number(row.peer, row.unit), ratio)
        table.add_row(row.name, *numbers, requirement, _VERDICTS[row.met])
    return table


def _number(value: float | None, unit: str = "") -> str:
    short = unit if len(unit) <= 3 else ""
    return "" if value is None else f"{value:.4g} {short}".rstrip()


def write_json(path: Path, rows: Iterable[Row], settings: Settings) -> None:
    """Write everything to ``path``: first beside it, then in its place, so that no reader meets half a file."""
    content = {
        "settings": {"quick": settings.quick, "threads": settings.threads},
        "machine": {
            "processors": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__,
            "scipy": scipy.__version__, "torch": torch.__version__,
        },
        "rows": [row.as_json() for row in rows],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        json.dump(content, file, indent=1, allow_nan=False)
        file.write("\n")
    os.replace(file.name, path)

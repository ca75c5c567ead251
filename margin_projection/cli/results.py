"""Writes what ``--json`` and ``--plot`` ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from margin_projection.cli.options import CommonOptions
from margin_projection.cli.output import write_file, write_stdout
from margin_projection.cli.report import to_json


def write_results(common: CommonOptions, report: Callable[[], Mapping[str, Any]], draw: Callable[[Path], None]) -> None:
    """Write the JSON report and the picture, each whole or not at all.

    Raises:
        BadInput: a file cannot be written after all.
    """
    if common.json is not None:
        text = to_json(report())
        if common.json != "-":
            write_file("--json", Path(common.json), lambda path: _write_text(path, text))
    if common.plot is not None:
        write_file("--plot", common.plot, draw)
    if common.json == "-":
        write_stdout(text)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

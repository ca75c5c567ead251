"""``margin-projection example``: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from margin_projection.cli.errors import SUCCESS, BadInput
from margin_projection.cli.example import EXAMPLE
from margin_projection.cli.output import check_writable, write_file, write_stdout


def example(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it. Default: standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there.")] = False,
) -> int:
    """Print, or write, a configuration with every key and a comment on each."""
    if file is None:
        write_stdout(EXAMPLE)
        return SUCCESS
    check_writable("FILE", file)
    if file.exists() and not force:
        raise BadInput(f"FILE must be a new file (or use --force), got {str(file)!r}")
    write_file("FILE", file, _write)
    return SUCCESS


def _write(path: Path) -> None:
    path.write_text(EXAMPLE, encoding="utf-8")

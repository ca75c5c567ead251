"""``python -m figures``: draw the figures, each with its data and its caption beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from figures.catalogue import NAMES, figure_named, make, saved_data
from margin_projection._files import writable_folder
from margin_projection.cli.errors import SUCCESS, Interrupted
from margin_projection.cli.main import guarded
from margin_projection.cli.output import write_stdout
from margin_projection.cli.progress import show_progress

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command()
def draw(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"One of {', '.join(NAMES)}.")] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where figures go.")] = Path("out/figures"),
    kind: Annotated[list[str] | None, typer.Option("--format", help="png, pdf or svg; may be repeated.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes.")] = False,
    from_data: Annotated[
        Path | None, typer.Option("--from-data", metavar="DIR", help="Draw again from data saved there.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q")] = False,
) -> int:
    """Draw figures; with the same data the files are the same to the last byte."""
    for name in only or ():
        figure_named(name)
    writable_folder("out", out)
    for name in only or NAMES:
        data = None if from_data is None else saved_data(name, from_data)
        try:
            with show_progress(name, 100, quiet=quiet) as report:
                share = None if report is None else _percent(report)
                paths = make(name, out, tuple(kind or ("png", "pdf")), quick=quick, data=data, progress=share)
        except KeyboardInterrupt as error:
            raise Interrupted(f"interrupted at {name}: the figures before are written") from error
        if not quiet:
            write_stdout(f"{name}: {', '.join(str(path) for path in paths)}\n")
    return SUCCESS


def _percent(report: Callable[..., None]) -> Callable[[float], None]:
    def share(done: float) -> None:
        report(round(100 * done), 100)

    return share


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return guarded(lambda: app(arguments, prog_name="python -m figures", standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())

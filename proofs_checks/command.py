"""``python -m proofs_checks``: verdicts on all statements, compared with the committed ledger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from margin_projection.cli.errors import FAILED, SUCCESS, Interrupted
from margin_projection.cli.main import guarded
from margin_projection.cli.output import check_outputs, write_stdout
from margin_projection.cli.progress import show_progress

if TYPE_CHECKING:
    from rich.table import Table

    from proofs_checks.verdict import Verdict

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)


@app.command()
def check(
    only: Annotated[list[str] | None, typer.Option(metavar=(
        "ID"
    ), help="A statement, or a source; may be repeated.")] = None,
    budget: Annotated[str, typer.Option(help="quick, default or thorough.")] = "default",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same verdicts.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = min(2, os.cpu_count() or 1),
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the verdicts go, a row a statement.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Where a picture of them goes.")] = None,
    module: Annotated[Path | None, typer.Option(metavar="FILE.py", help="A file with STATEMENTS of your own.")] = None,
    ledger: Annotated[Path | None, typer.Option(metavar="FILE", help="Another ledger than the committed one.")] = None,
    update_ledger: Annotated[bool, typer.Option("--update-ledger", help="Write the verdicts into the ledger.")] = False,
    reproduce: Annotated[str | None, typer.Option(metavar=(
        "ID#DIGITS"
    ), help="Evaluate one counterexample again.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say how each verdict is known.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")] = False,
) -> int:
    """Attack the statements and print a verdict on each.

    Exit status: 0 the verdicts are those of the ledger, 1 one of them differs or could not be reached, 2 bad
    input, 130 interrupted.
    """
    from proofs_checks.ledger import LEDGER, changes, read_ledger, write_ledger

    path = LEDGER if ledger is None else ledger
    if reproduce is not None:
        return _reproduced(reproduce, path)
    check_outputs({"--json": json, "--plot": plot})
    known = read_ledger(path) if path.exists() and not update_ledger else None
    verdicts = _verdicts(_chosen(only, module), budget, seed, workers, module, quiet)
    _written(verdicts, json, plot)
    if update_ledger:
        write_ledger(verdicts, path)
    if not quiet:
        write_stdout(_shown(verdicts, verbose))
    broken = [f"{each.key}: {each.error}" for each in verdicts if each.error is not None]
    differing = [] if known is None or module is not None else changes(verdicts, known)
    for line in (*broken, *differing):
        typer.echo(line, err=True)
    return FAILED if broken or differing else SUCCESS


def _chosen(only: list[str] | None, module: Path | None) -> list[str] | None:
    """Ids, where some are named: a source stands for its statements."""
    if only is None:
        return None
    from proofs_checks.registry import SOURCES, registered

    found: list[str] = []
    for each in only:
        found += [name for name in registered() if name.startswith(f"{each}/")] if each in SOURCES else [each]
    return list(dict.fromkeys(found))


def _verdicts(
    ids: list[str] | None, budget: str, seed: int, workers: int, module: Path | None, quiet: bool
) -> list[Verdict]:
    from proofs_checks.verify import verify_all

    try:
        with show_progress("statements", len(ids) if ids is not None else 1, quiet=quiet) as progress:
            return verify_all(ids, budget=budget, seed=seed, workers=workers, module=module, progress=progress)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted: no verdict was written") from error


def _written(verdicts: Sequence[Verdict], json: Path | None, plot: Path | None) -> None:
    from margin_projection._files import json_bytes, write_atomically
    from proofs_checks.plot import plot_verdicts
    from proofs_checks.rows import json_row

    if json is not None:
        write_atomically(json, json_bytes({"verdicts": [json_row(each) for each in verdicts]}))
    if plot is not None:
        plot_verdicts(verdicts, plot)


def _reproduced(identifier: str, ledger: Path) -> int:
    from proofs_checks.arithmetic import to_text
    from proofs_checks.ledger import reproduce

    statement, instance, evaluation = reproduce(identifier, ledger)
    lines = [f"{statement.key}: {statement.text}", f"{instance!r}"]
    lines += [f"hypothesis {name}: {truth.name.lower()}" for name, truth in evaluation.hypotheses.items()]
    relations = {claim.name: claim.relation for claim in statement.claims}
    lines += [
        f"claim {name}: {to_text(found.left)} {relations[name]} {to_text(found.right)}: {found.truth.name.lower()}"
        for name, found in evaluation.claims.items()
    ]
    write_stdout("\n".join(lines) + "\n")
    return SUCCESS if evaluation.refuting_claims else FAILED


def _shown(verdicts: Sequence[Verdict], verbose: bool) -> str:
    from margin_projection.cli.tables import render

    words = "".join(f"{verdict}\n" for verdict in verdicts) if verbose else ""
    return words + render(_table(verdicts)) + _summary(verdicts)


def _table(verdicts: Sequence[Verdict]) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    shown.add_column("statement", min_width=28)
    for heading, width in (("verdict", 9), ("proof", 8), ("repair", 9)):
        shown.add_column(heading, min_width=width, no_wrap=True)
    for heading in ("mutants", "s"):
        shown.add_column(heading, justify="right", min_width=5, no_wrap=True)
    for before, verdict in zip([None, *verdicts], verdicts, strict=False):
        source, _, name = verdict.id.partition("/")
        if before is None or not before.id.startswith(f"{source}/"):
            shown.add_section()
            shown.add_row(f"[bold]{source}[/bold]")
        for each in (verdict, *verdict.readings):
            first = name if each is verdict else ""
            shown.add_row(
                "\n".join(filter(None, [first, f"  [dim]{each.reading}[/dim]" if each.reading else ""])),
                *_cells(each), f"{verdict.seconds:.1f}" if each is verdict else "",
            )  # fmt: skip
    return shown


def _cells(verdict: Verdict) -> tuple[str, str, str, str]:
    """Verdict, printed proof, repair, and the mutants of the statement, or of its repair where it is refuted."""
    reports = [each.mutation for each in (verdict, verdict.repair) if each is not None and each.mutation is not None]
    known = len(reports[0].known_false) if reports else 0
    repair = "" if verdict.repair is None else verdict.repair.status.word
    caught = f"{reports[0].caught}/{known}" if known else ""
    return verdict.status.word, verdict.proof_status.name.lower(), repair, caught


def _summary(verdicts: Sequence[Verdict]) -> str:
    from proofs_checks.rows import flattened

    every = flattened(verdicts)
    reports = [each.mutation for each in every if each.mutation is not None]
    caught, known = sum(report.caught for report in reports), sum(len(report.known_false) for report in reports)
    mistakes = sum(len(report.mistakes) for report in reports)
    counts = {word: sum(each.status.word == word for each in every) for word in sorted({e.status.word for e in every})}
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    share = f"{caught} of {known} false mutants refuted, " if known else ""
    return f"{len(verdicts)} statements ({words}, readings and repairs included); {share}{mistakes} true ones refuted\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return guarded(lambda: app(arguments, prog_name="python -m proofs_checks", standalone_mode=False))

"""``margin-projection sweep``: every point of a grid, on one machine or many; what is finished is not repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import FAILED, SUCCESS, Interrupted


def sweep(
    config: Annotated[Path, typer.Argument(metavar="FILE.toml", help="kind, [base] and [grid]; see docs/sweeps.md.")],
    store: Annotated[Path, typer.Option("--store", metavar="FILE.sqlite", help="Where results go, case by case.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes of this machine.")] = 2,
    backend: Annotated[str, typer.Option(help="loky (this machine) or dask.")] = "loky",
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler, such as tcp://host:8786.")
    ] = None,
    table: Annotated[Path | None, typer.Option("--table", metavar="FILE.parquet", help="All rows as a table.")] = None,
    retry: Annotated[bool, typer.Option("--retry-failed", help="Run cases that failed before again.")] = False,
    quiet: options.QuietOption = False,
) -> int:
    """Run a grid of trajectories, rates, diagnoses, plasticity or bridge runs; what is there is not repeated.

    Exit status 1 where cases failed; their rows hold the reason.
    """
    from margin_projection._validation import check_choice
    from margin_projection.cli.output import check_outputs, write_stdout
    from margin_projection.cli.progress import show_progress
    from margin_projection.cli.sweep.grid import read_sweep
    from margin_projection.cli.sweep.run import BACKENDS, run_missing
    from margin_projection.cli.sweep.store import Store
    from margin_projection.plasticity.table import write_table

    check_choice("backend", backend, BACKENDS)
    check_outputs({"--table": table}, [str(config), str(store)])
    cases, kept = read_sweep(config), Store(store)
    try:
        with show_progress("cases", len(cases), quiet=quiet) as progress:
            run_missing(
                cases, kept, workers=workers, backend=backend, scheduler=scheduler, retry=retry, progress=progress
            )
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; what is finished is in {store}, and the same command goes on") from error
    rows = kept.rows(cases)
    if table is not None:
        write_table(table, rows)
    failed = [row for row in rows if row["status"] == "failed"]
    if not quiet:
        write_stdout(f"{len(rows) - len(failed)} of {len(rows)} cases finished, {len(failed)} failed: {store}\n")
        for row in failed[:5]:
            write_stdout(f"  {row['identifier']}: {row['reason']}\n")
    return FAILED if failed else SUCCESS

"""``margin-projection bridge``: the Gram matrix at task starts, read from both theories, against training success."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import SUCCESS

if TYPE_CHECKING:
    from rich.table import Table

_READINGS = ("epsilon_rank", "least_singular", "mfcq_margin", "cycle_rate", "dead_units")


def bridge(
    seeds: Annotated[int, typer.Option(min=2, help="Runs of each method.")] = 5,
    num_tasks: Annotated[int, typer.Option(min=2, help="Tasks of a run.")] = 60,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.parquet", help="Where the rows go.")] = None,
    plot: options.PlotOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Train a ReLU network on random tasks; print how regularity and curvature at task starts go with success."""
    from margin_projection.bridge import METHODS, BridgeSettings, plot_bridge, run_bridges
    from margin_projection.cli.output import check_outputs, write_stdout
    from margin_projection.cli.progress import show_progress
    from margin_projection.cli.tables import render
    from margin_projection.plasticity.table import write_table

    check_outputs({"--out": out, "--plot": plot})
    settings = BridgeSettings(num_tasks=num_tasks)
    with show_progress("runs", len(METHODS) * seeds, quiet=quiet) as progress:
        rows = run_bridges(settings, METHODS, range(seeds), workers=workers, progress=progress)
    if out is not None:
        write_table(out, rows)
    if plot is not None:
        plot_bridge(rows, plot)
    if not quiet:
        write_stdout(render(_relations(rows)))
    return SUCCESS


def _relations(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from margin_projection import InputError
    from margin_projection.plasticity.association import association

    shown = Table(title="success after training against readings of the Gram matrix at task start (95 % intervals)")
    for heading in ("reading", "rank correlation", "R^2", "points"):
        shown.add_column(heading)
    for name in _READINGS:
        try:
            found = association(rows, name, "success")
        except InputError:
            shown.add_row(name, "does not vary", "", "")
            continue
        rank, square = found.rank_interval, found.r_squared_interval
        shown.add_row(
            name, f"{found.rank_correlation:+.3f} [{rank[0]:+.3f}, {rank[1]:+.3f}]",
            f"{found.r_squared:.3f} [{square[0]:.3f}, {square[1]:.3f}]", str(found.points),
        )  # fmt: skip
    return shown

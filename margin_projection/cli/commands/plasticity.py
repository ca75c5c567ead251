"""``margin-projection plasticity``: continual-learning experiments from a file, and tables of their results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import FAILED, SUCCESS

if TYPE_CHECKING:
    from rich.table import Table

_RL_COLUMNS = ("return", "last_return", "effective_rank", "dead_units")
app = typer.Typer(no_args_is_help=True, help="Continual learning: who loses plasticity, and what falls first.")


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The experiment.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where checkpoints and the table go.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    quiet: options.QuietOption = False,
) -> int:
    """Run every method with every seed; what is finished already is not repeated. Writes DIR/results.parquet."""
    from margin_projection.cli.output import write_stdout
    from margin_projection.cli.progress import show_progress
    from margin_projection.plasticity.configuration import load_experiment
    from margin_projection.plasticity.experiment import TABLE, run_experiment

    experiment = load_experiment(config)
    total = len(experiment.methods) * len(experiment.seeds)
    with show_progress("runs", total, quiet=quiet) as progress:
        outcomes = run_experiment(experiment, out, workers=workers, progress=progress)
    failures = [outcome for outcome in outcomes if outcome.failure is not None]
    for outcome in failures:
        typer.echo(f"{outcome.method}, seed {outcome.seed}: {outcome.failure}", err=True)
    if not quiet:
        write_stdout(f"{len(outcomes) - len(failures)} of {len(outcomes)} runs finished: {out / TABLE}\n")
    return FAILED if failures else SUCCESS


@app.command()
def reinforcement(
    environment: Annotated[str, typer.Option(help="cart (minutes) or ant.")] = "cart",
    change_every: Annotated[int, typer.Option(min=1, help="Steps between changes of the physics.")] = 8192,
    periods: Annotated[int, typer.Option(min=1, help="Values of the physics.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method.")] = 2,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.parquet", help="Where the rows go.")] = None,
    quiet: options.QuietOption = False,
) -> int:
    """PPO, PPO with L2, and L2-ER where the physics change (needs the extra "rl"); a row a period."""
    from margin_projection.cli.errors import BadInput
    from margin_projection.cli.output import check_outputs, write_stdout
    from margin_projection.cli.progress import show_progress
    from margin_projection.cli.tables import render
    from margin_projection.plasticity.table import write_table

    try:
        from margin_projection.reinforcement import METHODS, ReinforcementSettings, run_all
    except ImportError as error:
        raise BadInput(f"reinforcement learning needs the extra 'rl' ({error})") from error
    check_outputs({"--out": out})
    settings = ReinforcementSettings(environment, change_every, periods)
    with show_progress("runs", len(METHODS) * seeds, quiet=quiet) as progress:
        rows = run_all(settings, METHODS, range(seeds), workers=workers, progress=progress)
    if out is not None:
        write_table(out, rows)
    if not quiet:
        write_stdout(render(_periods(rows)))
    return SUCCESS


def _periods(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    shown = Table(title="mean return by period (means over seeds)")
    for heading in ("method", "period", "physics", "return", "last tenth", "effective rank", "dead units"):
        shown.add_column(heading)
    for method, period in dict.fromkeys((row["learner"], row["task"]) for row in rows):
        found = [row for row in rows if (row["learner"], row["task"]) == (method, period)]
        values = [[row[name] for row in found if row[name] is not None] for name in _RL_COLUMNS]
        means = [f"{sum(each) / len(each):.4g}" if each else "" for each in values]
        shown.add_row(method, str(period), found[0]["physics"], *means)
    return shown


@app.command()
def table(
    results: Annotated[Path, typer.Argument(metavar="FILE.parquet", help="What `plasticity run` wrote.")],
    baseline: Annotated[str, typer.Option(help="The method that the others are compared with.")] = "bp",
    column: Annotated[str, typer.Option(help="What is compared.")] = "online_accuracy",
    window: Annotated[int, typer.Option(min=1, help="How many tasks at either end.")] = 20,
    plot: options.PlotOption = None,
) -> int:
    """Compare the methods: scores at both ends, paired differences with intervals and tests, what precedes the loss."""
    from margin_projection.cli.output import write_stdout
    from margin_projection.cli.tables import render
    from margin_projection.plasticity.table import read_table

    rows = read_table(results)
    write_stdout(render(_methods(rows, baseline, column, window), _relations(rows, baseline, column)))
    if plot is not None:
        from margin_projection.plasticity.plot import plot_results

        plot_results(rows, plot, column=column)
    return SUCCESS


def _methods(rows: list[dict[str, Any]], baseline: str, column: str, window: int) -> Table:
    from rich.table import Table

    from margin_projection.plasticity.comparison import compare_methods, plasticity_losses, scores

    late = scores(rows, column, last=window)
    versus = {each.name.split(" - ")[0]: each for each in compare_methods(rows, baseline, column=column, last=window)}
    shown = Table(title=f"{column} over the last {window} tasks; differences paired over seeds, with 95 % intervals")
    for heading in ("method", "last", "last - first", f"minus {baseline}", "p (paired t)"):
        shown.add_column(heading)
    for method, loss in plasticity_losses(rows, column=column, window=window).items():
        values = [value for (name, _), value in late.items() if name == method]
        other = versus.get(method)
        shown.add_row(
            method,
            f"{sum(values) / len(values):.3f}",
            f"{loss.mean:+.3f} [{loss.lower:+.3f}, {loss.upper:+.3f}]",
            "" if other is None else f"{other.mean:+.3f} [{other.lower:+.3f}, {other.upper:+.3f}]",
            "" if other is None else f"{other.p_value:.2g}",
        )
    return shown


def _relations(rows: list[dict[str, Any]], baseline: str, column: str) -> Table:
    from rich.table import Table

    from margin_projection._validation import InputError
    from margin_projection.plasticity.association import association, lag

    shown = Table(title=f"what goes with {column}, over all methods; which falls first, in runs of {baseline}")
    for heading in ("measured at task start", "R^2", "Spearman", "falls earlier by (tasks)"):
        shown.add_column(heading)
    for name in ("epsilon_rank", "epsilon_rank_smoothed", "feature_effective_rank", "dead_units"):
        try:
            found = association(rows, name, column)
        except InputError:
            continue
        (low, high), (rank_low, rank_high) = found.r_squared_interval, found.rank_interval
        first = lag(rows, name, column, method=baseline)
        shown.add_row(
            name,
            f"{found.r_squared:.3f} [{low:.3f}, {high:.3f}]",
            f"{found.rank_correlation:+.3f} [{rank_low:+.3f}, {rank_high:+.3f}]",
            f"{first.mean:+.1f} [{first.lower:+.1f}, {first.upper:+.1f}]" if first.lags else "no fall",
        )
    return shown

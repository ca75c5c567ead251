"""``margin-projection trajectory``: sequential projections (Algorithm 2)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import FAILED, SUCCESS, Interrupted
from margin_projection.cli.options import CommonOptions
from margin_projection.cli.progress import show_progress

if TYPE_CHECKING:
    from margin_projection.cli.build import Setting
    from margin_projection.cli.config import Configuration
    from margin_projection.trajectories import Trajectory, TrajectoryError

_PROJECTION_OPTIONS = {"tolerance", "starts", "max_steps", "method"}


def trajectory(
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    tasks: options.TasksOption = None,
    start: options.StartOption = None,
    ordering: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|0,1,...", help="cyclic, iid, without_replacement, or task numbers. Default: cyclic."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="K", help="How many projections. Default: the length of a given ordering, or 20."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep the steps in this .npz file, and go on from what it holds.")
    ] = None,
    seed: options.SeedOption = None,
    assignments: options.SetOption = None,
    json: options.JsonOption = None,
    plot: options.PlotOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Project onto the margin set of one task after the other (Algorithm 2).

    For example: margin-projection trajectory --model squared_linear --tasks catastrophic_pair --steps 100
    """
    common = CommonOptions(config, model, tasks, start, seed, assignments or [], json, plot, quiet)
    overrides = {"ordering": options.parse_list(ordering), "num_steps": steps, "store": store}
    return run(common, common.configuration("trajectory", overrides))


def run(common: CommonOptions, configuration: Configuration) -> int:
    """Build, follow the trajectory, write the results; the exit status."""
    from margin_projection.cli.build import build
    from margin_projection.cli.output import write_stdout
    from margin_projection.cli.report import trajectory_report
    from margin_projection.cli.results import write_results
    from margin_projection.cli.tables import failure_table, render, trajectory_tables

    setting = build(configuration)
    result, failure = _follow(common, configuration, setting)
    report = partial(trajectory_report, configuration, setting, result, failure)
    write_results(common, report, partial(_draw, result))
    if not common.quiet and common.json != "-":
        failures = [] if failure is None else [failure_table(failure)]
        write_stdout(render(*trajectory_tables(result), *failures))
    return SUCCESS if failure is None else FAILED


def _follow(
    common: CommonOptions, configuration: Configuration, setting: Setting
) -> tuple[Trajectory, TrajectoryError | None]:
    """The trajectory, or the steps before a projection failed and that failure."""
    from margin_projection.trajectories import TrajectoryError, sequential_projections

    keys = configuration.trajectory
    options = configuration.projection.model_dump(include=_PROJECTION_OPTIONS)
    arguments = {**keys.model_dump(), **options, "num_steps": keys.steps}
    try:
        with show_progress("trajectory", keys.steps, quiet=common.quiet) as progress:
            found = sequential_projections(
                setting.model, setting.tasks, start=setting.start, progress=progress, **arguments
            )
    except TrajectoryError as error:
        return error.trajectory, error
    except KeyboardInterrupt as error:
        raise Interrupted(_kept(keys.store)) from error
    return found, None


def _kept(store: str | None) -> str:
    if store is None or not Path(store).exists():
        return "interrupted (no steps were kept: name a store to keep them)"
    return f"interrupted; the steps kept so far are in {store}, and the same command goes on from there"


def _draw(trajectory: Trajectory, path: Path) -> None:
    from margin_projection.trajectories.plot import plot_trajectory

    plot_trajectory(trajectory, path)

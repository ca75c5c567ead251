"""``margin-projection project``: one projection with its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import FAILED, SUCCESS, BadInput
from margin_projection.cli.options import CommonOptions
from margin_projection.cli.progress import show_progress

if TYPE_CHECKING:
    from margin_projection.cli.build import Setting
    from margin_projection.cli.config import Configuration
    from margin_projection.sets import ConstraintSystem


def project(
    config: options.ConfigOption = None,
    model: options.ModelOption = None,
    tasks: options.TasksOption = None,
    start: options.StartOption = None,
    sets: Annotated[
        str | None,
        typer.Option(metavar="joint|0,1,...", help="The tasks to project onto, counted from 0. Default: joint, all."),
    ] = None,
    all_minimizers: Annotated[
        bool | None, typer.Option("--all-minimizers/--one-minimizer", help="Look for every nearest point, or for one.")
    ] = None,
    seed: options.SeedOption = None,
    assignments: options.SetOption = None,
    json: options.JsonOption = None,
    plot: options.PlotOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Project a start onto the margin set of a task, or onto the intersection of several.

    For example: margin-projection project --model squared_linear --tasks catastrophic_pair --sets 0 --all-minimizers
    """
    common = CommonOptions(config, model, tasks, start, seed, assignments or [], json, plot, quiet)
    overrides = {"sets": options.parse_list(sets), "all_minimizers": all_minimizers}
    return run(common, common.configuration("projection", overrides))


def run(common: CommonOptions, configuration: Configuration) -> int:
    """Build, project, write the results; the exit status."""
    from margin_projection.cli.build import build
    from margin_projection.cli.output import write_stdout
    from margin_projection.cli.report import projection_report
    from margin_projection.cli.results import write_results
    from margin_projection.cli.tables import projection_tables, render
    from margin_projection.projections import project as project_onto

    setting = build(configuration)
    if setting.start.ndim != 1:
        raise BadInput(f"start must be one point for a projection, got {len(setting.start)}")
    system = _system(configuration, setting)
    arguments = configuration.projection.model_dump(exclude={"sets"})
    with show_progress("projecting", quiet=common.quiet) as progress:
        projection = project_onto(setting.start, system, throw=False, progress=progress, **arguments)

    def draw(path: Any) -> None:
        from margin_projection.cli.plot import plot_projection

        plot_projection(setting, system, projection, path)

    write_results(common, lambda: projection_report(configuration, setting, system, projection), draw)
    if not common.quiet and common.json != "-":
        write_stdout(render(*projection_tables(setting, system, projection)))
    return SUCCESS if projection.status.is_success else FAILED


def _system(configuration: Configuration, setting: Setting) -> ConstraintSystem:
    from margin_projection.sets import intersection

    numbers = configuration.projection.sets
    if numbers == "joint":
        return intersection(setting.sets)
    for number in numbers:
        if number >= len(setting.sets):
            raise BadInput(f"projection.sets must name tasks from 0 to {len(setting.sets) - 1}, got {number}")
    return intersection([setting.sets[number] for number in numbers])

"""``margin-projection diagnose``: which conditions of the theory hold for a network and its tasks; what to change."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import SUCCESS
from margin_projection.cli.options import CommonOptions
from margin_projection.cli.progress import show_progress

if TYPE_CHECKING:
    from margin_projection.cli.config import Configuration
    from margin_projection.diagnosis import Diagnosis


def diagnose(
    config: options.ConfigOption = None,
    module: options.ModuleOption = None,
    weights: options.WeightsOption = None,
    model: options.ModelOption = None,
    tasks: options.TasksOption = None,
    start: options.StartOption = None,
    radius: Annotated[
        float | None, typer.Option(metavar="R", help="Of the ball looked at. Default: a hundredth of the point's norm.")
    ] = None,
    project: Annotated[
        bool | None,
        typer.Option("--project/--scale", help="Look at a projection onto C*, or at the parameters scaled onto it."),
    ] = None,
    seed: options.SeedOption = None,
    assignments: options.SetOption = None,
    json: options.JsonOption = None,
    plot: options.PlotOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Say which conditions of which theorem hold for a network and its tasks, with their constants, and what to change.

    For example: margin-projection diagnose --module nets.py:make --tasks digits
    """
    common = CommonOptions(
        config, model, tasks, start, seed, assignments or [], json, plot, quiet, module=module, weights=weights
    )
    return run(common, common.configuration("diagnosis", {"radius": radius, "project": project}))


def run(common: CommonOptions, configuration: Configuration) -> int:
    """Build, diagnose, write the results; the exit status."""
    from margin_projection.cli.build import build_subject
    from margin_projection.cli.diagnosis_tables import diagnosis_tables
    from margin_projection.cli.output import write_stdout
    from margin_projection.cli.report import diagnosis_report
    from margin_projection.cli.results import write_results
    from margin_projection.cli.tables import render
    from margin_projection.diagnosis import diagnose as find

    subject, tasks, theta = build_subject(configuration)
    with show_progress("diagnosing", quiet=common.quiet) as progress:
        found = find(subject, tasks, theta, progress=progress, **configuration.diagnosis.model_dump())
    write_results(common, partial(diagnosis_report, configuration, tasks, found), partial(_draw, found))
    if not common.quiet and common.json != "-":
        write_stdout(render(*diagnosis_tables(found)))
    return SUCCESS


def _draw(diagnosis: Diagnosis, path: Path) -> None:
    from margin_projection.cli.diagnosis_plot import plot_diagnosis

    plot_diagnosis(diagnosis, path)

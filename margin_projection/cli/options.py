"""The options that the commands share, and the configuration they make together with the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from margin_projection.cli.config import Configuration, ModuleSection
from margin_projection.cli.errors import BadInput
from margin_projection.cli.loading import Table, assign, choose, override, read_table, validate
from margin_projection.cli.output import check_outputs

_TASK_FILES = (".npz", ".csv")
_START_FILES = (".npy", ".npz")
_RANDOM_STARTS = ("he", "lecun", "normal", "sphere")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="TOML file; see [bold]margin-projection example[/bold]."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="linear, squared_linear, simplified_relu, fully_connected or convolutional; --set gives model.hidden, "
        "model.channels, ...",
    ),
]
TasksOption = Annotated[
    str | None,
    typer.Option(metavar="SOURCE|FILE", help="catastrophic_pair, figure1, digits, teacher, or a .npz or .csv file."),
]
ModuleOption = Annotated[
    str | None,
    typer.Option(
        "--module", metavar="FILE.py:FACTORY", help="Your own torch module: FACTORY() in FILE.py, which is run."
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", metavar="FILE.npz", help="The module's parameters by name, instead of its own."),
]
StartOption = Annotated[
    str | None,
    typer.Option(metavar="KIND|FILE", help="zero, he, lecun, normal, sphere, or a .npy or .npz file. Default: zero."),
]
SeedOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Seed of the method and of a random start (that of the tasks is tasks.seed)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="SECTION.KEY=VALUE",
        help="Any key of the configuration, such as tasks.samples=50; may be repeated, and has the last word.",
    ),
]
JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Write the whole result as JSON; - means standard output, and no table. NaN (not measured) is null, "
        "infinities are the strings 'Infinity' and '-Infinity'.",
    ),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Write a picture: .png, .svg or .pdf.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Neither table nor progress: errors alone.")]


@dataclass(frozen=True)
class CommonOptions:
    """What the options said; None where one was not given."""

    config: Path | None
    model: str | None
    tasks: str | None
    start: str | None
    seed: int | None
    assignments: list[str]
    json: str | None
    plot: Path | None
    quiet: bool
    module: str | None = None
    weights: str | None = None

    def configuration(self, section: str, overrides: Table) -> Configuration:
        """File, then options, then ``--set``; ``overrides`` are further keys of ``section``, the command's own.

        Raises:
            BadInput: something does not fit, or the results could not be written.
        """
        table = read_table(self.config) if self.config is not None else {}
        choose(table, "model", "kind", self.model)
        self._choose_module(table)
        _choose_kind_or_file(table, "tasks", "source", self.tasks, _TASK_FILES)
        _choose_kind_or_file(table, "start", "kind", self.start, _START_FILES)
        override(table, section, "seed", self.seed)
        start = table.get("start")
        if isinstance(start, dict) and start.get("kind") in _RANDOM_STARTS:
            override(table, "start", "seed", self.seed)
        for key, value in overrides.items():
            override(table, section, key, value)
        assign(table, self.assignments)
        configuration = validate(table)
        self._check_outputs(configuration, configuration.trajectory.store if section == "trajectory" else None)
        return configuration

    def _choose_module(self, table: Table) -> None:
        if self.module is not None:
            if self.model is not None:
                raise BadInput("--model and --module must not both be given")
            table["model"] = {"kind": "module", "path": self.module}
        if self.weights is not None:
            override(table, "model", "weights", self.weights)

    def _check_outputs(self, configuration: Configuration, store: str | None) -> None:
        paths = [getattr(part, "path", None) for part in (configuration.tasks, configuration.start)]
        if isinstance(configuration.model, ModuleSection):
            paths += [configuration.model.path.rpartition(":")[0], configuration.model.weights]
        config = None if self.config is None else str(self.config)
        json = None if self.json in (None, "-") else self.json
        check_outputs({"trajectory.store": store, "--json": json, "--plot": self.plot}, [config, *paths])


def _choose_kind_or_file(table: Table, section: str, key: str, value: str | None, suffixes: tuple[str, ...]) -> None:
    if value is not None and value.lower().endswith(suffixes):
        kept = table.get(section)
        table[section] = {**kept} if isinstance(kept, dict) and kept.get(key) == "file" else {key: "file"}
        table[section]["path"] = value
    else:
        choose(table, section, key, value)


def parse_list(text: str | None) -> str | list[int] | None:
    """A word, or task numbers such as ``0,2,1`` as a list."""
    if text is None:
        return None
    entries = [entry.strip() for entry in text.split(",")]
    if all(entry.isascii() and entry.isdigit() and len(entry) < 10 for entry in entries):
        return [int(entry) for entry in entries]
    return text

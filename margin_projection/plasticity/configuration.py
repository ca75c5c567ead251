"""The configuration of an experiment: which stream, which methods, how they are trained and measured."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from margin_projection._validation import InputError
from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import LEARNERS
from margin_projection.plasticity.measurement import SpectrumSettings
from margin_projection.plasticity.run import RunSettings
from margin_projection.plasticity.streams import STREAMS

Size = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class StreamSection(_Section):
    """Which stream: its name, number of tasks, and settings of its own."""

    name: str
    num_tasks: Size
    settings: dict[str, Any] = {}


class MethodSection(_Section):
    """Which method; its settings; a label where the same method is there twice; a learning rate of its own."""

    name: str
    settings: dict[str, Any] = {}
    label: str | None = None
    rate: Annotated[float, Field(gt=0.0)] | None = None

    @property
    def title(self) -> str:
        """The label, or the name."""
        return self.name if self.label is None else self.label


class TrainingSection(_Section):
    """Networks and updates."""

    hidden: list[Size] = [64, 64]
    optimizer: Literal["sgd", "adam"] = "adam"
    rate: Annotated[float, Field(gt=0.0)] = 1e-3
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    epochs: Size = 1
    batch_size: Size = 16


class SpectrumSection(_Section):
    """Spectra at the starts of tasks; ``every = 0`` takes none."""

    every: Annotated[int, Field(ge=0)] = 10
    samples: Size = 256
    order: Size = 40
    probes: Size = 4
    eps: Annotated[float, Field(gt=0.0)] = 0.01


class Experiment(_Section):
    """Everything that a table of results depends on."""

    stream: StreamSection
    methods: Annotated[list[MethodSection], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2, 3, 4]
    training: TrainingSection = TrainingSection()
    spectrum: SpectrumSection = SpectrumSection()

    def run_settings(self) -> RunSettings:
        """How each run is trained and measured."""
        values = self.spectrum.model_dump()
        spectrum = SpectrumSettings(**values) if values["every"] else None
        return RunSettings(self.training.epochs, self.training.batch_size, spectrum)

    def optimizer(self, method: MethodSection) -> OptimizerSettings:
        """The optimizer of a method."""
        rate = self.training.rate if method.rate is None else method.rate
        return OptimizerSettings(self.training.optimizer, rate, self.training.momentum)


def load_experiment(path: str | Path) -> Experiment:
    """An experiment from a TOML file.

    Raises:
        InputError: no such file, no TOML, an unknown key, name or value; the message names it.
    """
    try:
        with open(path, "rb") as stream:
            values = tomllib.load(stream)
    except OSError as error:
        raise InputError("path", str(path), f"a file that can be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("path", str(path), f"a TOML file ({error})") from error
    return read_experiment(values)


def read_experiment(values: dict[str, Any]) -> Experiment:
    """An experiment from a dictionary, checked.

    Raises:
        InputError: an unknown key, name or value; the message names it.
    """
    try:
        experiment = Experiment(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the configuration"
        raise InputError(key, first.get("input"), first["msg"]) from error
    if experiment.stream.name not in STREAMS:
        raise InputError("stream.name", experiment.stream.name, f"one of {', '.join(STREAMS)}")
    for index, method in enumerate(experiment.methods):
        if method.name not in LEARNERS:
            raise InputError(f"methods.{index}.name", method.name, f"one of {', '.join(LEARNERS)}")
    titles = [method.title for method in experiment.methods]
    if repeated := sorted({title for title in titles if titles.count(title) > 1}):
        raise InputError("methods", repeated[0], "methods with labels of their own where one is there twice")
    return experiment

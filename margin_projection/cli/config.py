"""The configuration file's sections and keys, with their types, ranges and defaults (pydantic models)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_LARGEST_SEED = 2**63 - 1
_DEFAULT_STEPS = 20
_LARGEST_BATCH = 100_000
Seed = Annotated[int, Field(ge=0, le=_LARGEST_SEED)]
Size = Annotated[int, Field(ge=1)]
FilePath = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
TaskKind = Literal["classification", "regression"]


class Section(BaseModel):
    """A table of the file: no unknown keys, no conversions between types, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class LinearSection(Section):
    """`networks.Linear`; the dimension is the samples' where it is left out."""

    kind: Literal["linear"]
    dimension: Size | None = None


class SquaredLinearSection(Section):
    """`networks.SquaredLinear`; the dimension is the samples' where it is left out."""

    kind: Literal["squared_linear"]
    dimension: Size | None = None


class SimplifiedReLUSection(Section):
    """`networks.SimplifiedReLU`; the dimension is the samples' where it is left out."""

    kind: Literal["simplified_relu"]
    units: Size = 2
    dimension: Size | None = None
    output_signs: list[float] | None = None
    slope: float = 0.0


class FullyConnectedSection(Section):
    """`networks.FullyConnected`: all ``widths`` (d, ..., 1), or the ``hidden`` ones alone."""

    kind: Literal["fully_connected"]
    widths: list[Size] | None = None
    hidden: list[Size] | None = None
    activation: str = "relu"
    slope: float = 0.01

    @model_validator(mode="after")
    def _one_of_both(self) -> FullyConnectedSection:
        if (self.widths is None) == (self.hidden is None):
            raise ValueError("must have either 'widths', such as [64, 32, 1], or 'hidden', such as [32]")
        return self


class ConvolutionalSection(Section):
    """`networks.Convolutional`; the input shape is the images' where it is left out."""

    kind: Literal["convolutional"]
    channels: list[Size]
    input_shape: list[Size] | None = None
    kernel: Size = 3
    stride: Size = 1
    padding: Annotated[int, Field(ge=0)] = 1
    activation: str = "relu"
    slope: float = 0.01
    flat: bool | None = None


class ModuleSection(Section):
    """A torch module: ``path`` is FILE.py:FACTORY, ``weights`` a .npz file; both relative to the configuration file."""

    kind: Literal["module"]
    path: FilePath
    weights: FilePath | None = None


class CatastrophicPairSection(Section):
    """`tasks.catastrophic_pair`."""

    source: Literal["catastrophic_pair"]
    eps: float = 0.005
    kind: TaskKind = "classification"


class FigureSection(Section):
    """`tasks.figure1`."""

    source: Literal["figure1"]
    panel: Literal["a", "b", "c"]


class DigitsSection(Section):
    """`tasks.digits`."""

    source: Literal["digits"]
    pairs: list[list[int]] = [[0, 1]]
    samples: Annotated[int, Field(ge=2)] = 100
    seed: Seed = 0
    kind: TaskKind = "classification"
    center: bool = False


class TeacherSection(Section):
    """`tasks.teacher_tasks`; the model's dimension must then be given."""

    source: Literal["teacher"]
    num_tasks: Size = 2
    samples: Size = 10
    seed: Seed = 0
    kind: TaskKind = "classification"
    margin: Annotated[float, Field(gt=0)] = 1.0


class FileSection(Section):
    """`tasks.load_tasks`; the path is relative to the configuration file."""

    source: Literal["file"]
    path: FilePath
    kind: TaskKind | None = None


class ZeroStart(Section):
    """All parameters zero, as Algorithm 2 starts."""

    kind: Literal["zero"] = "zero"


class RandomStart(Section):
    """`Model.initialize`; ``count`` starts with the seeds ``seed``, ``seed + 1``, ... run together as one batch."""

    kind: Literal["he", "lecun", "normal", "sphere"]
    scale: Annotated[float, Field(ge=0)] = 1.0
    seed: Seed = 0
    count: Annotated[int, Field(ge=1, le=_LARGEST_BATCH)] = 1


class ValuesStart(Section):
    """The parameters themselves, (p,), or (B, p) for a batch of trajectories."""

    kind: Literal["values"]
    values: list[Any]

    @field_validator("values")
    @classmethod
    def _numbers(cls, values: list[Any]) -> list[Any]:
        if not values or not all(_is_number(value) or _is_row(value) for value in values):
            raise ValueError("must be a nonempty list of finite numbers, or of such lists of one length")
        if len({len(value) if isinstance(value, list) else None for value in values}) > 1:
            raise ValueError("must be a list of numbers, or of lists of one length")
        return values


class FileStart(Section):
    """An array in a .npy file, or under ``key`` in a .npz file; the path is relative to the configuration file."""

    kind: Literal["file"]
    path: FilePath
    key: str | None = None


class ProjectionSection(Section):
    """Arguments of `project`; ``sets`` (and ``all_minimizers``) are for the command ``project`` alone."""

    sets: Any = "joint"
    tolerance: Annotated[float, Field(ge=1e-14, le=1e-2)] = 1e-10
    starts: Size = 4
    seed: Seed = 0
    max_steps: Size = 200
    all_minimizers: bool = False
    method: Literal["auto", "local"] = "auto"

    @field_validator("sets")
    @classmethod
    def _sets(cls, sets: Any) -> Any:
        if sets != "joint" and not _is_index_list(sets):
            raise ValueError("must be 'joint' or a nonempty list of task numbers, counted from 0")
        if sets != "joint" and len(set(sets)) < len(sets):
            raise ValueError("must name each task once")
        return sets


class TrajectorySection(Section):
    """Arguments of `sequential_projections`; the store's path is relative to the configuration file."""

    ordering: Any = "cyclic"
    num_steps: Size | None = None
    seed: Seed = 0
    choice: Literal["first", "random", "all"] = "first"
    max_branches: Size = 64
    measure: Literal["all", "sets", "none"] = "all"
    store: FilePath | None = None
    resume: bool = True

    @field_validator("ordering")
    @classmethod
    def _ordering(cls, ordering: Any) -> Any:
        if ordering not in ("cyclic", "iid", "without_replacement") and not _is_index_list(ordering):
            raise ValueError(
                "must be 'cyclic', 'iid', 'without_replacement' or a nonempty list of task numbers, counted from 0"
            )
        return ordering

    @property
    def steps(self) -> int:
        """How many projections: as given, or else the length of a given ordering, or else 20."""
        if self.num_steps is not None:
            return self.num_steps
        return len(self.ordering) if isinstance(self.ordering, list) else _DEFAULT_STEPS


class DiagnosisSection(Section):
    """Arguments of `diagnose`."""

    radius: Annotated[float, Field(gt=0)] | None = None
    project: bool = False
    draws: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 0


ModelSection = Annotated[
    LinearSection
    | SquaredLinearSection
    | SimplifiedReLUSection
    | FullyConnectedSection
    | ConvolutionalSection
    | ModuleSection,
    Field(discriminator="kind"),
]
TasksSection = Annotated[
    CatastrophicPairSection | FigureSection | DigitsSection | TeacherSection | FileSection,
    Field(discriminator="source"),
]
StartSection = Annotated[ZeroStart | RandomStart | ValuesStart | FileStart, Field(discriminator="kind")]


class Configuration(Section):
    """A whole configuration: what to project, from where, and how."""

    model: ModelSection
    tasks: TasksSection
    start: StartSection = ZeroStart()
    projection: ProjectionSection = ProjectionSection()
    trajectory: TrajectorySection = TrajectorySection()
    diagnosis: DiagnosisSection = DiagnosisSection()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_row(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_number(entry) for entry in value)


def _is_index_list(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(entry, int) and not isinstance(entry, bool) and entry >= 0 for entry in value)

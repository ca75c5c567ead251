"""From a checked configuration to the model, the tasks and the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from margin_projection.cli.arrays import read_array
from margin_projection.cli.config import (
    Configuration,
    ConvolutionalSection,
    DigitsSection,
    FileSection,
    FileStart,
    FullyConnectedSection,
    ModuleSection,
    RandomStart,
    SimplifiedReLUSection,
    TeacherSection,
    ValuesStart,
)
from margin_projection.cli.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from margin_projection.networks import Model
    from margin_projection.sets import MarginSet
    from margin_projection.tasks import Task

_DIGITS_SHAPE = (1, 8, 8)


@dataclass(frozen=True)
class Setting:
    """What a configuration stands for: ``start`` is (p,), or (B, p) for a batch; one margin set a task."""

    model: Model
    tasks: list[Task]
    sets: list[MarginSet]
    start: np.ndarray


def build(configuration: Configuration) -> Setting:
    """Build everything, so that whatever does not fit together is found before any long work.

    Raises:
        InputError, BadInput: names what does not fit.
    """
    from margin_projection._validation import InputError
    from margin_projection.sets import MarginSet

    try:
        model, tasks = _model_and_tasks(configuration)
        start = _start(configuration.start, model)
    except InputError:
        raise
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:  # sizes that numpy or torch refuse
        raise BadInput(f"the model and the tasks cannot be built: {str(error) or type(error).__name__}") from error
    return Setting(model, tasks, [MarginSet(model, task) for task in tasks], start)


def build_subject(configuration: Configuration) -> tuple[Any, list[Task], np.ndarray | None]:
    """What `diagnose` takes: a model and its parameters (the start), or a module, which brings its own; and the tasks.

    Raises:
        InputError, BadInput: names what does not fit.
    """
    section = configuration.model
    if not isinstance(section, ModuleSection):
        setting = build(configuration)
        if setting.start.ndim != 1:
            raise BadInput(f"start must be one point for a diagnosis, got {len(setting.start)}")
        return setting.model, setting.tasks, setting.start
    if "start" in configuration.model_fields_set:
        raise BadInput("start must be left out for a module, which holds its parameters (see model.weights)")
    if isinstance(configuration.tasks, TeacherSection):
        raise BadInput("tasks.source 'teacher' needs a built-in model")
    from margin_projection.cli.user_module import load_module

    tasks = _tasks(configuration.tasks)
    return load_module(section.path, section.weights), tasks, None


def _model_and_tasks(configuration: Configuration) -> tuple[Model, list[Task]]:
    section = configuration.tasks
    if isinstance(section, TeacherSection):
        from margin_projection.tasks import teacher_tasks

        model = _model(configuration, None)
        arguments = section.model_dump(exclude={"source"})
        return model, teacher_tasks(model, **arguments)[0]
    tasks = _tasks(section)
    return _model(configuration, tasks[0].X.shape[1:]), tasks


def _tasks(section: Any) -> list[Task]:
    from margin_projection import tasks

    if isinstance(section, FileSection):
        return tasks.load_tasks(section.path, section.kind)
    arguments = section.model_dump(exclude={"source"})
    if isinstance(section, DigitsSection):
        return tasks.digits(**arguments)
    if section.source == "figure1":
        return [tasks.figure1(**arguments)]
    return tasks.catastrophic_pair(**arguments)


def _model(configuration: Configuration, shape: tuple[int, ...] | None) -> Model:
    """The model for samples of ``shape`` (None: not known before the model)."""
    from margin_projection import networks

    section = configuration.model
    if isinstance(section, ModuleSection):
        from margin_projection.cli.user_module import load_module

        if shape is None:
            raise BadInput("tasks.source 'teacher' needs a built-in model")
        return networks.from_module(load_module(section.path, section.weights), shape)
    if isinstance(section, ConvolutionalSection):
        return networks.Convolutional(**_convolution_arguments(configuration, section, shape))
    if isinstance(section, FullyConnectedSection):
        widths = section.widths or [_dimension("hidden", None, shape), *(section.hidden or []), 1]
        return networks.FullyConnected(widths, section.activation, section.slope)
    dimension = _dimension("dimension", section.dimension, shape)
    if isinstance(section, SimplifiedReLUSection):
        return networks.SimplifiedReLU(section.units, dimension, section.output_signs, section.slope)
    return (networks.Linear if section.kind == "linear" else networks.SquaredLinear)(dimension)


def _dimension(key: str, given: int | None, shape: tuple[int, ...] | None) -> int:
    """The length of a sample, given or read off the tasks."""
    if given is not None:
        return given
    if shape is None:
        needed = "widths" if key == "hidden" else "dimension"
        raise BadInput(f"model.{needed} must be given where a teacher draws the tasks (tasks.source = 'teacher')")
    if len(shape) != 1:
        raise BadInput(f"tasks must have vectors as samples for this model, X of shape (n, d), got (n, {_text(shape)})")
    return shape[0]


def _convolution_arguments(
    configuration: Configuration, section: ConvolutionalSection, shape: tuple[int, ...] | None
) -> dict[str, Any]:
    arguments = section.model_dump(exclude={"kind"})
    if section.input_shape is None:
        if isinstance(configuration.tasks, DigitsSection):
            arguments["input_shape"] = _DIGITS_SHAPE
        elif shape is not None and len(shape) == 3:
            arguments["input_shape"] = shape
        else:
            raise BadInput("model.input_shape must be given, as [channels, height, width], for these tasks")
    if section.flat is None:
        arguments["flat"] = shape is not None and len(shape) == 1
    return arguments


def _start(section: Any, model: Model) -> np.ndarray:
    """(p,), or (B, p) where several starts are asked for."""
    import numpy as np

    from margin_projection._validation import check_array

    size = model.num_parameters
    if isinstance(section, RandomStart):
        seeds = range(section.seed, section.seed + section.count)
        starts = np.stack([model.initialize(seed, section.kind, section.scale) for seed in seeds])
        return starts[0] if section.count == 1 else starts
    if isinstance(section, ValuesStart):
        return _check_shape("start.values", check_array("start.values", section.values), size)
    if isinstance(section, FileStart):
        return _check_shape(f"start ({section.path})", read_array("start", section.path, section.key), size)
    return np.zeros(size)


def _check_shape(name: str, start: np.ndarray, size: int) -> np.ndarray:
    if start.ndim not in (1, 2) or start.shape[-1] != size or not start.size:
        raise BadInput(
            f"{name} must be of shape ({size},), or (batch, {size}) for trajectories, got shape ({_text(start.shape)})"
        )
    return start


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")

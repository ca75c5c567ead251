"""Results as JSON: everything needed to read them and to run them again."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import metadata
from typing import TYPE_CHECKING, Any

from margin_projection.cli.config import Configuration

if TYPE_CHECKING:
    from margin_projection.cli.build import Setting
    from margin_projection.diagnosis import Diagnosis
    from margin_projection.projections import Projection
    from margin_projection.sets import ConstraintSystem
    from margin_projection.tasks import Task
    from margin_projection.trajectories import Trajectory, TrajectoryError

_PACKAGES = ("numpy", "scipy", "torch", "cvxpy", "clarabel", "daqp")


def to_json(report: Mapping[str, Any]) -> str:
    """JSON text of a report: NaN becomes null, infinities become the strings "Infinity" and "-Infinity".

    >>> to_json({"bound": float("inf"), "distance": float("nan")})
    '{\\n "bound": "Infinity",\\n "distance": null\\n}\\n'
    """
    return json.dumps(encode(report), indent=1, allow_nan=False) + "\n"


def encode(value: Any) -> Any:
    """``value`` built from what JSON has: arrays as lists, statuses by name, see `to_json` for special numbers."""
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return _encode_float(float(value))
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(entry) for entry in value]
    if hasattr(value, "tolist"):
        return encode(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    return str(value)


def _encode_float(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def projection_report(
    configuration: Configuration, setting: Setting, system: ConstraintSystem, projection: Projection
) -> dict[str, Any]:
    """The report of ``project``: what was asked, with which versions, and the whole `Projection`."""
    result = _describe_projection(projection)
    result["constraints"] = encode(system.constraints(projection.point))
    result["task_index"] = _task_numbers(configuration, system)
    result["forgetting"] = [encode(each.forgetting(projection.point)[0]) for each in setting.sets]
    return {**_header("project", configuration, setting), "success": projection.status.is_success, "result": result}


def trajectory_report(
    configuration: Configuration, setting: Setting, trajectory: Trajectory, failure: TrajectoryError | None = None
) -> dict[str, Any]:
    """The report of ``trajectory``: what was asked, with which versions, the `Trajectory`, and what ended it early."""
    told = None
    if failure is not None:
        told = {"message": str(failure), "run": failure.run, "step": trajectory.num_steps + 1}
        told["projection"] = _describe_projection(failure.projection)
    return {
        **_header("trajectory", configuration, setting),
        "success": failure is None,
        "failure": told,
        "result": encode(trajectory),
    }


def diagnosis_report(configuration: Configuration, tasks: list[Task], diagnosis: Diagnosis) -> dict[str, Any]:
    """The report of ``diagnose``: what was asked, with which versions, and the whole `Diagnosis`."""
    return {
        "format": "margin-projection diagnose",
        "format_version": 1,
        "versions": versions(),
        "configuration": configuration.model_dump(),
        "tasks": [_describe_task(task) for task in tasks],
        "result": diagnosis.to_dict(),
    }


def _describe_projection(projection: Projection) -> dict[str, Any]:
    described = encode(projection)
    described["status_sentence"] = projection.status.value
    described["counts"]["jacobian_equivalents"] = projection.counts.jacobian_equivalents
    return described


def _task_numbers(configuration: Configuration, system: ConstraintSystem) -> list[int]:
    """For each constraint, the number of its task in the configuration's own count."""
    asked = configuration.projection.sets
    numbers = range(len(system.tasks)) if asked == "joint" else asked
    return [int(numbers[index]) for index in system.task_index]


def _header(command: str, configuration: Configuration, setting: Setting) -> dict[str, Any]:
    model = setting.model
    return {
        "format": f"margin-projection {command}",
        "format_version": 1,
        "versions": versions(),
        "configuration": configuration.model_dump(),
        "model": {
            "name": repr(model),
            "degree": model.degree,
            "num_parameters": model.num_parameters,
            "structure": model.structure.name,
        },
        "tasks": [_describe_task(task) for task in setting.tasks],
        "start": setting.start,
    }


def _describe_task(task: Task) -> dict[str, Any]:
    """Name, kind and shape of a task, and a digest of its data (float64, C order, X before y)."""
    digest = hashlib.sha256(task.X.tobytes() + task.y.tobytes()).hexdigest()
    return {"name": task.name, "kind": task.kind, "shape": list(task.X.shape), "sha256": digest}


def versions() -> dict[str, str]:
    """The versions that results can depend on."""
    import margin_projection

    found = {"margin_projection": margin_projection.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found

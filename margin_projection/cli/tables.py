"""Results as tables for the terminal."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from margin_projection.cli.build import Setting
    from margin_projection.projections import Projection
    from margin_projection.sets import ConstraintSystem
    from margin_projection.trajectories import Trajectory, TrajectoryError

_LONGEST = 24  # steps shown; of longer trajectories, the first and the last
_ALL_RUNS, _SOME_RUNS = "all there are, as proved", "not proved to be all there are"
_ACTIVE = 1e-8  # constraint values counted as zero


def render(*tables: Any) -> str:
    """The tables as text, styled where standard output is a terminal."""
    seen = Console()
    buffer = _Buffer(seen.encoding)
    Console(file=buffer, width=seen.width, force_terminal=seen.is_terminal).print(Group(*tables))
    return buffer.getvalue()


class _Buffer(io.StringIO):
    """Text in memory for a terminal of some encoding, which decides how tables are drawn."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def projection_tables(setting: Setting, system: ConstraintSystem, projection: Projection) -> list[Table]:
    """What was projected, how it ended, and what each task has of it."""
    residuals, counts, certificate = projection.residuals, projection.counts, projection.certificate
    complete = "all of them" if projection.complete else "not proved to be all"
    sign = "certified" if certificate.verified else "NOT verified"
    rows = [
        ("model", f"{setting.model!r}, degree {setting.model.degree:g}, {setting.model.num_parameters} parameters"),
        ("constraints", f"{system.num_constraints} from {len(system.tasks)} of {len(setting.tasks)} tasks"),
        ("status", f"{projection.status.name}: {projection.status.value}"),
        ("distance", _exact(projection.distance)),
        ("lower bound", f"{_exact(certificate.lower_bound)} ({sign}; {certificate.method})"),
        ("gap", _short(certificate.gap)),
        ("minimizers", f"{len(projection.minimizers)} found, {complete}"),
        ("feasibility", _short(residuals.feasibility)),
        ("stationarity", _short(residuals.stationarity)),
        ("complementarity", _short(residuals.complementarity)),
        ("dual feasibility", _short(residuals.dual)),
        ("method", projection.method),
        ("work", f"{counts.jacobians} Jacobians, {counts.hessian_vectors:g} Hessian-vector products, "
                 f"{counts.forwards} forward passes, {counts.steps} steps"),
    ]
    if setting.model.num_parameters <= 8:
        rows[4:4] = [(f"minimizer {number}", _vector(point)) for number, point in _numbered(projection.minimizers)]
    return [pairs("Projection", rows), _task_table(setting, system, projection)]


def _task_table(setting: Setting, system: ConstraintSystem, projection: Projection) -> Table:
    columns = ("task", "samples", "forgetting at start", "forgetting at point", "active", "projected onto")
    table = grid("Tasks", columns)
    for task, margin_set in zip(setting.tasks, setting.sets, strict=True):
        active = int((np.abs(margin_set.constraints(projection.point)) <= _ACTIVE).sum())
        before, after = (float(margin_set.forgetting(point)[0]) for point in (setting.start, projection.point))
        chosen = "yes" if any(task is each for each in system.tasks) else "no"
        _add(table, task.name, task.num_samples, _short(before), _short(after), active, chosen)
    return table


def trajectory_tables(trajectory: Trajectory) -> list[Table]:
    """A summary over all runs, and the steps of the first one."""
    runs, steps = trajectory.statuses.shape
    statuses = Counter(str(status) for status in trajectory.statuses.flat)
    rows = [
        ("model", trajectory.model_name),
        ("tasks", ", ".join(trajectory.task_names)),
        ("runs", f"{runs} of {steps} steps; " + (_ALL_RUNS if trajectory.complete else _SOME_RUNS)),
        ("statuses", ", ".join(f"{count} {name or 'none'}" for name, count in statuses.most_common())),
        ("largest gap", _short(_extreme(trajectory.gaps))),
        ("forgetting at the end", _range(trajectory.forgetting[:, -1].max(-1))),
        ("distance to C* at the end", _range(trajectory.joint_distances[:, -1])),
    ]
    return [pairs("Trajectory", rows), _step_table(trajectory)]


def failure_table(failure: TrajectoryError) -> Table:
    """What ended a trajectory early."""
    return pairs("Failure", [("step", str(failure.trajectory.num_steps + 1)), ("reason", str(failure))])


def _step_table(trajectory: Trajectory) -> Table:
    columns = ("step", "task", "status", "moved", "largest d(C_m)", "d(C*)", "largest forgetting", "gap")
    table = grid("Steps of run 1" if len(trajectory.points) > 1 else "Steps", columns)
    moved = np.linalg.norm(np.diff(trajectory.points[0], axis=0), axis=-1)
    for step in _shown(len(trajectory.indices)):
        if step is None:
            _add(table, *["..."] * len(columns))
            continue
        state = (
            _short(_extreme(trajectory.distances[0, step])),
            _short(trajectory.joint_distances[0, step]),
            _short(_extreme(trajectory.forgetting[0, step])),
        )
        if step == 0:
            _add(table, 0, "", "", "", *state, "")
            continue
        name = trajectory.task_names[int(trajectory.indices[step - 1])]
        status, gap = str(trajectory.statuses[0, step - 1]), _short(trajectory.gaps[0, step - 1])
        _add(table, step, name, status, _short(moved[step - 1]), *state, gap)
    return table


def _shown(steps: int) -> Iterable[int | None]:
    """Numbers of the iterates to show, None standing for those left out."""
    if steps <= _LONGEST:
        return range(steps + 1)
    return [*range(_LONGEST // 2), None, *range(steps - _LONGEST // 2 + 1, steps + 1)]


def pairs(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """A table of names and texts."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        _add(table, *row)
    return table


def grid(title: str, columns: Iterable[str]) -> Table:
    """A table without rows yet."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: Any) -> None:
    """A row of plain text: names may hold brackets, which are no markup."""
    table.add_row(*(Text(str(cell)) for cell in cells))


def _numbered(points: Iterable[Any], most: int = 8) -> list[tuple[int, Any]]:
    return list(enumerate(points, start=1))[:most]


def _vector(point: Any) -> str:
    return "(" + ", ".join(f"{float(value):.10g}" for value in point) + ")"


def _exact(value: float) -> str:
    return f"{value:.12g}"


def _short(value: float) -> str:
    return "-" if np.isnan(value) else f"{float(value):.3g}"


def _extreme(values: np.ndarray) -> float:
    """The largest entry that was measured, NaN where none was."""
    measured = values[~np.isnan(values)]
    return float(measured.max()) if measured.size else float("nan")


def _range(values: np.ndarray) -> str:
    measured = values[~np.isnan(values)]
    if not measured.size:
        return "-"
    low, high = float(measured.min()), float(measured.max())
    return _short(low) if low == high else f"{_short(low)} to {_short(high)}"

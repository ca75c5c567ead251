"""Sequential margin projections, Algorithm 2: the driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor
from margin_projection._validation import InputError, check_choice, check_integer, check_real
from margin_projection.networks.base import Model
from margin_projection.projections.project import METHODS
from margin_projection.sets.margin_set import ConstraintSystem, MarginSet, intersection
from margin_projection.tasks.orderings import Ordering, as_ordering
from margin_projection.tasks.task import Task
from margin_projection.trajectories.branching import CHOICES, Branches, choose
from margin_projection.trajectories.measures import MEASURES, Measured, measure_points
from margin_projection.trajectories.moves import Moves
from margin_projection.trajectories.projector import Projector
from margin_projection.trajectories.record import Iterate, Record, empty_step, record_of
from margin_projection.trajectories.store import Store, fingerprint
from margin_projection.trajectories.trajectory import Trajectory, TrajectoryError

_OPTIONS = ("max_steps", "method", "starts", "tolerance")


def sequential_projections(
    model: Model,
    tasks: Sequence[Task],
    ordering: str | Sequence[int] | np.ndarray | Ordering = "cyclic",
    start: Array | None = None,
    *,
    num_steps: int,
    seed: int = 0,
    choice: str = "first",
    max_branches: int = 64,
    measure: str = "all",
    store: Any = None,
    resume: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **projection_options: Any,
) -> Trajectory:
    """Algorithm 2 of Schliserman et al. 2026: Thetabar_t is a nearest point of C_{tau(t)} to Thetabar_{t-1}.

    Many starts run as one batch. Where a task is one sample and the model linear or quadratic in theta, all runs move
    at once, and each step is certified GLOBAL from raw values; everything else goes through `project`, run by run.

    Args:
        model: the network.
        tasks: M >= 1 tasks.
        ordering: "cyclic" (default), "iid", "without_replacement", task numbers counted from 0, or an `Ordering`.
        start: Thetabar_0: (p,), or (B, p) for B runs; None (default) for zeros.
        num_steps: K >= 0.
        seed: of the ordering where it is random, of random choices and of the projections (default 0).
        choice: among several minimizers of a projection: "first" (default; deterministic), "random" (uniform among
            those found, drawn from seed, step and run alone) or "all" (a tree of runs, breadth first, from one start;
            runs that meet, to a relative 1e-9, go on as one).
        max_branches: at most so many runs for "all" (default 64): the first ones are kept, and ``complete`` turns
            False.
        measure: "all" (default): distances to each C_m and to C*, at every iterate; "sets": to each C_m; "none".
            Forgetting is always measured. Distances to C* take one projection onto all tasks for each run and iterate
            (milliseconds, for models with an exact one; far less for `SquaredLinear` with at most 16 samples in all,
            where the runs go together): for large batches ask for "sets".
        store: path of an .npz file in which the run is kept: written atomically every few seconds, at the end and on
            failure or interrupt. It holds every iterate.
        resume: whether to continue from ``store`` where it exists (default True; False overwrites it). A resumed run
            equals an uninterrupted one bit for bit; a longer ``num_steps`` continues a finished one.
        progress: called as progress(step, num_steps) after each step (default None: silent).
        **projection_options: tolerance, starts, max_steps and method of `project`.

    Returns:
        The trajectory: float64 numpy arrays, iterate 0 and the last one included.

    Raises:
        InputError: an argument is out of its range or does not fit, or ``store`` holds another run or is damaged.
        TrajectoryError: a projection failed; the error's ``trajectory`` holds the steps before it.

    Theorem 5's first two steps have the closed forms of B.1 and B.2:

    >>> from margin_projection.networks import SquaredLinear
    >>> from margin_projection.tasks import catastrophic_pair
    >>> run = sequential_projections(SquaredLinear(2), catastrophic_pair(0.005), num_steps=2, measure="none")
    >>> b, c = 0.995, 1.005
    >>> expected = [[0, b**-0.5, 0, 0], [0, b**-0.5 / 2, 0, (0.25 / b + 1 / c) ** 0.5]]
    >>> bool(np.abs(run.points[0, 1:] - expected).max() < 1e-12), run.statuses.tolist()
    (True, [['GLOBAL', 'GLOBAL']])
    """
    sets = _margin_sets(model, tasks)
    check_integer("seed", seed, 0)
    rule = as_ordering(ordering, seed)
    indices = rule.indices(len(sets), check_integer("num_steps", num_steps, 0))
    check_choice("choice", choice, CHOICES)
    check_choice("measure", measure, MEASURES)
    check_integer("max_branches", max_branches, 1)
    options = _check_options(projection_options)
    points = _starts(model, start, choice)
    arguments = {"seed": seed, "choice": choice, "measure": measure, "projection options": options}
    if choice == "all":
        arguments["max_branches"] = max_branches
    mark = fingerprint(model, tasks, rule, points.cpu().numpy(), arguments)
    kept = None if store is None else Store(store, mark)
    runner = _Runner(sets, points.device, seed, choice, max_branches, measure, options)
    stored = kept.load(indices) if kept is not None and resume else None
    record = record_of(stored, indices) if stored is not None else _begin(runner, model, tasks, indices, points)
    return _run(runner, record, points.device, kept, progress)


def _margin_sets(model: Model, tasks: Any) -> list[MarginSet]:
    if isinstance(tasks, str) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError("tasks", tasks, "a nonempty sequence of tasks")
    return [MarginSet(model, task) for task in tasks]


def _check_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `project` that may be passed through, checked."""
    for name in options:
        check_choice("projection option", name, _OPTIONS)
    checked: dict[str, Any] = {}
    if "tolerance" in options:
        checked["tolerance"] = check_real("tolerance", options["tolerance"], 1e-14, 1e-2)
    if "method" in options:
        checked["method"] = check_choice("method", options["method"], METHODS)
    counts = {name: check_integer(name, options[name], 1) for name in ("max_steps", "starts") if name in options}
    return checked | counts


def _starts(model: Model, start: Array | None, choice: str) -> Tensor:
    """(R, p), a copy."""
    if start is None:
        return torch.zeros((1, model.num_parameters), dtype=torch.float64)
    points = parameters_to_tensor("start", start, model.num_parameters).clone()
    points = points if points.ndim == 2 else points[None]
    if len(points) == 0 or (choice == "all" and len(points) > 1):
        raise InputError("start", start, "one start where choice is 'all', and at least one in any case")
    return points


@dataclass(frozen=True)
class _Step:
    """The points (R, p) after a step, on their device, and what is recorded of it."""

    points: Tensor
    iterate: Iterate
    complete: bool


class _Runner:
    """Makes and measures steps: a pure function of points, step number and task."""

    def __init__(
        self,
        sets: list[MarginSet],
        device: torch.device,
        seed: int,
        choice: str,
        max_branches: int,
        measure: str,
        options: dict[str, Any],
    ) -> None:
        self.joint = intersection(sets)
        measured: list[ConstraintSystem] = [*sets, self.joint] if len(sets) > 1 else [*sets]
        self.projector = Projector(measured, device, seed, options)
        self.samples = max(each.num_constraints for each in sets)
        self.seed, self.choice, self.max_branches, self.level = seed, choice, max_branches, measure

    def measure(self, points: Tensor) -> Measured:
        """Distances and forgetting of points (R, p)."""
        return measure_points(points, self.projector, self.joint, self.level)

    def moves(self, points: Tensor, index: int) -> Moves:
        """The projections onto task ``index``."""
        return self.projector.moves(points, index, all_minimizers=self.choice != "first")

    def step(self, moves: Moves, parents: np.ndarray, number: int) -> _Step:
        """The runs that continue after ``moves``, step ``number``, measured."""
        branches = choose(moves, self.choice, parents, self.seed, number, self.max_branches)
        origins = branches.origins
        iterate = Iterate(
            points=branches.points.cpu().numpy().copy(),
            measured=self.measure(branches.points),
            origins=origins,
            parents=branches.parents,
            multipliers=self._multipliers(moves, branches),
            statuses=moves.statuses[origins].astype("U10"),
            gaps=np.maximum(moves.distances - moves.lower_bounds, 0.0)[origins],
            lower_bounds=moves.lower_bounds[origins],
            minimizer_counts=moves.counts[origins],
        )
        return _Step(branches.points, iterate, branches.complete)

    def _multipliers(self, moves: Moves, branches: Branches) -> np.ndarray:
        """(R, n), nan where unknown."""
        multipliers = np.full((len(branches.origins), self.samples), np.nan)
        known = (branches.picked == 0) | moves.shared[branches.origins]
        multipliers[known, : moves.multipliers.shape[1]] = moves.multipliers[branches.origins[known]]
        return multipliers


def _begin(runner: _Runner, model: Model, tasks: Sequence[Task], indices: np.ndarray, points: Tensor) -> Record:
    """The record of the start alone."""
    runs = len(points)
    iterate = Iterate(
        points=points.cpu().numpy().copy(),
        measured=runner.measure(points),
        origins=np.arange(runs),
        parents=np.full(runs, -1, dtype=np.int64),
        **empty_step(runs, runner.samples),
    )
    return Record(repr(model), tuple(task.name for task in tasks), indices, [(iterate, True)])


def _run(
    runner: _Runner,
    record: Record,
    device: torch.device,
    store: Store | None,
    progress: Callable[[int, int], None] | None,
) -> Trajectory:
    """Make the steps that the record lacks; whatever ends the run, what is done is in the store."""
    try:
        _advance(runner, record, device, store, progress)
    finally:
        trajectory = record.to_trajectory()
        if store is not None:
            store.save(trajectory)
    return trajectory


def _advance(
    runner: _Runner,
    record: Record,
    device: torch.device,
    store: Store | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    total = int(record.indices.size)
    points = torch.tensor(record.iterates[-1][0].points, device=device)
    while record.num_steps < total:
        number = record.num_steps + 1
        index = int(record.indices[number - 1])
        moves = runner.moves(points, index)
        if moves.failures:
            run, projection = min(moves.failures.items(), key=lambda item: item[0])
            raise TrajectoryError(record.to_trajectory(), projection, run, record.task_names[index])
        step = runner.step(moves, record.iterates[-1][0].parents, number)
        points = step.points
        record.append(step.iterate, step.complete)
        if store is not None and store.is_due:
            store.save(record.to_trajectory())
        if progress is not None:
            progress(number, total)

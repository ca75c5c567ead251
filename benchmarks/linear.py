"""A linear model, d = 64, n = 200: ours against cvxpy with Clarabel, whole calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cvxpy
import numpy as np
from threadpoolctl import threadpool_limits

import margin_projection as mp
from benchmarks.row import Row, at_most, faster
from benchmarks.settings import Settings
from benchmarks.timing import alternate_blocks
from margin_projection import tasks
from margin_projection.networks import Linear

TITLE = "linear, d = 64, n = 200"
_PRECISE = {"tol_gap_abs": 1e-14, "tol_gap_rel": 1e-14, "tol_feas": 1e-14}
_IN_A_ROW = 5


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Median processor times over instances and repetitions on one thread, and the largest difference of the points.

    The peer is timed at its default tolerances, which favours it, and twice: with the problem compiled before and its
    parameters set anew, and as a user writes it, built at every call (then the margin set is built at every call, too).
    Its points are compared at tolerances of 1e-14: looser ones, its default among them, leave errors above the required
    1e-9.
    """
    timings, alternating, differences, errors, gaps = [], [], [], [], []
    for seed in range(settings.pick(10, 4, 1)):
        start, task = _instance(seed)
        target, compiled = mp.MarginSet(Linear(64), task), _Clarabel(task)
        calls: list[Callable[[], object]] = [
            partial(mp.project, start, target),
            partial(compiled.solve, start),
            partial(_project_afresh, task, start),
            partial(_solve_afresh, task, start),
        ]
        with threadpool_limits(1):
            for call in calls:
                call()
            timings.append(alternate_blocks(calls, settings.pick(10, 5, 1), _IN_A_ROW))
            alternating.append(alternate_blocks(calls, settings.pick(20, 5, 1), 1))
        projection, precise = mp.project(start, target), _Clarabel(task).solve(start, **_PRECISE)
        differences.append(float(np.abs(projection.point - precise).max()))
        exact = _refined(start, task, np.asarray(projection.multipliers))
        errors.append([float(np.abs(point - exact).max()) for point in (projection.point, precise)])
        gaps.append(projection.certificate.gap)
        ours, kept = timings[-1][0, 0], timings[-1][1, 0]
        report(f"{TITLE}: seed {seed}, {1e3 * ours:.2f} ms against {1e3 * kept:.2f} ms")
    worst = [float(each) for each in np.max(errors, axis=0)]
    return [
        _ratio("against a compiled cvxpy problem", timings, alternating, (0, 1)),
        _ratio("against cvxpy, both built at every call", timings, alternating, (2, 3)),
        at_most(f"{TITLE}: largest difference to Clarabel's point", "", max(differences), 1e-9, {"gaps": gaps}),
        Row(
            f"{TITLE}: largest error (refined in extended precision)", "", worst[0], worst[1], None,
            "informational: whose error the difference is", None, {"errors": errors},
        ),
    ]  # fmt: skip


def _ratio(against: str, timings: list[np.ndarray], alternating: list[np.ndarray], pair: tuple[int, int]) -> Row:
    """The row of two calls: medians over instances, by processor time; other ways to measure are in the details."""
    ours, peer = (np.median([table[index] for table in timings], axis=0) for index in pair)
    strict = [np.median([table[index] for table in alternating], axis=0) for index in pair]
    details = {
        "peer": "Clarabel through cvxpy, default tolerances",
        "clock": f"processor time, one thread, medians of calls in turns of {_IN_A_ROW}",
        "wall_clock_ratio": float(peer[1] / ours[1]),
        "ratio_in_turns_of_1": float(strict[1][0] / strict[0][0]),
        "medians": [[float(table[index, 0]) for index in pair] for table in timings],
    }
    return faster(f"{TITLE}: time {against}", float(ours[0]), float(peer[0]), 20.0, details)


def _instance(seed: int) -> tuple[np.ndarray, tasks.Task]:
    """A separable task from a teacher, and a random start."""
    (task,), _ = tasks.teacher_tasks(Linear(64), num_tasks=1, samples=200, seed=seed)
    return Linear(64).initialize(seed, "normal"), task


def _project_afresh(task: tasks.Task, start: np.ndarray) -> object:
    return mp.project(start, mp.MarginSet(Linear(64), task))


def _solve_afresh(task: tasks.Task, start: np.ndarray) -> np.ndarray:
    return _Clarabel(task).solve(start)


def _refined(start: np.ndarray, task: tasks.Task, multipliers: np.ndarray) -> np.ndarray:
    """The projection by iterative refinement on the claimed active set; nan where KKT refutes that set."""
    rows, active = task.y[:, None] * task.X, multipliers > 0
    gram, active_rows = rows[active] @ rows[active].T, rows[active].astype(np.longdouble)
    weights, point = np.zeros(int(active.sum()), dtype=np.longdouble), start.astype(np.longdouble)
    for _ in range(6):
        weights = weights + np.linalg.solve(gram, (1.0 - active_rows @ point).astype(np.float64))
        point = start + active_rows.T @ weights
    optimal = bool((weights >= 0).all() and (rows.astype(np.longdouble) @ point >= 1.0 - 1e-14).all())
    return point if optimal else np.full_like(point, np.nan)


class _Clarabel:
    """minimize ||theta - start||^2 subject to y X theta >= 1, with the start a parameter."""

    def __init__(self, task: tasks.Task) -> None:
        self.theta, self.center = (kind(task.X.shape[1]) for kind in (cvxpy.Variable, cvxpy.Parameter))
        constraint = (task.y[:, None] * task.X) @ self.theta >= 1.0
        self.problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(self.theta - self.center)), [constraint])

    def solve(self, start: np.ndarray, **options: float) -> np.ndarray:
        self.center.value = start
        self.problem.solve(solver=cvxpy.CLARABEL, **options)
        return np.asarray(self.theta.value)

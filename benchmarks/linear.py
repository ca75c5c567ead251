"""A linear model, d = 64, n = 200: ours against cvxpy with Clarabel, whole calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cvxpy
import numpy as np

import margin_projection as mp
from benchmarks.row import Row, at_most, faster
from benchmarks.settings import Settings
from benchmarks.timing import alternate
from margin_projection import tasks
from margin_projection.networks import Linear

TITLE = "linear, d = 64, n = 200"
_PRECISE = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Median times over instances and repetitions, and the largest difference of the points.

    The peer is timed twice: at its default tolerances with the problem built once (its parameters changed, the call
    compiled before), and the way a user writes it, built at every call. The requirement is held against the faster one.
    """
    repetitions = settings.pick(20, 5, 1)
    table, differences, errors, gaps = [], [], [], []
    for seed in range(settings.pick(10, 4, 1)):
        start, task = _instance(seed)
        target = mp.MarginSet(Linear(64), task)
        parametrized = _Clarabel(task, start)
        calls: list[Callable[[], object]] = [
            partial(mp.project, start, target),
            parametrized.solve,
            partial(_solve_afresh, task, start),
        ]
        for call in calls:
            call()
        table.append(alternate(calls, repetitions))
        projection, precise = mp.project(start, target), _Clarabel(task, start).solve(**_PRECISE)
        differences.append(float(np.abs(projection.point - precise).max()))
        exact = _refined(start, task, np.asarray(projection.multipliers))
        errors.append([float(np.abs(point - exact).max()) for point in (projection.point, precise)])
        gaps.append(projection.certificate.gap)
        report(f"{TITLE}: seed {seed}, {table[-1][0]:.4f} s against {table[-1][1]:.4f} s")
    ours, kept, built = (float(each) for each in np.median(table, axis=0))
    worst = [float(each) for each in np.max(errors, axis=0)]
    return [
        faster(f"{TITLE}: time against a compiled cvxpy problem", ours, kept, 20.0, {"medians": table}),
        faster(f"{TITLE}: time against cvxpy, built at every call", ours, built, 20.0),
        at_most(f"{TITLE}: largest difference to Clarabel's point", "", max(differences), 1e-9, {"gaps": gaps}),
        Row(
            f"{TITLE}: largest error (refined in extended precision)", "", worst[0], worst[1], None,
            "informational: whose error the difference is", None, {"errors": errors},
        ),
    ]  # fmt: skip


def _instance(seed: int) -> tuple[np.ndarray, tasks.Task]:
    """A separable task from a teacher, and a random start."""
    (task,), _ = tasks.teacher_tasks(Linear(64), num_tasks=1, samples=200, seed=seed)
    return Linear(64).initialize(seed, "normal"), task


def _solve_afresh(task: tasks.Task, start: np.ndarray) -> np.ndarray:
    return _Clarabel(task, start).solve()


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

    def __init__(self, task: tasks.Task, start: np.ndarray) -> None:
        self.theta = cvxpy.Variable(start.size)
        center = cvxpy.Parameter(start.size, value=start)
        constraint = (task.y[:, None] * task.X) @ self.theta >= 1.0
        self.problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(self.theta - center)), [constraint])

    def solve(self, **options: float) -> np.ndarray:
        self.problem.solve(solver=cvxpy.CLARABEL, **options)
        return np.asarray(self.theta.value)

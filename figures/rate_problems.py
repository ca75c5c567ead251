"""Two tasks with a point of C* beside which runs start: what the figures of local rates measure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import margin_projection as mp

BOUNDS = ("theorem", "proposition_12", "sharp", "limit")
OPTIONS: dict[str, Any] = {"starts": 1, "tolerance": 1e-14}  # of every projection
_SHARE = 0.9  # of the granted radius at which runs start
_RADIUS = 0.05  # of the report's ball, relative to ||theta*||; the basin looks at smaller ones, too


class Problem(NamedTuple):
    """Two tasks, a point theta* of C*, and the direction in which runs start from it."""

    model: mp.networks.Model
    tasks: list[mp.Task]
    theta: np.ndarray
    direction: np.ndarray


class Measured(NamedTuple):
    """A cyclic run from a granted start, and what is predicted and observed."""

    report: mp.RegularityReport
    radius: float
    start: np.ndarray
    run: mp.Trajectory
    observed: mp.rates.ObservedRate
    comparisons: list[mp.rates.RateComparison]


def taught(model: mp.networks.Model, samples: int, seed: int) -> Problem:
    """Regression tasks labelled by a teacher, which is theta*; a random direction."""
    tasks, teacher = mp.tasks.teacher_tasks(model, 2, samples, seed=seed, kind="regression")
    return Problem(model, tasks, teacher, np.random.default_rng(seed).standard_normal(teacher.size))


def projected(model: mp.networks.Model, tasks: list[mp.Task], seed: int) -> Problem:
    """theta* is the projection of a random initialization onto C*, the direction that of the initialization.

    Raises:
        ProjectionError: no point of C* is found.
    """
    start = model.initialize(seed, scale=0.5)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    theta = mp.project(start, joint, starts=1).point
    return Problem(model, tasks, theta, start - theta)


def classified(model: mp.networks.Model, samples: int, seed: int) -> Problem:
    """Classification tasks of a teacher, and the projection of a random initialization."""
    return projected(model, mp.tasks.teacher_tasks(model, 2, samples, seed)[0], seed)


def digits(width: int, samples: int, seed: int, kind: str) -> Problem:
    """0 against 1, then 2 against 3, by a network with squared ReLU."""
    network = mp.networks.FullyConnected((64, width, 1), "squared_relu")
    return projected(network, mp.tasks.digits([(0, 1), (2, 3)], samples, seed, kind), seed)


def measure(problem: Problem, cycles: int) -> Measured:
    """The run from within the basin that is granted for cyclic orderings (at theta* itself where none is)."""
    model, tasks, theta, direction = problem
    report = mp.regularity(model, tasks, theta, _RADIUS * float(np.linalg.norm(theta)), draws=0)
    radius = _SHARE * report.basin_cyclic.radius
    start = theta + radius * direction / np.linalg.norm(direction)
    run = mp.sequential_projections(model, tasks, start=start, num_steps=2 * cycles, **OPTIONS)
    observed = mp.observed_rate(run)
    predictions = [mp.predicted_rate(report, "cyclic", bound) for bound in BOUNDS]
    comparisons = mp.compare_rates(observed, predictions, start_distance=radius)
    return Measured(report, radius, start, run, observed, comparisons)


def comparison_rows(comparisons: list[mp.rates.RateComparison]) -> list[dict[str, Any]]:
    """The comparisons as plain values."""
    return [
        {"bound": each.prediction.bound, "per_cycle": each.prediction.per_cycle, "status": each.status.name,
         "prediction": each.prediction.status.name, "ratio": each.ratio, "granted": each.granted,
         "worst_excess": each.worst_excess} for each in comparisons
    ]  # fmt: skip

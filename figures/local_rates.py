"""Local linear convergence: d(theta_k, C*) over k against the paper's bound and the sharp one, cyclic and random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.rate_problems import OPTIONS, Problem, classified, comparison_rows, digits, measure, taught
from figures.style import BLACK, BLUE, GREEN, GREY, PAGE, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection._validation import check_choice
from margin_projection.networks.base import Structure
from margin_projection.tasks import orderings

NAME = "local_rates"
LINES: dict[str, tuple[str, Any, str]] = {
    "theorem": (GREY, ":", "Theorems 6 and 15, as printed"),
    "sharp": (VERMILLION, "-", "sharp bound, cyclic"),
    "limit": (GREEN, "--", "its limit as the ball shrinks"),
}
CAPTION = """
Local linear convergence for two tasks: (a) to (d) classification, (e) to (h) regression, from a start inside the basin
that is granted for cyclic orderings about a point theta* of C*. Columns: a linear model, the squared linear model, a
deep linear network (three layers), a squared ReLU network on handwritten digits. In classification, and for the digits,
theta* is the projection of a random initialization, and the start lies on the segment to it, so that theta* is nearest;
elsewhere theta* is the teacher and the direction random. Marks: d(theta_k, C*) at the ends of cycles; crosses: the root
of the mean of d^2 over independent random orderings ({seeds} for linear and squared linear models, {few} else). Lines:
the paper's bound (with the local G of the ball), the bounds proved here for cyclic orderings (from the end of the first
cycle on) and for random ones, and the cyclic one's limit as the ball shrinks to theta*. For (e) the sharp bound is
exact: cos^2 of the Friedrichs angle a cycle. Distances of (c), (d), (g) and (h) are those of local projections.
"""


def compute(
    seeds: int = 20, cycles: int = 12, problems: Sequence[str] = (), progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Runs and bounds of the eight problems.

    Args:
        seeds: random orderings, for the models whose projections are exact (default 20); a quarter for the others.
        cycles: of both tasks (default 12).
        problems: names of some of them, such as "regression, digits" (default: all).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, "few" (orderings for the other models), and "cases": for each kind and model the distances, the
        predictions and the comparisons (see `mp.rates`).

    Raises:
        InputError: an unknown problem.
    """
    cases: dict[str, Any] = {}
    few, known = max(1, seeds // 4), _problems()
    builders = {check_choice("problems", name, known): known[name] for name in problems or known}
    for done, (name, build) in enumerate(builders.items(), start=1):
        problem = build()
        cases[name] = _case(problem, cycles, few if problem.model.structure is Structure.GENERAL else seeds)
        if progress is not None:
            progress(done / len(builders))
    return {"seeds": seeds, "few": few, "cycles": cycles, "cases": cases}


def _problems() -> dict[str, Callable[[], Problem]]:
    linear, squared = mp.networks.Linear(8), mp.networks.SquaredLinear(5)
    deep = mp.networks.FullyConnected((5, 4, 4, 1), "identity")
    return {
        "classification, linear model": lambda: classified(linear, 3, 1),
        "classification, squared linear model": lambda: classified(squared, 3, 0),
        "classification, deep linear": lambda: classified(deep, 3, 1),
        "classification, digits": lambda: digits(8, 4, 3, "classification"),
        "regression, linear model": lambda: taught(linear, 2, 3),
        "regression, squared linear model": lambda: taught(squared, 1, 10),
        "regression, deep linear": lambda: taught(deep, 2, 1),
        "regression, digits": lambda: digits(8, 4, 0, "regression"),
    }


def _case(problem: Problem, cycles: int, seeds: int) -> dict[str, Any]:
    model, tasks, theta, _ = problem
    report, radius, start, run, observed, comparisons = measure(problem, cycles)
    runs = [
        mp.sequential_projections(model, tasks, orderings.iid(k), start, num_steps=2 * cycles, **OPTIONS)
        for k in range(seeds)
    ]
    random = mp.predicted_rate(report, "random", "sharp")
    means = np.sqrt(np.mean([each.joint_distances[0] ** 2 for each in runs], axis=0))
    return {
        "distances": run.joint_distances[0], "lower_bounds": run.joint_lower_bounds[0], "random_distances": means,
        "status": observed.status.name, "certified": observed.certified, "noise": observed.noise_floor,
        "observed": None if observed.rate is None else observed.rate.per_cycle, "radius": radius,
        "norm": float(np.linalg.norm(theta)), "random_bound": random.per_step, "random_status": random.status.name,
        "farthest": float(np.linalg.norm(run.points[0] - theta, axis=1).max()), "ball": report.radius,
        "comparisons": comparison_rows(comparisons),
    }  # fmt: skip


def draw(data: Mapping[str, Any]) -> Figure:
    """One panel a problem, classification above."""
    with style():
        figure = new_figure(PAGE, 4.4)
        panels = figure.subplots(2, 4)
        for axes, letter, name in zip(panels.ravel(), "abcdefgh", _problems(), strict=True):
            panel_title(axes, letter, name.split(", ")[1])
            if name in data["cases"]:
                _panel(axes, data["cases"][name])
        for axes in panels[-1]:
            axes.set_xlabel("step $k$")
        for axes, kind in zip(panels[:, 0], ("classification", "regression"), strict=True):
            axes.set_ylabel(rf"{kind}: $d(\theta_k, C^*)$")
        handles, labels = next(axes for axes in panels.ravel() if axes.lines).get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=1.6)
    return figure


def _panel(axes: Axes, case: Mapping[str, Any]) -> None:
    distances = np.asarray(case["distances"])
    ends = np.arange(0, distances.size, 2)
    shown = ends[distances[ends] > case["noise"]]
    axes.plot(shown, distances[shown], color=BLUE, marker="o", linestyle="none", label="cyclic, ends of cycles")
    random = np.asarray(case["random_distances"])
    kept = np.flatnonzero(random > case["noise"])
    marks: Any = {"color": BLACK, "marker": "x", "markersize": 2.5, "linestyle": "none"}
    axes.plot(kept, random[kept], label="random, root mean", **marks)
    bound = random[0] * case["random_bound"] ** np.arange(random.size)
    axes.plot(bound, color=BLACK, linestyle="-.", linewidth=0.7, label="sharp bound, random")
    for each in case["comparisons"]:
        if each["bound"] in LINES and np.isfinite(each["per_cycle"]):
            color, line, label = LINES[each["bound"]]
            axes.plot(ends[1:], distances[2] * each["per_cycle"] ** (ends[1:] / 2 - 1), color=color, linestyle=line,
                      linewidth=0.9, label=label)  # fmt: skip
    bottom = float(distances[shown].min()) if shown.size else 1e-16
    axes.set(yscale="log", ylim=(0.3 * bottom, 3.0 * float(distances.max())))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(seeds=data["seeds"], few=data["few"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

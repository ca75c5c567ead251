"""Algorithm 1 tends to Algorithm 2: scaled iterates over s = log(1/lambda), against the first-order expansion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import margin_projection as mp
from figures.progress import part_of
from figures.style import BLACK, BLUE, GREEN, PAGE, VERMILLION, new_figure, panel_title, save_figure, style

NAME = "vanishing_regularization"
EPS = 0.005
LOOKS = {"linear": (BLUE, "o"), "squared linear": (VERMILLION, "s"), "depth 3": (GREEN, "^")}
TITLES = {"linear": "linear, $r = 1$", "squared linear": "squared linear, $r = 2$", "depth 3": "deep linear, $r = 3$"}
CAPTION = """
Vanishing regularization: the scaled iterate of Algorithm 1 at lambda = e^(-s) (logistic loss) against the projection
of Algorithm 2 that it tends to, {steps} step(s), far beyond the s of about 745 where lambda underflows. (a) The
distance between both after the first step (marks) and the first-order expansion's (lines). (b) The same times s:
constant for r = 2, growing like log(s) otherwise. (c) What the expansion leaves, over its own length: the next order
(dotted: a line of slope -1). Models: a linear one and a deep linear network of depth 3 with teacher tasks, and the
squared linear model on Theorem 5's pair (eps = {eps}), from 0.
"""


def compute(
    steps: int = 2, largest: float = 1e6, points: int = 31, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """The paths of three models.

    Args:
        steps: of Algorithm 1 (default 2).
        largest: the largest s (default 1e6).
        points: how many s, from 1 on (default 31).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, s (S,), and "paths": for each model errors (T, S), predicted (T, S), remainders (T, S), statuses,
        expansion_statuses, orders, laws, projection_gap: the distance of each limit from `project`'s own point.
    """
    grid = np.geomspace(1.0, largest, points)
    paths = {}
    for done, (name, (model, tasks, start)) in enumerate(_cases().items()):
        path = mp.regularized_path(
            model, tasks, "cyclic", grid, num_steps=steps, start=start, progress=part_of(progress, done, 3)
        )
        paths[name] = _arrays(path, grid)
    return {"steps": steps, "eps": EPS, "log_inverse_lambda": grid, "paths": paths}


def _cases() -> dict[str, tuple[mp.networks.Model, list[mp.Task], np.ndarray | None]]:
    linear, deep = mp.networks.Linear(6), mp.networks.FullyConnected((5, 4, 3, 1), "identity")
    return {
        "linear": (linear, mp.tasks.teacher_tasks(linear, 2, 4, seed=1)[0], None),
        "squared linear": (mp.networks.SquaredLinear(2), mp.tasks.catastrophic_pair(EPS), None),
        "depth 3": (deep, mp.tasks.teacher_tasks(deep, 2, 3, seed=2)[0], deep.initialize(0, scale=0.5)),
    }


def _arrays(path: mp.RegularizedPath, grid: np.ndarray) -> dict[str, Any]:
    law = path.alphas[:, None] * (np.log(grid) / grid)[None, :, None] + path.betas[:, None] / grid[None, :, None]
    differences = path.points - path.limits[:, None]
    return {
        "errors": np.linalg.norm(differences, axis=2),
        "predicted": np.linalg.norm(law, axis=2),
        "remainders": np.linalg.norm(differences - law, axis=2),
        "statuses": path.statuses.tolist(),
        "expansion_statuses": path.expansion_statuses.tolist(),
        "orders": path.orders,
        "reduced_orders": path.reduced_orders,
        "laws": list(path.laws),
        "limits": path.limits,
        "alphas": path.alphas,
        "betas": path.betas,
        "fitted_alphas": path.fitted_alphas,
        "fitted_betas": path.fitted_betas,
    }


def draw(data: Mapping[str, Any]) -> Figure:
    """Errors, errors times s, and what the expansion leaves."""
    s = np.asarray(data["log_inverse_lambda"])
    with style():
        figure = new_figure(PAGE, 2.6)
        left, middle, right = figure.subplots(1, 3)
        for name, path in data["paths"].items():
            color, marker = LOOKS[name]
            errors, law, rest = (np.asarray(path[key])[0] for key in ("errors", "predicted", "remainders"))
            marks: dict[str, Any] = {"color": color, "marker": marker, "markersize": 2.6, "linestyle": "none"}
            shown = errors > 0.0
            left.plot(s[shown], errors[shown], **marks)
            left.plot(s[s > 3.0], law[s > 3.0], color=color, linewidth=0.8, label=TITLES[name])
            middle.plot(s[shown], (errors * s)[shown], **marks)
            middle.plot(s[s > 3.0], (law * s)[s > 3.0], color=color, linewidth=0.8)
            right.plot(s[s > 3.0], (rest / law)[s > 3.0], color=color, marker=marker, markersize=2.6, linewidth=0.6)
        guide = s[s > 10.0]
        right.plot(guide, 10.0 / guide, color=BLACK, linestyle=":", linewidth=0.7)
        titles = ("distance to Algorithm 2's point", "the same times $s$", "left by the expansion, relative")
        for axes, letter, title in zip((left, middle, right), "abc", titles, strict=True):
            axes.set(xscale="log", yscale="log", xlabel=r"$s = \log(1/\lambda)$")
            panel_title(axes, letter, title)
        left.legend(loc="lower left")
    return figure


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(steps=data["steps"], eps=data["eps"])


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

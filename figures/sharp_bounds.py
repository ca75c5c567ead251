"""How much sharper than the paper's the local bounds are, over random instances of digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import margin_projection as mp
from figures.style import BLACK, BLUE, GREEN, PAGE, VERMILLION, new_figure, panel_title, save_figure, style

NAME = "sharp_bounds"
KINDS = ("linear", "squared_relu", "relu")
LOOKS = {"linear": (BLUE, "-"), "squared_relu": (VERMILLION, "--"), "relu": (GREEN, "-.")}
RADIUS = 1e-4
CAPTION = """
Sharp against printed bounds at points of C* for digits: two random pairs of digits, {samples} images each, {count}
instances of a linear model, and of networks (64, {width}, 1) with squared ReLU and ReLU; theta* is the projection of a
random start onto C*. (a) The distribution of the gain: the paper's kappa = G ||theta*|| / r over the bound from the
best MFCQ margin, both at theta*, G the largest active gradient's norm; it is at least 1 (Theorem 5 of
docs/regularity.md). (b) The margin along theta*, r / ||theta*||, against the best margin over all directions. (c)
Bounds on kappa as the ball shrinks: the largest ratio of distances met (tangent cones, a proved lower bound; points on
kinks are left out) against the sharp bound.
"""


def compute(
    count: int = 12,
    samples: int = 10,
    width: int = 16,
    kinds: Sequence[str] = KINDS,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Reports of regularity at projections onto C*.

    Args:
        count: instances for each kind (default 12).
        samples: images a task (default 10).
        width: hidden units (default 16).
        kinds: "linear", or an activation of a network with one hidden layer.
        seed: of the first instance (default 0).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments and "rows": for each instance its gain, margins, bounds and state; instances whose projection onto
        C* failed have the status alone.
    """
    cases = [(kind, index) for kind in kinds for index in range(count)]
    rows = []
    for done, (kind, index) in enumerate(cases, start=1):
        rows.append({"kind": kind, "instance": index, **_measure(kind, seed + index, samples, width)})
        if progress is not None:
            progress(done / len(cases))
    return {"count": count, "samples": samples, "width": width, "kinds": list(kinds), "seed": seed, "rows": rows}


def _measure(kind: str, seed: int, samples: int, width: int) -> dict[str, Any]:
    digits = np.random.default_rng((seed, 7)).permutation(10)[:4].tolist()
    tasks = mp.tasks.digits([tuple(digits[:2]), tuple(digits[2:])], samples, seed)
    model = mp.networks.Linear(64) if kind == "linear" else mp.networks.FullyConnected((64, width, 1), kind)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    projection = mp.project(model.initialize(seed, scale=0.5), joint, starts=1, throw=False)
    if not projection.status.is_success:
        return {"status": projection.status.name}
    size = float(np.linalg.norm(projection.point))
    report = mp.regularity(model, tasks, projection.point, RADIUS * size, draws=0)
    return {
        "status": projection.status.name,
        "state": report.state.name,
        "gain": report.kappa_gain,
        "margin_along": report.mfcq_along_theta.lower,
        "margin_best": report.mfcq_best.lower,
        "kappa_met": report.kappa_limit.lower,
        "kappa_sharp": report.kappa_limit.upper,
        "kappa_paper": report.paper_limit.kappa,
        "active": [int(each.size) for each in report.active],
        "basin_proved": report.basin_cyclic.radius / size,
        "basin_paper": report.paper_local.delta / size if report.paper_local.delta is not None else 0.0,
    }


def successes(data: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The rows of a kind that have a report."""
    return [row for row in data["rows"] if row["kind"] == kind and "gain" in row]


def draw(data: Mapping[str, Any]) -> Figure:
    """The gain's distribution, the margins and the bounds."""
    with style():
        figure = new_figure(PAGE, 2.5)
        left, middle, right = figure.subplots(1, 3)
        for kind in data["kinds"]:
            rows = successes(data, kind)
            if not rows:
                continue
            color, line = LOOKS[kind]
            gains = np.sort([row["gain"] for row in rows])
            label = kind.replace("_relu", " ReLU").replace("relu", "ReLU")
            left.step(gains, np.arange(1, len(gains) + 1) / len(gains), where="post", color=color, linestyle=line,
                      label=label)  # fmt: skip
            marks: dict[str, Any] = {"color": color, "linestyle": "none", "marker": "o", "markersize": 2.8}
            middle.plot([row["margin_along"] for row in rows], [row["margin_best"] for row in rows], **marks)
            met = [row for row in rows if row["kappa_met"] > 0.0]
            right.plot([row["kappa_met"] for row in met], [row["kappa_sharp"] for row in met], **marks)
        _diagonal(middle)
        _diagonal(right)
        left.set(xlabel="gain", xlim=(1.0, None), ylim=(0.0, 1.03), ylabel="share of instances")
        middle.set(xlabel=r"$r / \|\theta^*\|$", ylabel="best margin")
        right.set(xlabel="largest ratio met", ylabel="sharp bound")
        left.legend()
        titles = (r"gain of the sharp $\kappa$", "MFCQ margins", r"$\kappa$ between its bounds")
        for axes, letter, title in zip((left, middle, right), "abc", titles, strict=True):
            panel_title(axes, letter, title)
    return figure


def _diagonal(axes: Axes) -> None:
    """The line of equality, from 0 on."""
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([0.0, high], [0.0, high], color=BLACK, linewidth=0.5, zorder=0)
    axes.set(xlim=(0.0, None), ylim=(0.0, None))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    return CAPTION.format(**{key: data[key] for key in ("samples", "count", "width")})


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

"""Hessian spectra at task starts, plain training and L2-ER: smoothed densities, and ranks with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from figures.style import BLACK, BLUE, PAGE, VERMILLION, new_figure, panel_title, save_figure, style
from margin_projection import InputError
from margin_projection.curvature import CurvatureProblem, epsilon_rank, hessian_operator, spectral_measure
from margin_projection.curvature.smoothed import smoothed_density, smoothed_epsilon_rank
from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.run import RunSettings, run_stream
from margin_projection.plasticity.streams import build_stream

NAME = "spectra"
METHODS = {"bp": "plain training", "l2_er": "L2-ER"}
_LOOKS = ((BLACK, "-"), (BLUE, "--"), (VERMILLION, "-."))
_SAMPLES, _EPOCHS, _PROBES = 160, 20, 4
_SCALE = 1e-3  # the axis of eigenvalues is linear within, logarithmic beyond
CAPTION = """
Hessians at the starts of tasks (the new task's data, the parameters that the tasks before have left): digits with
random labels, {samples} samples a task, a 64-64 ReLU network with {size} parameters, Adam, {epochs} epochs, seed
{seed}; stochastic Lanczos quadrature of order {order} with {probes} probes. (a), (b): densities, smoothed with a
Gaussian of variance 1e-5 max(1, range) as is published; the peak at 0 is as wide as the kernel. (c), (d): the share of
eigenvalues outside [-eps, eps] over eps, without smoothing: bands are 95 % intervals, in which the randomness of the
probes and the finite order are (where a band is wide, the order does not resolve eps), lines their estimates. Left:
plain training, right: L2-ER.
"""


def compute(
    tasks: Sequence[int] = (0, 20, 59), seed: int = 0, order: int = 120, workers: int = 2,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train both methods, and take the spectra at the starts of the named tasks.

    Args:
        tasks: three ascending indices, the first at least 0 (default 0, 20, 59).
        seed: of the labels, the initialization and the probes (default 0).
        order: Lanczos steps a probe (default 120).
        workers: processes (default 2).
        progress: called with the share done, in (0, 1].

    Returns:
        The arguments, "size" (parameters), the grids "eigenvalues" and "eps", and "spectra": for each method and task
        the density, the kernel's width, share, lower and upper (each over eps), and the extreme Ritz values.

    Raises:
        InputError: the indices are not three ascending ones.
    """
    chosen = list(tasks)
    if len(chosen) != len(_LOOKS) or chosen != sorted(set(chosen)) or chosen[0] < 0:
        raise InputError("tasks", chosen, "three ascending indices of tasks, the first at least 0")
    jobs = (joblib.delayed(_spectra)(method, chosen, seed, order) for method in METHODS)
    spectra: dict[str, Any] = {}
    for method, found in zip(METHODS, joblib.Parallel(n_jobs=workers, return_as="generator")(jobs), strict=True):
        spectra[method] = found
        if progress is not None:
            progress(len(spectra) / len(METHODS))
    return {
        "tasks": chosen, "seed": seed, "order": order, "size": spectra["bp"][0]["size"],
        "eigenvalues": _grid(), "eps": _thresholds(), "spectra": spectra,
    }  # fmt: skip


def _grid() -> np.ndarray:
    positive = np.logspace(np.log10(_SCALE), 2.0, 200)
    return np.concatenate([-positive[::-1], np.linspace(-_SCALE, _SCALE, 41)[1:-1], positive])


def _thresholds() -> np.ndarray:
    return np.logspace(-4, 1, 26)


def _spectra(method: str, tasks: list[int], seed: int, order: int) -> list[dict[str, Any]]:
    """One entry a task; the network of a task's start is the one that the task before has left."""
    torch.set_num_threads(1)
    stream = build_stream("random_label_digits", max(tasks[-1], 1), seed, samples=_SAMPLES)
    later = build_stream("random_label_digits", tasks[-1] + 1, seed, samples=_SAMPLES)  # with the last task's data
    learner = build_learner(method, stream, (64, 64), OptimizerSettings("adam", 1e-3), seed)
    found: list[dict[str, Any]] = []

    def take(index: int) -> None:
        if index in tasks:
            task = later.task(index)
            problem = CurvatureProblem.of(learner.network, nn.CrossEntropyLoss(), (task.X_train, task.y_train))
            found.append(_measured(problem, index, seed, order))

    take(0)
    settings = RunSettings(epochs=_EPOCHS, batch_size=16, spectrum=None)
    if tasks[-1] > 0:
        run_stream(learner, stream, settings, seed, record=lambda row: take(row["task"] + 1))
    return found


def _measured(problem: CurvatureProblem, index: int, seed: int, order: int) -> dict[str, Any]:
    measure = spectral_measure(hessian_operator(problem), order=order, probes=_PROBES, seed=seed)
    ranks = [epsilon_rank(measure, float(eps)) for eps in _thresholds()]
    width = smoothed_epsilon_rank(measure, 0.01).width
    return {
        "task": index, "size": measure.size, "width": width, "density": smoothed_density(measure, _grid(), width),
        "share": [each.share for each in ranks], "lower": [each.lower / measure.size for each in ranks],
        "upper": [each.upper / measure.size for each in ranks],
        "extremes": [min(float(n[0]) for n in measure.nodes), max(float(n[-1]) for n in measure.nodes)],
    }  # fmt: skip


def draw(data: Mapping[str, Any]) -> Figure:
    """Densities above, ranks below."""
    with style():
        figure = new_figure(PAGE, 4.2)
        panels = figure.subplots(2, 2, sharey="row")
        for column, (method, title) in enumerate(METHODS.items()):
            above, below = panels[:, column]
            _densities(above, data, data["spectra"][method])
            _ranks(below, data, data["spectra"][method])
            panel_title(above, "ab"[column], title)
            panel_title(below, "cd"[column], title)
        panels[0, 0].set_ylabel("smoothed density")
        panels[1, 0].set_ylabel("share outside")
        panels[0, 1].legend()
    return figure


def _densities(axes: Axes, data: Mapping[str, Any], found: list[dict[str, Any]]) -> None:
    for (color, line), each in zip(_LOOKS, found, strict=True):
        density = np.maximum(np.asarray(each["density"]), 1e-12)
        axes.plot(data["eigenvalues"], density, color=color, linestyle=line, label=f"task {each['task'] + 1}")
    axes.set_xscale("symlog", linthresh=_SCALE)
    axes.set(yscale="log", ylim=(1e-7, 1e3), xlabel=r"eigenvalue $\lambda$", xlim=(-10.0, 100.0))
    axes.set_xticks([-1.0, -0.01, 0.0, 0.01, 1.0, 100.0])
    axes.minorticks_off()


def _ranks(axes: Axes, data: Mapping[str, Any], found: list[dict[str, Any]]) -> None:
    for (color, line), each in zip(_LOOKS, found, strict=True):
        axes.plot(data["eps"], each["share"], color=color, linestyle=line)
        axes.fill_between(data["eps"], each["lower"], each["upper"], color=color, alpha=0.15, linewidth=0.0)
    axes.set(xscale="log", xlabel=r"$\epsilon$", ylim=(0.0, 1.02))


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    sizes = {"samples": _SAMPLES, "epochs": _EPOCHS, "probes": _PROBES}
    return CAPTION.format(**{name: data[name] for name in ("size", "seed", "order")}, **sizes)


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

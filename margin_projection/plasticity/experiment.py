"""Experiments: every method with every seed, side by side, resumable, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import torch

from margin_projection._files import json_bytes, writable_folder, write_atomically
from margin_projection._validation import InputError, check_integer
from margin_projection.plasticity.configuration import Experiment, MethodSection
from margin_projection.plasticity.learner import Learner
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.run import run_stream
from margin_projection.plasticity.stream import Stream
from margin_projection.plasticity.streams import build_stream
from margin_projection.plasticity.table import write_table

TABLE = "results.parquet"
_CHECKPOINTS, _ABOUT = "checkpoints", "experiment.json"


@dataclass(frozen=True)
class Outcome:
    """One run: its rows (those before a failure, where it failed) and the reason for the failure."""

    method: str
    seed: int
    rows: list[dict[str, Any]]
    failure: str | None = None


def run_experiment(
    experiment: Experiment,
    out: str | Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Run what is not finished yet, and write ``out``/results.parquet.

    Every task of every run ends in a checkpoint, so that a killed experiment goes on where it was; a run that fails
    (its loss is not finite, say) is an outcome with the reason, and the others go on.

    Args:
        experiment: see `load_experiment`.
        out: a folder, made where it is not there. It belongs to one experiment.
        workers: processes, at least 1 (default 1).
        progress: called with (finished runs, all runs).

    Returns:
        The outcomes, methods in the order of the configuration, seeds within.

    Raises:
        InputError: a setting is unknown or out of range, or the folder cannot be written to or belongs to another
            experiment; nothing has run then.
    """
    check_integer("workers", workers, 1)
    for method in experiment.methods:
        _learner(experiment, method, experiment.seeds[0])  # what cannot be built is told before anything runs
    folder = writable_folder("out", Path(out) / _CHECKPOINTS)
    _claim(Path(out) / _ABOUT, experiment)
    cells = [(method, seed) for method in experiment.methods for seed in experiment.seeds]
    jobs = (joblib.delayed(_run)(experiment, method, seed, folder) for method, seed in cells)
    found: dict[tuple[str, int], Outcome] = {}
    if progress is not None:
        progress(0, len(cells))
    for outcome in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
        found[outcome.method, outcome.seed] = outcome
        if progress is not None:
            progress(len(found), len(cells))
    outcomes = [found[method.title, seed] for method, seed in cells]
    write_table(Path(out) / TABLE, [row for outcome in outcomes for row in outcome.rows])
    return outcomes


def _claim(path: Path, experiment: Experiment) -> None:
    """Write the experiment down in its folder; one that is there already must be the same."""
    description = json_bytes(experiment.model_dump())
    if path.exists() and path.read_bytes() != description:
        raise InputError("out", str(path.parent), "a folder of this experiment (its experiment.json is another one's)")
    write_atomically(path, description)


def _learner(experiment: Experiment, method: MethodSection, seed: int) -> tuple[Learner, Stream]:
    stream = build_stream(experiment.stream.name, experiment.stream.num_tasks, seed, **experiment.stream.settings)
    hidden = tuple(experiment.training.hidden)
    return build_learner(method.name, stream, hidden, experiment.optimizer(method), seed, **method.settings), stream


def _run(experiment: Experiment, method: MethodSection, seed: int, folder: Path) -> Outcome:
    torch.set_num_threads(1)
    learner, stream = _learner(experiment, method, seed)
    rows: list[dict[str, Any]] = []
    failure = None
    try:
        run_stream(
            learner, stream, experiment.run_settings(), seed,
            checkpoint=folder / f"{method.title}-{seed}.npz", record=rows.append,
        )  # fmt: skip
    except FloatingPointError as error:
        failure = str(error)
    labelled = [{**row, "learner": method.title, "failed": failure is not None} for row in rows]
    return Outcome(method.title, seed, labelled, failure)

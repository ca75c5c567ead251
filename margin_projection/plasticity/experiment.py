"""Experiments: every method with every seed, side by side, resumable, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import torch

from margin_projection._files import writable_folder
from margin_projection._validation import check_integer
from margin_projection.plasticity.configuration import Experiment, MethodSection
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.run import run_stream
from margin_projection.plasticity.streams import build_stream
from margin_projection.plasticity.table import write_table

TABLE = "results.parquet"
_CHECKPOINTS = "checkpoints"


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
        InputError: the folder cannot be written to, or holds another experiment's runs.
    """
    check_integer("workers", workers, 1)
    folder = writable_folder("out", Path(out) / _CHECKPOINTS)
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


def _run(experiment: Experiment, method: MethodSection, seed: int, folder: Path) -> Outcome:
    torch.set_num_threads(1)
    stream = build_stream(experiment.stream.name, experiment.stream.num_tasks, seed, **experiment.stream.settings)
    hidden = tuple(experiment.training.hidden)
    learner = build_learner(method.name, stream, hidden, experiment.optimizer(method), seed, **method.settings)
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

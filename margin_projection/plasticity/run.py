"""One run: a learner meets every task of a stream; a row a task, resumable after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from margin_projection._validation import check_integer
from margin_projection.plasticity.checkpoint import load_checkpoint, save_checkpoint
from margin_projection.plasticity.learner import Learner, correct, data_loss
from margin_projection.plasticity.measurement import SpectrumSettings, spectrum_measurements, unit_measurements
from margin_projection.plasticity.stream import Stream, StreamTask

Row = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RunSettings:
    """How a learner is trained and measured.

    Attributes:
        epochs: passes over each task, at least 1.
        batch_size: samples an update.
        spectrum: None measures no spectra.
        evaluation_samples: of the new task, for units and ranks.
    """

    epochs: int = 1
    batch_size: int = 16
    spectrum: SpectrumSettings | None = field(default_factory=SpectrumSettings)
    evaluation_samples: int = 512

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_integer("evaluation_samples", self.evaluation_samples, 1)


def run_stream(
    learner: Learner,
    stream: Stream,
    settings: RunSettings,
    seed: int,
    *,
    checkpoint: Path | None = None,
    record: Callable[[Row], object] | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Train on every task in turn.

    Args:
        learner: trained in place, from its present state or from the checkpoint's.
        stream: the tasks.
        settings: see there.
        seed: of the order of the samples.
        checkpoint: a file that holds the rows and the state after every task; where it exists, the run goes on from
            it, and the result is the same as without interruption.
        record: called with every row, those of the checkpoint included, as soon as it is there.
        progress: called with (finished tasks, all tasks).

    Returns:
        One row a task: stream, learner, seed, task, online accuracy (over the task's samples as they are met), train
        and test accuracy at its end, losses, and the measurements at its start (spectra every
        ``settings.spectrum.every`` tasks).

    Raises:
        FloatingPointError: training diverged; the rows before are in the checkpoint.
        InputError: the checkpoint is corrupt or belongs to another run.
    """
    rows: list[Row] = []
    if checkpoint is not None and checkpoint.exists():
        rows = load_checkpoint(checkpoint, learner, stream, seed)
    if record is not None:
        for row in rows:
            record(row)
    for index in range(len(rows), stream.num_tasks):
        rows.append(_task(learner, stream, stream.task(index), index, settings, seed))
        if record is not None:
            record(rows[-1])
        if checkpoint is not None:
            save_checkpoint(checkpoint, learner, stream, seed, rows)
        if progress is not None:
            progress(index + 1, stream.num_tasks)
    return rows


def _task(learner: Learner, stream: Stream, task: StreamTask, index: int, settings: RunSettings, seed: int) -> Row:
    begin = time.perf_counter()
    learner.start_task(task)
    row: Row = {"stream": stream.name, "learner": learner.name, "seed": seed, "task": index, "task_name": task.name}
    row |= unit_measurements(learner.network, task.X_train[: settings.evaluation_samples])
    spectrum = settings.spectrum
    if spectrum is not None and index % spectrum.every == 0:
        row |= spectrum_measurements(learner.network, task, stream.kind, spectrum, seed)
    row["loss_start"], row["train_accuracy_start"] = _evaluated(learner, task, train=True)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
    losses, hits, seen = 0.0, 0, 0
    for _ in range(settings.epochs):
        order = torch.randperm(len(task.X_train), generator=generator)
        for chosen in order.split(settings.batch_size):
            loss, right = learner.step(task.X_train[chosen], task.y_train[chosen], task)
            losses, hits, seen = losses + loss * len(chosen), hits + right, seen + len(chosen)
    row["online_loss"], row["online_accuracy"] = losses / seen, hits / seen
    row["loss_end"], row["train_accuracy"] = _evaluated(learner, task, train=True)
    row["test_loss"], row["test_accuracy"] = _evaluated(learner, task, train=False)
    row["seconds"] = time.perf_counter() - begin
    return row


def _evaluated(learner: Learner, task: StreamTask, *, train: bool) -> tuple[float, float]:
    X, y = (task.X_train, task.y_train) if train else (task.X_test, task.y_test)
    with torch.no_grad():
        outputs = learner.network(X)
        return float(data_loss(learner.kind, outputs, y, task)), correct(learner.kind, outputs, y, task) / len(X)

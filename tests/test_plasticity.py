"""Streams, learners and resumable runs."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch

from margin_projection import InputError
from margin_projection.curvature import effective_rank
from margin_projection.plasticity.comparison import paired
from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import LEARNERS, build_learner
from margin_projection.plasticity.run import RunSettings, run_stream
from margin_projection.plasticity.streams import build_stream
from margin_projection.plasticity.streams.image_files import read_idx

SETTINGS = RunSettings(epochs=1, batch_size=16, spectrum=None)


def stream(num_tasks: int = 3):
    return build_stream("random_label_digits", num_tasks, 0, samples=48)


def learner(name: str):
    return build_learner(name, stream(), (16, 16), OptimizerSettings("adam", 1e-3), 0)


def without_time(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_resumed_run_equals_an_uninterrupted_one(name, tmp_path):
    whole = run_stream(learner(name), stream(), SETTINGS, 0)
    stopped = learner(name)

    def stop(row):
        if row["task"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stream(stopped, stream(), SETTINGS, 0, checkpoint=tmp_path / "run.npz", record=stop)
    resumed = run_stream(learner(name), stream(), SETTINGS, 0, checkpoint=tmp_path / "run.npz")
    assert without_time(resumed) == without_time(whole)


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    run_stream(learner("bp"), stream(), SETTINGS, 0, checkpoint=tmp_path / "run.npz")
    with pytest.raises(InputError, match="of the run"):
        run_stream(learner("l2"), stream(), SETTINGS, 0, checkpoint=tmp_path / "run.npz")
    (tmp_path / "run.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="checkpoint"):
        run_stream(learner("bp"), stream(), SETTINGS, 0, checkpoint=tmp_path / "run.npz")


def test_the_rank_step_raises_the_effective_rank():
    still = OptimizerSettings("sgd", 1e-9)
    found = build_learner("er", stream(), (16, 16), still, 0, er_batch=1, er_step=5, er_lr=0.05)
    task = stream().task(0)

    def rank():
        return float(effective_rank(found.network.with_features(task.X_train)[1][0].detach()))

    before = rank()
    found.step(task.X_train, task.y_train, task)
    assert rank() > before


def test_redo_replaces_dead_units_and_nothing_else():
    found = build_learner("redo", stream(), (16, 16), OptimizerSettings("sgd", 1e-9), 0, period=1, threshold=0.0)
    task, (first, second) = stream().task(0), list(found.network.hidden_layers())
    with torch.no_grad():
        first.incoming.bias[3] = -100.0
    features = found.network.with_features(task.X_train)[1]
    dead, dead_later = ((each == 0.0).all(0) for each in features)
    before = first.incoming.weight.detach().clone()
    found.step(task.X_train, task.y_train, task)
    changed = (first.incoming.weight.detach() - before).abs().amax(1) > 1e-6
    assert bool(dead[3]) and changed.tolist() == dead.tolist()
    assert float(first.incoming.bias[3].detach()) == 0.0
    assert float(second.incoming.weight.detach()[~dead_later, 3].abs().max()) == 0.0


def test_damaged_idx_files_are_refused(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    data = bytes([0, 0, 8, 2]) + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + array.tobytes()
    (tmp_path / "good").write_bytes(gzip.compress(data))
    assert (read_idx(tmp_path / "good") == array).all()
    (tmp_path / "short").write_bytes(data[:-1])
    with pytest.raises(InputError, match="whole IDX file"):
        read_idx(tmp_path / "short")


def test_paired_comparison_by_hand():
    found = paired("a - b", {0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 0.0, 2: 0.0})
    assert found.p_value == pytest.approx(0.0741799, rel=1e-5)  # t = 2 sqrt(3) at two degrees of freedom
    assert found.mean == 2.0 and found.upper - found.mean == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)

"""Experiments, their tables, what is read off them, and the commands."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from cli_runs import assert_refused, invoke

from margin_projection import InputError
from margin_projection.plasticity.association import association, lag
from margin_projection.plasticity.comparison import compare_methods, plasticity_losses
from margin_projection.plasticity.configuration import read_experiment
from margin_projection.plasticity.experiment import run_experiment
from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.measurement import SpectrumSettings, spectrum_measurements
from margin_projection.plasticity.streams import STREAMS, build_stream
from margin_projection.plasticity.table import read_table

OWN_FILES = {"permuted_mnist", "incremental_cifar100"}
CONFIGURATION = """
seeds = [0, 1]
[stream]
name = "random_label_digits"
num_tasks = 4
settings = { samples = 32 }
[training]
hidden = [8]
epochs = 1
[spectrum]
every = 2
samples = 32
order = 5
probes = 2
[[methods]]
name = "bp"
[[methods]]
name = "l2_er"
settings = { er_batch = 2 }
"""


def experiment(**changes):
    values = {
        "stream": {"name": "random_label_digits", "num_tasks": 3, "settings": {"samples": 32}},
        "methods": [{"name": "bp"}],
        "seeds": [0],
        "training": {"hidden": [8]},
        "spectrum": {"every": 0},
    }
    return read_experiment({**values, **changes})


@pytest.mark.parametrize("name", sorted(set(STREAMS) - OWN_FILES))
def test_streams_are_the_same_whenever_asked(name):
    stream = build_stream(name, 7, 3)
    first, again, other = stream.task(5), stream.task(5), stream.task(6)
    assert torch.equal(first.X_train, again.X_train) and torch.equal(first.y_test, again.y_test)
    differs = first.X_train.shape != other.X_train.shape or not torch.equal(first.X_train, other.X_train)
    assert differs or not torch.equal(first.y_train, other.y_train)
    if stream.kind == "classification":
        assert set(first.y_train.tolist()) <= set(first.active_outputs)


def test_spectra_of_tasks_with_some_of_the_classes_are_finite():
    stream = build_stream("class_incremental_digits", 5, 0)
    learner = build_learner("bp", stream, (8,), OptimizerSettings(), 0)
    settings = SpectrumSettings(samples=32, order=5, probes=2)
    found = spectrum_measurements(learner.network, stream.task(0), stream.kind, settings, 0)
    assert all(np.isfinite(value) for value in found.values())
    assert found["epsilon_rank_lower"] <= found["epsilon_rank"] <= found["epsilon_rank_upper"]


def test_a_folder_belongs_to_one_experiment(tmp_path):
    run_experiment(experiment(), tmp_path)
    assert len(read_table(tmp_path / "results.parquet")) == 3
    with pytest.raises(InputError, match="another one's"):
        run_experiment(experiment(training={"hidden": [8], "epochs": 2}), tmp_path)


def test_a_run_that_diverges_is_an_outcome_and_loses_no_other(tmp_path):
    methods = [{"name": "bp"}, {"name": "bp", "label": "hot", "rate": 1e200}]
    training = {"hidden": [8], "optimizer": "sgd", "rate": 1e-2}
    fine, hot = run_experiment(experiment(methods=methods, training=training), tmp_path)
    assert fine.failure is None and len(fine.rows) == 3
    assert hot.failure is not None and "lower the learning rate" in hot.failure


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": [{"name": "bq"}]}, "methods.0.name"),
        ({"methods": [{"name": "bp"}, {"name": "bp"}]}, "labels"),
        ({"stream": {"name": "nothing", "num_tasks": 3}}, "stream.name"),
        ({"seeds": [-1]}, "seeds"),
    ],
)
def test_bad_configurations_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        experiment(**changes)


def test_settings_of_methods_are_checked_before_anything_runs(tmp_path):
    methods = [{"name": "bp"}, {"name": "redo", "settings": {"priod": 3}}]
    with pytest.raises(InputError, match="redo"):
        run_experiment(experiment(methods=methods), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def rows_of(series, seeds=4, method="bp"):
    """Rows of runs whose columns are given functions of (task, seed)."""
    return [
        {"learner": method, "seed": seed, "task": task, **{name: f(task, seed) for name, f in series.items()}}
        for seed in range(seeds)
        for task in range(60)
    ]


def test_lag_finds_which_falls_first():
    rows = rows_of({"rank": lambda t, s: float(t < 20 + s), "accuracy": lambda t, s: float(t < 28 + s)})
    found = lag(rows, "rank", "accuracy")
    assert found.lags == (8.0,) * 4 and found.mean == 8.0 and found.p_first_leads == pytest.approx(1 / 16)
    assert lag(rows, "accuracy", "rank").mean == -8.0
    steady = rows_of({"rank": lambda t, s: 1.0, "accuracy": lambda t, s: float(t < 28)})
    assert lag(steady, "rank", "accuracy").without_fall == 4


def test_association_of_exact_and_of_no_relation():
    rng = np.random.default_rng(0)
    rows = rows_of({"x": lambda t, s: float(rng.random()), "noise": lambda t, s: float(rng.random())})
    for row in rows:
        row["line"] = 3.0 - 2.0 * row["x"]
    exact, none = association(rows, "x", "line"), association(rows, "x", "noise")
    assert exact.r_squared == pytest.approx(1.0) and exact.rank_correlation == pytest.approx(-1.0)
    assert none.rank_interval[0] < 0.1 and none.r_squared < 0.1 and none.runs == 4
    with pytest.raises(InputError, match="varying"):
        association(rows_of({"x": lambda t, s: 1.0, "y": lambda t, s: float(t)}), "x", "y")


def test_comparisons_are_paired_over_seeds():
    rows = rows_of({"online_accuracy": lambda t, s: 0.1 * s + (0.5 if t < 30 else 0.2)})
    rows += rows_of({"online_accuracy": lambda t, s: 0.1 * s + 0.5 + 0.001 * s}, method="better")
    (found,) = compare_methods(rows)
    assert found.mean == pytest.approx(0.3015) and found.lower > 0.29 and found.p_value < 1e-6
    losses = plasticity_losses(rows)
    assert losses["bp"].mean == pytest.approx(-0.3) and losses["better"].mean == pytest.approx(0.0)


def test_commands_run_a_configuration_and_show_its_table(tmp_path):
    (tmp_path / "run.toml").write_text(CONFIGURATION)
    out = tmp_path / "out"
    ran = invoke("plasticity", "run", str(tmp_path / "run.toml"), "--out", str(out), "--workers", "1")
    assert ran.exit_code == 0, ran.output
    results, picture = out / "results.parquet", tmp_path / "p.png"
    shown = invoke("plasticity", "table", str(results), "--window", "2", "--plot", str(picture))
    assert shown.exit_code == 0 and "l2_er" in shown.output and picture.stat().st_size > 1000
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    assert_refused(invoke("plasticity", "table", str(tmp_path / "bad.parquet")), "table of results")
    (tmp_path / "run.toml").write_text(CONFIGURATION.replace("epochs = 1", "epochs = 0"))
    assert_refused(invoke("plasticity", "run", str(tmp_path / "run.toml"), "--out", str(out)), "training.epochs")


def test_the_spectrum_command(tmp_path):
    (tmp_path / "nets.py").write_text(
        "import torch\ndef make():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))\n"
    )
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", X=rng.standard_normal((20, 4)), y=rng.integers(0, 3, 20))
    options = ["--module", f"{tmp_path / 'nets.py'}:make", "--data", str(tmp_path / "data.npz"), "--order", "10"]
    shown = invoke("spectrum", *options, "--json", str(tmp_path / "s.json"), "--plot", str(tmp_path / "s.png"))
    assert shown.exit_code == 0, shown.output
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["num_parameters"] == 43 and report["epsilon_rank"]["lower"] <= report["epsilon_rank"]["upper"]
    assert (tmp_path / "s.png").stat().st_size > 1000
    assert_refused(invoke("spectrum", *options, "--loss", "hinge"), "--loss")
    assert_refused(invoke("spectrum", *options, "--eps", "0"), "eps")
    np.savez(tmp_path / "data.npz", X=rng.standard_normal((20, 7)), y=rng.integers(0, 3, 20))
    assert_refused(invoke("spectrum", *options), "do not fit together")

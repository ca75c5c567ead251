"""Every benchmark runs in its smallest configuration, and its callbacks are right; its times mean nothing here."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.__main__ import NAMES
from benchmarks.callbacks import Callbacks
from benchmarks.comparison import RELATIVE, Ours, Pair, distance_row
from benchmarks.report import as_table, write_json
from benchmarks.row import Row, at_most, faster
from benchmarks.settings import Settings
from margin_projection import tasks
from margin_projection.networks import FullyConnected

ROUNDING = 1e-13  # relative to numbers of size one


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_runs(name: str) -> None:
    rows = importlib.import_module(f"benchmarks.{name}").run(Settings(tiny=True, threads=1), lambda line: None)
    assert rows
    for row in rows:
        assert row.name and row.requirement
        assert row.ours is not None or "note" in row.details
        json.dumps(row.as_json(), allow_nan=False)


@pytest.mark.parametrize("activation", ["relu", "squared_relu"])
def test_callbacks_agree_with_the_model(activation: str) -> None:
    model = FullyConnected((64, 5, 1), activation)
    (task,) = tasks.digits(samples=7, seed=2)
    theta, start = model.initialize(3), model.initialize(4)
    callbacks = Callbacks(model, task, start)
    line = model.linearize(torch.as_tensor(theta), torch.as_tensor(task.X.copy()))
    np.testing.assert_allclose(callbacks.constraints(theta), task.y * line.values.numpy() - 1, rtol=0, atol=ROUNDING)
    expected = task.y[:, None] * line.jacobian().numpy()
    np.testing.assert_allclose(callbacks.jacobian(theta), expected, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(callbacks.gradient(theta), theta - start)
    assert callbacks.objective(theta) == pytest.approx(0.5 * callbacks.distance(theta) ** 2)


def test_callbacks_notice_a_point_changed_in_place() -> None:
    model = FullyConnected((64, 3, 1), "relu")
    (task,) = tasks.digits(samples=4)
    callbacks, theta = Callbacks(model, task, model.initialize(0)), model.initialize(1)
    callbacks.constraints(theta)
    theta *= 2.0
    np.testing.assert_allclose(callbacks.constraints(theta), task.y * model(theta, task.X) - 1.0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("peer_seconds", "capped", "met"), [(30.0, 0, True), (10.0, 0, False), (10.0, 3, None), (30.0, 3, True)]
)
def test_a_capped_peer_decides_nothing_against_us(peer_seconds: float, capped: int, met: bool | None) -> None:
    row = faster("x", 1.0, peer_seconds, 20.0, capped=capped)
    assert row.met is met
    assert row.details["ratio_in_words"].startswith(">=") is (capped > 0)


def _pair(excess: float, success: bool = True) -> Pair:
    ours = Ours(0, 1.0, 1.0, success, "LOCAL", 0.0, 0.0, 10.0)
    return Pair(ours, 1.0, 1.0, 0.0, "", False, excess)


@pytest.mark.parametrize(
    ("pairs", "met"),
    [
        ([_pair(0.0), _pair(-0.1)], True),
        ([_pair(0.0), _pair(2 * RELATIVE)], False),
        ([_pair(-0.1), _pair(-0.1, success=False)], False),
        ([_pair(-0.1), _pair(float("nan"))], None),
        ([_pair(float("nan")), _pair(0.1)], False),
    ],
)
def test_a_peer_without_a_feasible_point_proves_nothing(pairs: list[Pair], met: bool | None) -> None:
    assert distance_row("x", pairs, 1.0).met is met


def test_json_is_written_whole(tmp_path: Path) -> None:
    missing_peer = Row("b", "", None, None, None, "none", None, {"note": "n"})
    rows = [at_most("a", "s", 1.0, 2.0, {"far": float("inf")}), missing_peer]
    target = tmp_path / "new" / "rows.json"
    write_json(target, rows, Settings(quick=True))
    content = json.loads(target.read_text(encoding="utf-8"))
    assert [row["met"] for row in content["rows"]] == [True, None]
    assert content["rows"][0]["details"]["far"] == "inf"
    assert [path.name for path in target.parent.iterdir()] == ["rows.json"]
    assert as_table(rows).row_count == 2

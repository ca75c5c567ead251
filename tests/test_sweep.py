"""Sweeps: grids, resuming after a kill, failing and killing cases, stores and schedulers that are wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from margin_projection import InputError
from margin_projection.cli.errors import BadInput
from margin_projection.cli.sweep.case import run_case
from margin_projection.cli.sweep.cluster import reason_of
from margin_projection.cli.sweep.grid import read_sweep
from margin_projection.cli.sweep.run import run_missing
from margin_projection.cli.sweep.store import Store

GRID = """
kind = "trajectory"
[base.model]
kind = "squared_linear"
[base.tasks]
source = "catastrophic_pair"
[base.start]
kind = "normal"
[base.trajectory]
num_steps = {steps}
[grid]
"start.seed" = {seeds}
"start.scale" = [0.5, 1.0]
"""


def written(folder, text):
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def cases(tmp_path):
    return read_sweep(written(tmp_path, GRID.format(steps=4, seeds=[0, 1, 2])))


def results(store, cases):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in store.rows(cases)]


def undisturbed(cases, path):
    """A store of the same cases, run here one after the other."""
    store = Store(path)
    for case in cases:
        store.add(case, run_case(case.identifier, case.kind, case.table))
    return store


def test_the_grid(cases):
    assert len(cases) == len({case.identifier for case in cases}) == 6
    assert cases[1].values == {"start.seed": 0, "start.scale": 1.0}
    assert cases[5].table["start"] == {"kind": "normal", "seed": 2, "scale": 1.0}


def test_side_by_side_and_nothing_twice(cases, tmp_path):
    store = Store(tmp_path / "store.sqlite")
    run_missing(cases[:4], store, workers=1)
    before = {row["identifier"]: row["seconds"] for row in store.rows(cases[:4])}
    seen = []
    run_missing(cases, store, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (4, 6) and seen[-1] == (6, 6)
    rows = store.rows(cases)
    assert [row["status"] for row in rows] == ["done"] * 6
    assert all(row["seconds"] == before[row["identifier"]] for row in rows[:4])  # they were not run again
    alone = undisturbed(cases, tmp_path / "whole.sqlite")
    assert [row["worst_forgetting"] for row in rows] == [row["worst_forgetting"] for row in alone.rows(cases)]


def test_results_do_not_hide_whether_a_case_is_done(tmp_path):
    text = GRID.format(steps=12, seeds=[0]).replace('kind = "trajectory"', 'kind = "rate"')
    cases, store = read_sweep(written(tmp_path, text)), Store(tmp_path / "store.sqlite")
    run_missing(cases, store, workers=1)
    assert [(row["status"], row["observed"]) for row in store.rows(cases)] == [("done", "UNDECIDED")] * 2
    store.add(cases[0], {"identifier": cases[0].identifier, "status": "failed", "result": {"status": "odd"},
                         "reason": "x", "seconds": 0.0})  # fmt: skip
    row = store.rows(cases)[0]
    assert (row["status"], row["result.status"], row["reason"]) == ("failed", "odd", "x")


def test_a_failing_case_is_a_row_with_its_reason(tmp_path):
    kinds = '"model.kind" = ["squared_linear", "x"]'
    text = GRID.format(steps=2, seeds=[0]).replace('"start.scale" = [0.5, 1.0]', kinds)
    cases, store = read_sweep(written(tmp_path, text)), Store(tmp_path / "store.sqlite")
    run_missing(cases, store, workers=1)
    good, bad = store.rows(cases)
    assert (good["status"], bad["status"]) == ("done", "failed")
    assert "model.kind must be one of" in bad["reason"]


@pytest.mark.filterwarnings("ignore")  # whatever a cluster says while it closes
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_a_case_that_kills_its_worker_is_found(tmp_path, backend):
    pytest.importorskip("distributed")  # its settings must be there before one of them is changed
    dask = pytest.importorskip("dask")
    (tmp_path / "deadly.py").write_text("import os\ndef make():\n    os._exit(9)\n", encoding="utf-8")
    text = f"""
kind = "diagnosis"
[base.tasks]
source = "digits"
samples = 4
[grid]
model = [{{kind = "module", path = "{tmp_path}/deadly.py:make"}}, {{kind = "linear"}}]
"""
    cases, store = read_sweep(written(tmp_path, text)), Store(tmp_path / "store.sqlite")
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):  # three are the default
        run_missing(cases, store, workers=2, backend=backend)
    deadly, other = store.rows(cases)
    assert deadly["status"] == "failed" and "the worker process died" in deadly["reason"]
    assert other["status"] in ("done", "failed") and "died" not in other["reason"]


def test_a_killed_sweep_goes_on(tmp_path):
    path = written(tmp_path, GRID.format(steps=50, seeds=list(range(4))))
    options = ["--workers", "1", "-q", "--store"]
    command = [sys.executable, "-m", "margin_projection.cli.main", "sweep", str(path), *options]
    store = tmp_path / "killed.sqlite"
    process = subprocess.Popen([*command, str(store)])
    for _ in range(2400):
        time.sleep(0.05)
        if store.exists() and _count(store) >= 2:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = _count(store)
    assert done >= 2
    assert subprocess.run([*command, str(store)], check=False).returncode == 0
    cases = read_sweep(path)
    whole = undisturbed(cases, tmp_path / "whole.sqlite")
    assert results(Store(store), cases) == results(whole, cases)


def _count(path):
    try:
        with sqlite3.connect(path) as connection:
            return connection.execute("select count(*) from cases").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.filterwarnings("ignore")  # whatever a cluster says while it closes
@pytest.mark.parametrize("workers", [1, 2])
def test_dask_workers(cases, tmp_path, workers):
    pytest.importorskip("distributed")
    store = Store(tmp_path / "dask.sqlite")
    run_missing(cases, store, workers=workers, backend="dask")
    assert results(store, cases) == results(undisturbed(cases, tmp_path / "whole.sqlite"), cases)


def test_reasons_of_cases_without_an_outcome():
    distributed = pytest.importorskip("distributed")
    assert "died" in reason_of(distributed.KilledWorker("case", None, 3))
    assert reason_of(ModuleNotFoundError("no margin_projection")) == "ModuleNotFoundError: no margin_projection"


@pytest.mark.filterwarnings("ignore")  # whatever a cluster says while it closes
def test_a_cluster_that_goes_away_is_told_and_the_sweep_goes_on_elsewhere(tmp_path):
    distributed = pytest.importorskip("distributed")
    cases = read_sweep(written(tmp_path, GRID.format(steps=60, seeds=list(range(4)))))
    store = Store(tmp_path / "store.sqlite")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")

    def close(done, total):
        if done == 2:
            cluster.close()

    with pytest.raises(BadInput, match="scheduler has gone"):
        run_missing(cases, store, backend="dask", scheduler=cluster.scheduler_address, progress=close)
    assert sum(row["status"] == "done" for row in store.rows(cases)) >= 2
    run_missing(cases, store, workers=2)
    assert [row["status"] for row in store.rows(cases)] == ["done"] * 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind = 'dance'", "kind must be one of"),
        ("kind = 'rate'\nextra = 1", "extra is no known key"),
        ("kind = 'rate'\n[grid]\nseed = 3", "grid.seed must be a list"),
        ("kind = 'rate'\n[grid]\nseed = []", "grid.seed must be a list"),
        ("kind = ", "not valid TOML"),
    ],
)
def test_bad_files(text, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        read_sweep(written(tmp_path, text))


def test_bad_stores_and_schedulers(cases, tmp_path):
    path = tmp_path / "store.sqlite"
    Store(path)
    with sqlite3.connect(path) as connection:
        connection.execute("update about set value = '99'")
    with pytest.raises(InputError, match="version 1"):
        Store(path)
    (tmp_path / "text").write_text("no database, only words and more words", encoding="utf-8")
    with pytest.raises(InputError, match="readable and writable store"):
        Store(tmp_path / "text")
    with pytest.raises(InputError, match="store"):
        Store(tmp_path / "nowhere" / "store.sqlite")
    with pytest.raises(BadInput, match="--scheduler needs"):
        run_missing(cases, Store(tmp_path / "new.sqlite"), scheduler="tcp://127.0.0.1:1")


@pytest.mark.filterwarnings("ignore")
def test_a_killed_dask_worker_loses_and_doubles_nothing(tmp_path):
    """One of two workers of a cluster is killed while cases run: the rows are those of an undisturbed run."""
    distributed = pytest.importorskip("distributed")
    cases = read_sweep(written(tmp_path, GRID.format(steps=40, seeds=list(range(6)))))
    store = Store(tmp_path / "dask.sqlite")
    killed = []

    def kill_one(done, total):
        if done >= 2 and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        run_missing(cases, store, backend="dask", scheduler=cluster.scheduler_address, progress=kill_one)
    assert killed and len(cases) == 12
    assert results(store, cases) == results(undisturbed(cases, tmp_path / "whole.sqlite"), cases)

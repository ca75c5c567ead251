"""A sweep on a Dask cluster of one and of two local worker processes, beside what two bare processes gain."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib

from benchmarks.row import Row
from benchmarks.settings import Settings
from margin_projection.cli.sweep.case import run_case
from margin_projection.cli.sweep.grid import Case, read_sweep
from margin_projection.cli.sweep.run import run_missing
from margin_projection.cli.sweep.store import Store

TITLE = "sweep of rates"
_GRID = """
kind = "rate"
[base.model]
kind = "squared_linear"
dimension = 10
[base.tasks]
source = "teacher"
num_tasks = 3
samples = 4
[base.start]
kind = "normal"
[base.trajectory]
num_steps = {steps}
[grid]
"start.seed" = {seeds}
"""


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Wall time of the whole command's work, the store included, clusters started and warm; medians over repetitions.

    The machine's own ceiling is the gain of two bare processes (loky, warm) over one with the same cases.
    """
    from distributed import LocalCluster

    count, steps = settings.pick(24, 12, 4), settings.pick(60, 60, 8)
    repetitions = settings.pick(3, 2, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "sweep.toml"
        config.write_text(_GRID.format(steps=steps, seeds=list(range(count))), encoding="utf-8")
        cases = read_sweep(config)
        seconds: dict[str, list[float]] = {}
        options = {"threads_per_worker": 1, "dashboard_address": ":0", "processes": not settings.tiny}
        clusters = {n: LocalCluster(n_workers=n, **options) for n in (1, 2)}
        try:
            for number in range(settings.pick(0, 0, 1), repetitions + 1):  # the first one warms the workers up
                for n, cluster in clusters.items():
                    chosen = cases if number else cases[: 2 * n]
                    taken = _swept(chosen, folder / f"{number}-{n}.sqlite", cluster.scheduler_address)
                    bare = _bare(chosen, n)
                    if number:
                        seconds.setdefault(f"dask {n}", []).append(taken)
                        seconds.setdefault(f"bare {n}", []).append(bare)
                        report(f"{TITLE}: {n} workers, Dask {taken:.1f} s, bare {bare:.1f} s")
        finally:
            for cluster in clusters.values():
                cluster.close()
    medians = {key: statistics.median(each) for key, each in seconds.items()}
    ratio, ceiling = (medians[f"{kind} 1"] / medians[f"{kind} 2"] for kind in ("dask", "bare"))
    details = {"cases": count, "seconds": seconds, "two bare processes over one": ceiling, "cores": os.cpu_count()}
    title = f"{TITLE}, {count} cases: one Dask worker over two (two bare processes: {ceiling:.2f})"
    return [Row(title, "s", medians["dask 2"], medians["dask 1"], ratio, "at least 1.7 times", ratio >= 1.7, details)]


def _swept(cases: Sequence[Case], path: Path, scheduler: str) -> float:
    begin = time.perf_counter()
    store = Store(path)
    run_missing(cases, store, backend="dask", scheduler=scheduler)
    taken = time.perf_counter() - begin
    reasons = [row["reason"] for row in store.rows(cases) if row["status"] != "done"]
    assert not reasons, reasons
    return taken


def _bare(cases: Sequence[Case], processes: int) -> float:
    """The same cases by processes without a cluster or a store."""
    begin = time.perf_counter()
    jobs = (joblib.delayed(_several)(cases[index::processes]) for index in range(processes))
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        joblib.Parallel(n_jobs=2, pre_dispatch=processes)(jobs)
    return time.perf_counter() - begin


def _several(cases: Sequence[Case]) -> None:
    for case in cases:
        run_case(case.identifier, case.kind, case.table)

"""Running what is missing: on this machine's cores (loky, through joblib) or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from margin_projection.cli.errors import BadInput
from margin_projection.cli.sweep.case import DIED, failure, run_case
from margin_projection.cli.sweep.grid import Case
from margin_projection.cli.sweep.store import Store

BACKENDS = ("loky", "dask")
Progress = Callable[[int, int], None]


def run_missing(
    cases: Sequence[Case],
    store: Store,
    *,
    workers: int = 2,
    backend: str = "loky",
    scheduler: str | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> None:
    """Run every case that the store does not hold, and add each as it ends.

    A case that raises becomes a row with its reason. Where a worker dies, what was running with it is run again, and
    the case that kills its workers is found and becomes a row, too.

    Args:
        cases: of the sweep.
        store: what is there is not run again.
        workers: processes (loky); a cluster has its own.
        backend: "loky" or "dask".
        scheduler: the address of a Dask scheduler; a local cluster of ``workers`` processes where None.
        retry: run those that failed before again.
        progress: called with (finished cases, all).

    Raises:
        BadInput: the scheduler does not answer, or goes away, or Dask is not installed.
    """
    if backend == "loky" and scheduler is not None:
        raise BadInput("--scheduler needs --backend dask")
    if backend == "dask":
        from margin_projection.cli.sweep.cluster import on_cluster

        with on_cluster(workers, scheduler) as outcomes:
            missing = _missing(cases, store, retry)
            _keep(missing, outcomes(missing), store, len(cases), progress)
        return
    for _ in range(2):
        missing = _missing(cases, store, retry)
        if not missing:
            break
        try:
            _keep(missing, _side_by_side(missing, workers), store, len(cases), progress)
        except TerminatedWorkerError:
            retry = False
    for case in _missing(cases, store, retry):
        store.add(case, _alone(case))


def _missing(cases: Sequence[Case], store: Store, retry: bool) -> list[Case]:
    there = store.finished(failures_too=not retry)
    return [case for case in {each.identifier: each for each in cases}.values() if case.identifier not in there]


def _keep(
    missing: Sequence[Case], outcomes: Iterator[dict[str, Any]], store: Store, total: int, progress: Progress | None
) -> None:
    by_id = {case.identifier: case for case in missing}
    done = total - len(missing)
    if progress is not None:
        progress(done, total)
    for outcome in outcomes:
        store.add(by_id[outcome["identifier"]], outcome)
        done += 1
        if progress is not None:
            progress(done, total)


def _side_by_side(missing: Sequence[Case], workers: int) -> Iterator[dict[str, Any]]:
    """Outcomes as they come, from processes with one thread each."""
    jobs = (joblib.delayed(run_case)(case.identifier, case.kind, case.table) for case in missing)
    # With two processes and one job handed out at a time, one worker is a process of its own, too: it may die alone.
    alone: dict[str, Any] = {"n_jobs": 2, "pre_dispatch": 1, "batch_size": 1}
    handed_out = alone if workers == 1 else {"n_jobs": workers}
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        yield from joblib.Parallel(**handed_out, return_as="generator_unordered")(jobs)


def _alone(case: Case) -> dict[str, Any]:
    """A case that was running whenever a worker died, in a process of its own."""
    try:
        (outcome,) = _side_by_side([case], 1)
    except TerminatedWorkerError:
        return failure(case.identifier, DIED)
    return outcome

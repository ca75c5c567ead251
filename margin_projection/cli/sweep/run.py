"""Running what is missing: through joblib, on this machine's cores (loky) or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from margin_projection.cli.errors import BadInput
from margin_projection.cli.sweep.case import run_case
from margin_projection.cli.sweep.grid import Case
from margin_projection.cli.sweep.store import Store

BACKENDS = ("loky", "dask")
_CONNECT = 10.0  # seconds that a scheduler may take to answer
_DIED = "the worker process died (killed, or out of memory)"


def run_missing(
    cases: Sequence[Case],
    store: Store,
    *,
    workers: int = 2,
    backend: str = "loky",
    scheduler: str | None = None,
    retry: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Run every case that the store does not hold, and add each as it ends.

    A case that raises becomes a row with its reason. Where a worker dies, what was running with it is run again, at
    last one by one, so that the case that kills it is found and becomes a row, too.

    Args:
        cases: of the sweep.
        store: what is there is not run again.
        workers: processes (loky); a cluster has its own.
        backend: "loky" or "dask".
        scheduler: the address of a Dask scheduler; a local cluster of ``workers`` processes where None.
        retry: run those that failed before again.
        progress: called with (finished cases, all).

    Raises:
        BadInput: the scheduler does not answer, or Dask is not installed.
    """
    with _backend(backend, workers, scheduler) as count:
        for size in (count, count):
            missing = _missing(cases, store, retry)
            if not missing:
                break
            try:
                _run(missing, store, size, len(cases), progress)
            except TerminatedWorkerError:
                retry = False
        for case in _missing(cases, store, retry):
            _alone(case, store)


def _missing(cases: Sequence[Case], store: Store, retry: bool) -> list[Case]:
    there = store.finished(failures_too=not retry)
    return [case for case in {each.identifier: each for each in cases}.values() if case.identifier not in there]


def _run(
    missing: Sequence[Case], store: Store, workers: int, total: int, progress: Callable[[int, int], None] | None
) -> None:
    by_id = {case.identifier: case for case in missing}
    done = total - len(missing)
    if progress is not None:
        progress(done, total)
    jobs = (joblib.delayed(run_case)(case.identifier, case.kind, case.table) for case in missing)
    # With two processes and one job handed out at a time, one worker is a process of its own, too: it may die alone.
    alone: dict[str, Any] = {"n_jobs": 2, "pre_dispatch": 1, "batch_size": 1}
    handed_out = alone if workers == 1 else {"n_jobs": workers}
    for outcome in joblib.Parallel(**handed_out, return_as="generator_unordered")(jobs):
        store.add(by_id[outcome["identifier"]], outcome)
        done += 1
        if progress is not None:
            progress(done, total)


def _alone(case: Case, store: Store) -> None:
    """A case that was running whenever a worker died, in a process of its own."""
    job = joblib.delayed(run_case)(case.identifier, case.kind, case.table)
    try:
        (outcome,) = joblib.Parallel(n_jobs=2)([job])
    except TerminatedWorkerError:
        outcome = {"identifier": case.identifier, "status": "failed", "result": {}, "reason": _DIED, "seconds": 0.0}
    store.add(case, outcome)


@contextmanager
def _backend(name: str, workers: int, scheduler: str | None) -> Iterator[int]:
    """joblib's backend for what runs inside; yields how many jobs to hand out at once."""
    if name == "loky":
        if scheduler is not None:
            raise BadInput("--scheduler needs --backend dask")
        with joblib.parallel_config(backend="loky", n_jobs=workers):
            yield workers
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise BadInput(f"--backend dask needs the extra 'cluster' ({error})") from error
    cluster: Any = None
    try:
        if scheduler is None:
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        client = Client(cluster if cluster is not None else scheduler, timeout=_CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"--scheduler {scheduler}: no scheduler answers there ({error})") from error
    try:
        with joblib.parallel_config(backend="dask", n_jobs=-1):
            yield -1
    finally:
        client.close()
        if cluster is not None:
            cluster.close()

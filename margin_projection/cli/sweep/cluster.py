"""A Dask cluster as the place where cases run, by Dask's own client.

joblib's backend for Dask would run cases in the command's own process where a cluster has one worker, would hand out
no more cases than the workers of the first moment can take, and ends the whole sweep where one case kills its workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from margin_projection.cli.errors import BadInput
from margin_projection.cli.sweep.case import DIED, REASON, failure, run_case
from margin_projection.cli.sweep.grid import Case

_CONNECT = 10.0  # seconds that a scheduler may take to answer
Outcomes = Callable[[Sequence[Case]], Iterator[dict[str, Any]]]


@contextmanager
def on_cluster(workers: int, scheduler: str | None) -> Iterator[Outcomes]:
    """Yields a function from cases to their outcomes, as they come.

    All cases are handed to the scheduler at once: workers that join later take their share, and what a lost worker had
    is run again elsewhere. A case whose workers die every time becomes a failure (Dask gives up after three).

    Args:
        workers: processes of a local cluster, each with one thread, where no scheduler is named.
        scheduler: the address of a running one.

    Raises:
        BadInput: no scheduler answers, it goes away, or Dask is not installed.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise BadInput(f"--backend dask needs the extra 'cluster' ({error})") from error
    cluster: Any = None
    try:
        if scheduler is None:
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
        client = Client(cluster if cluster is not None else scheduler, timeout=_CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise BadInput(f"--scheduler {scheduler}: no scheduler answers there ({error})") from error
    try:
        yield lambda cases: _outcomes(client, cases)
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _outcomes(client: Any, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    from distributed import as_completed

    names = {
        client.submit(run_case, case.identifier, case.kind, case.table, pure=False): case.identifier for case in cases
    }
    for future in as_completed(list(names)):
        if future.status == "cancelled" or future.status == "lost":
            raise BadInput("the scheduler has gone; what is finished is kept, and the same command goes on")
        error = future.exception()
        name = names.pop(future)
        yield future.result() if error is None else failure(name, reason_of(error))


def reason_of(error: BaseException) -> str:
    """Why a case has no outcome: its workers died, or what a worker without this package, say, raised."""
    from distributed import KilledWorker

    return DIED if isinstance(error, KilledWorker) else f"{type(error).__name__}: {error}"[:REASON]

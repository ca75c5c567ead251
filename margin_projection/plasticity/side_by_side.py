"""One run for every method and seed, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import joblib

from margin_projection._validation import check_integer

Run = Callable[[Any, str, int], list[dict[str, Any]]]


def run_side_by_side(
    run: Run,
    settings: Any,
    methods: Iterable[str],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """``run(settings, method, seed)`` for every method and seed.

    Args:
        run: a function of a module, which processes can find by its name.
        settings, methods, seeds: what it is called with.
        workers: processes, at least 1 (default 1).
        progress: called with (finished runs, all).

    Returns:
        The rows of all runs, methods in their order, seeds within.
    """
    check_integer("workers", workers, 1)
    cells = [(method, seed) for method in methods for seed in seeds]
    jobs = (joblib.delayed(run)(settings, method, seed) for method, seed in cells)
    rows: list[dict[str, Any]] = []
    for done, found in enumerate(joblib.Parallel(n_jobs=workers, return_as="generator")(jobs), start=1):
        rows += found
        if progress is not None:
            progress(done, len(cells))
    return rows

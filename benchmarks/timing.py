"""Times of alternating calls, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """The result of ``call`` and its seconds."""
    begin = time.perf_counter()
    result = call()
    return result, time.perf_counter() - begin


def alternate(calls: Sequence[Callable[[], object]], repetitions: int) -> list[float]:
    """The median seconds of each call, called in turns so that a busy machine slows all alike."""
    seconds = [[timed(call)[1] for call in calls] for _ in range(repetitions)]
    return [float(each) for each in np.median(seconds, axis=0)]


def alternate_blocks(calls: Sequence[Callable[[], object]], repetitions: int, in_a_row: int) -> np.ndarray:
    """(len(calls), 2): the median seconds of processor time and of wall-clock time of each call.

    Calls take turns, each ``in_a_row`` times, so that its own code and data are in the caches as in a user's loop.
    """
    seconds: list[list[tuple[float, float]]] = [[] for _ in calls]
    for _ in range(repetitions):
        for call, kept in zip(calls, seconds, strict=True):
            for _ in range(in_a_row):
                processor, wall = time.process_time(), time.perf_counter()
                call()
                kept.append((time.process_time() - processor, time.perf_counter() - wall))
    return np.median(np.asarray(seconds), axis=1)

"""Wall-clock times of alternating calls, in one process."""

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

"""Progress of a computation made of equal parts, each a trajectory."""

from __future__ import annotations

from collections.abc import Callable


def part_of(progress: Callable[[float], None] | None, done: int, parts: int) -> Callable[[int, int], None]:
    """What `sequential_projections` calls with (step, steps) in part ``done`` (from 0) of ``parts``.

    >>> seen = []
    >>> part_of(seen.append, 1, 2)(5, 10)
    >>> seen
    [0.75]
    """

    def report(step: int, steps: int) -> None:
        if progress is not None:
            progress((done + step / max(steps, 1)) / parts)

    return report

"""Progress on stderr, shown on a terminal alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[..., None]


@contextmanager
def show_progress(label: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Report | None]:
    """A bar, or a spinner where ``total`` is None; yields the function that moves it on, None where nothing is shown.

    The function takes a sentence to show, or the number of steps done and their total.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    counted = () if total is None else (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counted, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(label, total=total)

        def report(news: str | int, out_of: int | None = None) -> None:
            if isinstance(news, str):
                bar.update(row, description=news)
            else:
                bar.update(row, completed=news, total=out_of)

        yield report

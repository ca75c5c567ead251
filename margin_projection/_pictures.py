"""The look and the saving that the library's own pictures share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from margin_projection._files import check_target, write_atomically
from margin_projection._validation import InputError

# Okabe and Ito's colours, told apart by the colour-blind; styles and markers tell them apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LONGEST_TITLE = 70


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure, ``width`` times ``height`` inches, on an Agg canvas: no display, no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title if len(title) < _LONGEST_TITLE else title[: _LONGEST_TITLE - 3] + "...")
    return figure


def save_picture(name: str, path: Any, draw: Callable[[], Figure]) -> None:
    """Write what ``draw`` returns to ``path``, atomically, in the format of its suffix.

    Raises:
        InputError: naming the argument ``name``: the suffix names no known format, or the directory does not exist.
    """
    target = check_target(path)
    figure = draw()
    formats = figure.canvas.get_supported_filetypes()
    suffix = Path(target).suffix.removeprefix(".").lower()
    if suffix not in formats:
        raise InputError(name, str(target), "a picture's path, ending in one of " + ", ".join(sorted(formats)))
    write_atomically(target, lambda stream: figure.savefig(stream, format=suffix, dpi=150))

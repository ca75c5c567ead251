"""The look that all figures share, and how a figure is kept: picture, data and caption under one name."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from margin_projection._files import json_bytes, writable_folder, write_atomically
from margin_projection._validation import check_choice

PAGE = 7.0  # inches, the width of a page

# Okabe and Ito's palette: told apart under every common colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY = "#6E6E6E"

_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # the one font that matplotlib ships: every machine draws the same
    "font.size": 7.5,
    "axes.titlesize": 8.0,
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.labelsize": 7.5,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.borderaxespad": 0.2,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.dpi": 300,
    "svg.hashsalt": "margin_projection",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside: the settings hold there alone."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, ``width`` times ``height`` inches, on an Agg canvas: no display, no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panel_title(axes: Axes, letter: str, text: str) -> None:
    """A title such as "(a) text", at the left."""
    axes.set_title(f"({letter}) {text}")


FORMATS: Mapping[str, dict[str, Any]] = {  # format -> metadata without dates
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}


def save_figure(
    figure: Figure,
    out_dir: str | Path,
    name: str,
    data: Mapping[str, Any],
    caption: str,
    formats: Sequence[str] = ("png", "pdf"),
) -> list[Path]:
    """Write the picture in every format, name.json (the data behind it) and name.txt (the caption) into ``out_dir``.

    Returns:
        The paths, in that order.

    Raises:
        InputError: the folder cannot be made or written to, or a format is none of png, pdf and svg.
    """
    folder = writable_folder("out_dir", out_dir)
    kinds = [check_choice("format", kind, FORMATS) for kind in formats]
    contents = {f".{kind}": _rendered(figure, kind, FORMATS[kind]) for kind in kinds}
    contents[".json"] = json_bytes(dict(data))
    contents[".txt"] = (textwrap.fill(" ".join(caption.split()), 100) + "\n").encode()
    return [write_atomically(folder / (name + suffix), content) for suffix, content in contents.items()]


def _rendered(figure: Figure, kind: str, metadata: dict[str, Any]) -> bytes:
    """The picture as a file of this kind; without dates, so that the same data give the same file."""
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()

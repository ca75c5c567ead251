"""All figures by name, with the arguments of a quick one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from figures.style import save_figure
from margin_projection import InputError

QUICK: Mapping[str, dict[str, Any]] = {
    "figure_1": {},
    "table_1": {},
    "theorem_5": {"num_steps": 20},
    "basins": {"points": 21, "planar": 9},
    "vanishing_regularization": {"points": 9},
    "local_rates": {"seeds": 2, "problems": ("regression, linear model", "classification, digits")},
    "rate_scatter": {"count": 2, "models": ("linear", "squared"), "workers": 1},
    "sharp_bounds": {"count": 4},
    "depth": {"depths": (2, 3), "seeds": 2},
    "digits_run": {"samples": 8, "width": 8, "cycles": 1},
    "ablation": {},
    "verdict_map": {"budget": "quick"},
    "counterexamples": {},
    "plasticity": {"seeds": 2, "num_tasks": 9},
    "spectra": {"tasks": (0, 1, 2), "order": 30},
    "gram_bridge": {"seeds": 2, "num_tasks": 8},
}
NAMES = tuple(QUICK)


def figure_named(name: str) -> ModuleType:
    """The module of a figure: NAME, compute, draw, caption, save.

    Raises:
        InputError: there is none of that name.
    """
    if name not in QUICK:
        raise InputError("figure", name, f"one of {', '.join(NAMES)}")
    return importlib.import_module(f"figures.{name}")


def make(
    name: str,
    out: str | Path,
    formats: Sequence[str] = ("png", "pdf"),
    *,
    quick: bool = False,
    data: Mapping[str, Any] | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Path]:
    """Compute (unless ``data`` are given), draw and save a figure.

    Args:
        name: see `NAMES`.
        out: a folder, made where it is not there.
        formats: of the picture: png, pdf, svg.
        quick: smaller sizes.
        data: what an earlier run has saved.
        progress: called with the share done.

    Raises:
        InputError: an unknown name or format, or a folder that cannot be written to.
    """
    module = figure_named(name)
    found = module.compute(**(QUICK[name] if quick else {}), progress=progress) if data is None else data
    return save_figure(module.draw(found), out, module.NAME, found, module.caption(found), formats)


def saved_data(name: str, folder: str | Path) -> dict[str, Any]:
    """The data that an earlier run has saved beside a figure.

    Raises:
        InputError: they cannot be read.
    """
    path = Path(folder) / f"{figure_named(name).NAME}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("data", str(path), f"the readable data of a figure ({error})") from error
    if not isinstance(found, dict):
        raise InputError("data", str(path), "the data of a figure")
    return found

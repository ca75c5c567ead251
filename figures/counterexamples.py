"""The smallest counterexamples, drawn: each panel shows an exact instance at which a printed statement fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.counterexample_panels import PANELS
from figures.style import PAGE, new_figure, panel_title, save_figure, style
from margin_projection import InputError
from proofs_checks.arithmetic import to_float
from proofs_checks.ledger import read_ledger, reproduce

NAME = "counterexamples"
CAPTION = """
Counterexamples that the project's search has found and shrunk, each evaluated again in exact arithmetic. Shaded or
blue: the sets; black: the points of the instance; vermillion: the quantity that is printed to be smaller or larger.
{panels}. Under each panel: the two sides of the printed claim. Every instance again: python -m proofs_checks
--reproduce ID, with the ID of the data.
"""


def compute(progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """The instances of the ledger that can be drawn, evaluated anew.

    Args:
        progress: called with the share done, in (0, 1].

    Returns:
        "cases": statement with its reading -> id, claim, relation, left, right (as the ledger has them), the sides
        evaluated anew (as float64), whether that refutes the claim exactly, and the instance.

    Raises:
        InputError: the ledger has no counterexample to one of the statements.
    """
    ledger, cases = read_ledger(), {}
    for done, key in enumerate(PANELS, start=1):
        known = ledger.get(key, {}).get("counterexample")
        if known is None:
            raise InputError("ledger", key, "a ledger with a counterexample to it")
        _, _, evaluation = reproduce(known["id"])
        found = evaluation.claims[known["claim"]]
        cases[key] = {
            **{name: known[name] for name in ("id", "claim", "relation", "left", "right", "instance")},
            "sides": [to_float(found.left), to_float(found.right)],
            "refuted": known["claim"] in evaluation.refuting_claims,
        }
        if progress is not None:
            progress(done / len(PANELS))
    return {"cases": cases}


def draw(data: Mapping[str, Any]) -> Figure:
    """A panel for each case."""
    cases = data["cases"]
    with style():
        figure = new_figure(PAGE, 6.0)
        panels = figure.subplots(3, 4).ravel()
        for axes, letter, (key, case) in zip(panels, "abcdefghijkl", cases.items(), strict=True):
            title, _, panel = PANELS[key]
            panel_title(axes, letter, title)
            panel(axes, _values(case["instance"]))
            axes.set_box_aspect(1)
            axes.tick_params(labelsize=6.0)
            axes.set_xlabel(f"{_words(case['sides'][0])} {_SIGN[case['relation']]} {_words(case['sides'][1])} fails")
    return figure


_SIGN = {"<=": r"$\leq$", ">=": r"$\geq$", "<": "<", ">": ">", "=": "="}


def _words(value: float) -> str:
    return f"{value:.4g}"


def _values(instance: Mapping[str, Any]) -> dict[str, Any]:
    """The instance's numbers as float64."""
    return {name: _number(value) for name, value in instance.items()}


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return np.array([_number(each) for each in value])
    return float(Fraction(value)) if isinstance(value, str) else value


def drawn_sides(case: Mapping[str, Any], key: str) -> tuple[float, float]:
    """What the panel's geometry says of both sides: an independent route to the exact evaluation, for tests."""
    axes: Axes = new_figure(2.0, 2.0).subplots()
    left, right = PANELS[key][2](axes, _values(case["instance"]))
    return left, right


def caption(data: Mapping[str, Any]) -> str:
    """What the picture shows."""
    letters = zip("abcdefghijkl", data["cases"], strict=True)
    return CAPTION.format(panels="; ".join(f"({letter}) {PANELS[key][1]}" for letter, key in letters))


def save(out_dir: str | Path, data: Mapping[str, Any] | None = None) -> list[Path]:
    """Write the picture (png, pdf), its data and its caption into ``out_dir``; the data are computed where None."""
    data = compute() if data is None else data
    return save_figure(draw(data), out_dir, NAME, data, caption(data))

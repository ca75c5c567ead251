"""A diagnosis in words, for a terminal or a file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from margin_projection.diagnosis.diagnosis import Diagnosis

_WIDTH = 118


def summary(diagnosis: Diagnosis) -> str:
    """Degrees, separation, conditions with their numbers, rates, and what to change."""
    lines = [
        f"{diagnosis.name}: {diagnosis.num_parameters} parameters, {diagnosis.num_samples} samples, "
        f"{diagnosis.num_tasks} tasks",
        "",
        "DEGREE",
        *_wrapped(str(diagnosis.groups).splitlines()[:3]),
        "",
        "PARAMETERS",
        *_wrapped([diagnosis.separation.status.value, *_separation_numbers(diagnosis)]),
        "",
        "CONDITIONS",
        *_wrapped(str(each) for each in diagnosis.conditions),
    ]
    if diagnosis.rates:
        lines += ["", "GRANTED RATES (factor a step, radius of the ball)", *_rates(diagnosis)]
    if diagnosis.notes:
        lines += ["", "NOTES", *_wrapped(diagnosis.notes)]
    lines += ["", "WHAT TO CHANGE", *_wrapped(diagnosis.advice or ("nothing",))]
    if diagnosis.restricted is not None:
        frozen = len(diagnosis.groups.fixed)
        lines += ["", f"WITH {frozen} OF {len(diagnosis.groups.groups)} GROUPS FROZEN", ""]
        lines += textwrap.indent(summary(diagnosis.restricted), "  ").splitlines()
    return "\n".join(lines)


def _wrapped(sentences: Iterable[str]) -> list[str]:
    return [
        line
        for each in sentences
        for line in textwrap.wrap(each, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    ]


def _separation_numbers(diagnosis: Diagnosis) -> list[str]:
    found = diagnosis.separation
    margins = ", ".join(f"{margin:.4g}" for margin in found.margins)
    return [f"least margin of each task: {margins}; factor {found.factor:.6g}, moved by {found.moved:.4g}"]


def _rates(diagnosis: Diagnosis) -> list[str]:
    rows = []
    for name, rate in diagnosis.rates.items():
        rows.append(f"  {name:26} {rate.per_step:<12.8g} {rate.radius:<10.4g} {rate.status.name}")
    return rows

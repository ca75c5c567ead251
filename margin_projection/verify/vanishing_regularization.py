"""Theorem 1, run: Algorithm 1's scaled iterates tend to Algorithm 2's, at the speed of the first-order expansion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import margin_projection as mp
from margin_projection.verify.findings import Check, Part

_THREE_DIGITS = 1e-3


def vanishing_regularization(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes one step and ten values of s."""
    from figures import vanishing_regularization as figure

    small: dict[str, Any] = {"steps": 1, "points": 10}
    data = figure.compute(progress=progress, **(small if quick else {}))
    s = np.asarray(data["log_inverse_lambda"])
    part = Part(f"Vanishing regularization: {data['steps']} steps, s up to {s[-1]:g}", figure=(figure, data))
    part.results = {name: {key: path[key] for key in ("orders", "reduced_orders", "laws", "alphas", "betas")}
                    for name, path in data["paths"].items()}  # fmt: skip
    for name, path in data["paths"].items():
        part.checks += _checks(name, path)
    part.checks.append(_closed_form(data))
    part.tables.append(_table(data))
    return part


def _checks(name: str, path: dict[str, Any]) -> list[Check]:
    statuses = [mp.Status[status] for row in path["statuses"] for status in row]
    kinds = mp.regularization.ExpansionStatus
    regular = sum(kinds[status] in (kinds.HOLDS, kinds.INTERIOR) for status in path["expansion_statuses"])
    last = path["remainders"][:, -1] / path["predicted"][:, -1]
    return [
        Check.all_of(f"{name}: every iterate is stationary", sum(each.is_success for each in statuses), len(statuses)),
        Check.all_of(f"{name}: the expansion applies", regular, len(path["expansion_statuses"])),
        Check.at_most(f"{name}: the expansion's relative error at the largest s", float(last.max()), _THREE_DIGITS),
    ]


def _closed_form(data: dict[str, Any]) -> Check:
    """Theorem 5's first step: y = u[2] solves a scalar equation, and (y - b^{-1/2}) s tends to log(b) / (2 sqrt(b))."""
    b, s = 1.0 - data["eps"], float(data["log_inverse_lambda"][-1])
    path = data["paths"]["squared linear"]
    measured, expected = float(path["errors"][0, -1]) * s, abs(math.log(b)) / (2.0 * math.sqrt(b))
    return Check.at_most("Theorem 5's first step: error times s against its closed form (relative)",
                         abs(measured / expected - 1.0), _THREE_DIGITS)  # fmt: skip


def _table(data: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for name, path in data["paths"].items():
        for step, law in enumerate(path["laws"]):
            order, low, high = path["orders"][step]
            reduced, reduced_low, reduced_high = path["reduced_orders"][step]
            errors = path["errors"][step]
            rows.append([
                name, str(step + 1), law, f"{errors[-1]:.3e}", f"{path['predicted'][step, -1]:.3e}",
                f"{order:.4f} [{low:.4f}, {high:.4f}]", f"{reduced:.5f} [{reduced_low:.5f}, {reduced_high:.5f}]",
            ])  # fmt: skip
    columns = ["model", "step", "law", "distance at the largest s", "expansion", "measured order", "law divided out"]
    return "Distance to Algorithm 2's point", columns, rows

"""Basins of attraction: Theorem 5's trap is a line, and everything beside it is left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from margin_projection.verify.findings import Check, Claim, Part, Verdict


def basins(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes coarse grids."""
    from figures import basins as figure
    from figures.catalogue import QUICK

    data = figure.compute(**(QUICK["basins"] if quick else {}), progress=progress)
    axis, counts = np.asarray(data["axis"]), np.asarray(data["counts"])
    trapped, far = np.abs(axis) < 1e-12, np.abs(axis) >= 0.75
    reached = counts[:, far] > 0
    part = Part(f"Basins of attraction: {counts.size} starts", figure=(figure, data))
    part.checks = [
        Check.at_most("starts with u[1] = 0 that reach C*", float((counts[:, trapped] > 0).sum()), 0.0),
        Check.all_of("starts with |u[1]| >= 0.75 that reach C*", int(reached.sum()), reached.size),
    ]
    verdict = Verdict.FAILS if reached.all() else Verdict.UNDECIDED
    measured = f"{int((counts > 0).sum())} of {counts.size} starts reach C* within {data['steps']} steps"
    part.claims = [Claim("text around Theorem 5", "starts in a bounded ball behave as from zero", verdict, measured)]
    part.results = {"reached": int((counts > 0).sum()), "starts": int(counts.size)}
    return part

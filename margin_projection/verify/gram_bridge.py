"""The bridge: the bounds of docs/bridge.md hold at every task start, and how closely the readings go with success."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from margin_projection.verify.findings import Check, Part

_SAMPLES = 64
_ROUNDING = 1e-6


def gram_bridge(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two seeds and eight tasks."""
    from figures import gram_bridge as figure
    from figures.catalogue import QUICK
    from margin_projection.plasticity.association import association

    data = figure.compute(**(QUICK["gram_bridge"] if quick else {}), progress=progress)
    rows = data["rows"]
    excess = [row["least_singular"] / np.sqrt(_SAMPLES) - row["mfcq_margin"] for row in rows]
    part = Part(f"The bridge: {len(rows)} task starts", figure=(figure, data))
    part.checks = [
        Check.at_most("least singular value / sqrt(n) beyond the MFCQ margin", float(max(excess)), _ROUNDING),
        Check.all_of("task starts measured", sum(np.isfinite(row["success"]) for row in rows), len(rows)),
    ]
    names = ("epsilon_rank", "least_singular", "mfcq_margin", "dead_units")
    found = {name: association(rows, name, "success") for name in names}
    part.results = {name: vars(each) for name, each in found.items()}
    shown = [
        [name, f"{each.rank_correlation:+.3f}", f"[{each.rank_interval[0]:+.3f}, {each.rank_interval[1]:+.3f}]"]
        for name, each in found.items()
    ]
    part.tables.append(("Rank correlation with success", ["reading at task start", "", "95 % interval"], shown))
    return part

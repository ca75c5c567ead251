"""Loss of plasticity: plain training loses accuracy on later tasks, and what L2-ER keeps."""

from __future__ import annotations

from collections.abc import Callable

from margin_projection.verify.findings import Check, Claim, Part, Verdict


def plasticity(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes two seeds and nine tasks, on which nothing can be seen yet."""
    from figures import plasticity as figure
    from figures.catalogue import QUICK
    from margin_projection.plasticity.comparison import compare_methods

    data = figure.compute(**(QUICK["plasticity"] if quick else {}), progress=progress)
    rows = data["rows"]
    window = max(2, data["num_tasks"] // 6)
    (found,) = compare_methods(rows, "bp", column="online_accuracy", last=window)
    low, high = found.lower, found.upper
    part = Part(f"Plasticity: {data['seeds']} seeds, {data['num_tasks']} tasks", figure=(figure, data))
    part.checks = [
        Check.all_of("tasks finished", len(rows), 2 * data["seeds"] * data["num_tasks"]),
        Check.at_most("smoothed share of one eigenvalue in 200 at 0.1, beyond 0.02", data["smoothed"][0] - 0.02, 0.0),
    ]
    verdict = Verdict.HOLDS if low > 0.0 else Verdict.FAILS if high < 0.0 else Verdict.UNDECIDED
    measured = f"l2_er minus bp on the last {window} tasks: {found.mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    part.claims = [Claim("Prakash et al., abstract", "L2-ER preserves plasticity", verdict, measured)]
    part.results = {"difference": found.mean, "interval": [low, high], "smoothed": data["smoothed"]}
    return part

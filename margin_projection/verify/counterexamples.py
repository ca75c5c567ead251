"""The counterexamples that can be drawn: evaluated again exactly, and once more by the geometry of their pictures."""

from __future__ import annotations

from collections.abc import Callable

from margin_projection.verify.findings import Check, Part

_ROUNDING = 1e-9
_BALLS = {"schliserman2026/text-nonzero-initialization": 0.04}  # what fifty steps of ball arithmetic leave open


def counterexamples(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; there is nothing to make smaller."""
    from figures import counterexamples as figure

    data = figure.compute(progress=progress)
    cases = data["cases"]
    agree, rows = 0, []
    for key, case in cases.items():
        allowed = _BALLS.get(key, _ROUNDING)
        drawn = figure.drawn_sides(case, key)
        gaps = [abs(one - other) / (abs(other) or 1.0) for one, other in zip(drawn, case["sides"], strict=True)]
        agree += max(gaps) <= allowed
        rows.append([key, case["claim"], f"{case['left']} {case['relation']} {case['right']}", f"{max(gaps):.1e}"])
    part = Part(f"Counterexamples: {len(cases)} of the smallest", figure=(figure, data))
    part.results = {"cases": cases}
    part.checks = [
        Check.all_of("claims refuted anew, exactly", sum(case["refuted"] for case in cases.values()), len(cases)),
        Check.all_of("both sides agree with the geometry drawn", agree, len(cases)),
    ]
    columns = ["statement", "claim", "printed, and false", "drawn against exact"]
    part.tables.append(("Counterexamples, exact", columns, rows))
    return part

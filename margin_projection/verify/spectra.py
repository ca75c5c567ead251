"""Hessian spectra at task starts: does the spectrum collapse under plain training, and not under L2-ER?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Claim, Part, Verdict

_EPS = 0.01
_ENDS = ("lower", "upper")
_SOURCE = "Prakash et al., abstract"


def spectra(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes the first three tasks, on which nothing can be seen yet."""
    from figures import spectra as figure
    from figures.catalogue import QUICK

    data = figure.compute(**(QUICK["spectra"] if quick else {}), progress=progress)
    at = int(np.abs(np.log(np.asarray(data["eps"]) / _EPS)).argmin())
    every = [each for found in data["spectra"].values() for each in found]
    ordered = sum(_ordered(each) for each in every)
    falling = sum(bool((np.diff(each["share"]) <= 1e-12).all()) for each in every)
    last = data["tasks"][-1] + 1
    part = Part(f"Spectra at task starts, up to task {last}", figure=(figure, data))
    part.checks = [
        Check.all_of("estimates within their intervals, up to one eigenvalue", ordered, len(every)),
        Check.all_of("shares fall with eps", falling, len(every)),
    ]
    part.claims = [
        _claim(data, "bp", at, f"under plain training the spectrum has collapsed by task {last}", collapsed=True),
        _claim(data, "l2_er", at, f"under L2-ER it has not by task {last}", collapsed=False),
    ]
    part.results = {"tasks": data["tasks"], "eps": _EPS, "spectra": {
        name: [{key: each[key][at] for key in ("share", "lower", "upper")} for each in found]
        for name, found in data["spectra"].items()}}  # fmt: skip
    return part


def _ordered(each: dict[str, Any]) -> bool:
    """The ends are whole numbers of eigenvalues, the estimate need not be."""
    share, one = np.array(each["share"]), 1.0 / each["size"]
    return bool((np.array(each["lower"]) - one <= share).all() and (share <= np.array(each["upper"]) + one).all())


def _claim(data: dict[str, Any], method: str, at: int, statement: str, *, collapsed: bool) -> Claim:
    """A collapse: the share outside +-eps has fallen below half of the first task's; intervals decide, or not."""
    first, *_, last = data["spectra"][method]
    verdict = collapse({name: first[name][at] for name in _ENDS}, {name: last[name][at] for name in _ENDS})
    if not collapsed:
        verdict = {Verdict.HOLDS: Verdict.FAILS, Verdict.FAILS: Verdict.HOLDS}.get(verdict, verdict)
    numbers = ([each[name][at] for name in ("share", *_ENDS)] for each in (first, last))
    before, after = (f"{share:.3f} [{lower:.3f}, {upper:.3f}]" for share, lower, upper in numbers)
    measured = f"share outside +-{_EPS:g}: {before}, then {after}; a collapse is to less than half; one seed"
    return Claim(_SOURCE, statement, verdict, measured)


def collapse(before: Mapping[str, float], after: Mapping[str, float]) -> Verdict:
    """Whether a share has fallen below half of what it was, by the intervals ("lower", "upper") of both."""
    if after["upper"] < before["lower"] / 2.0:
        return Verdict.HOLDS
    return Verdict.FAILS if after["lower"] >= before["upper"] / 2.0 else Verdict.UNDECIDED

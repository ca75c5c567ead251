"""What a part of the job reports: claims of the papers, which may fail, and checks of this software, which may not."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Verdict(enum.Enum):
    """What was found about a claim, on the instance that was measured."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, measured on one instance. That it fails is a finding, no fault of the job.

    Attributes:
        source: paper statement, such as "Theorem 5(b)".
        statement: what it says, in one line.
        verdict: HOLDS and FAILS are certain up to rounding; UNDECIDED where the certified bounds leave it open.
        measured: the numbers, and where it fails if it does.
    """

    source: str
    statement: str
    verdict: Verdict
    measured: str


@dataclass(frozen=True)
class Check:
    """A certificate or an identity that must hold: a failed one makes the job fail.

    Attributes:
        name: what is checked, in one line.
        passed: whether it held.
        measured: the largest deviation, or a count.
        required: what it was held against.
    """

    name: str
    passed: bool
    measured: str
    required: str

    @staticmethod
    def at_most(name: str, value: float, bound: float) -> Check:
        """That ``value`` (a number; nan fails) is at most ``bound``.

        >>> Check.at_most("deviation", 1e-13, 1e-12).passed
        True
        """
        return Check(name, bool(value <= bound), f"{value:.1e}", f"at most {bound:.0e}")

    @staticmethod
    def all_of(name: str, passed: int, total: int) -> Check:
        """That all of ``total`` > 0 instances passed."""
        return Check(name, passed == total > 0, f"{passed} of {total}", "all")


@dataclass
class Part:
    """The report of one part.

    Attributes:
        title: for the screen.
        claims, checks: see there.
        tables: further tables for the screen, each (title, column names, rows of texts).
        results: numbers for the JSON file.
        figure: a module of ``figures`` with the data it draws, or None.
    """

    title: str
    claims: list[Claim] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    figure: tuple[Drawing, Any] | None = None

    @property
    def passed(self) -> bool:
        """Whether there are checks, and every one passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Everything but tables and figure."""
        claims = [{**asdict(claim), "verdict": claim.verdict.value} for claim in self.claims]
        checks = [asdict(check) for check in self.checks]
        return {"title": self.title, "passed": self.passed, "claims": claims, "checks": checks, "results": self.results}


class Drawing(Protocol):
    """A module of ``figures``."""

    def save(self, out_dir: str | Path, data: Any = None) -> list[Path]:
        """Write picture, data and caption."""


def at_least(lower: np.ndarray, upper: np.ndarray, bound: float) -> tuple[Verdict, str]:
    """Whether values t = 0, 1, ... with lower <= value <= upper are all at least ``bound``, and where not.

    >>> at_least(np.array([1.0, 3.0]), np.array([1.0, 3.0]), 2.0)
    (<Verdict.FAILS: 'fails'>, 'fails at t = 0, holds elsewhere on t = 0..1')
    >>> at_least(np.array([1.0, 3.0]), np.array([4.0, 3.0]), 2.0)
    (<Verdict.UNDECIDED: 'undecided'>, 'undecided at t = 0, holds elsewhere on t = 0..1')
    """
    fails = np.flatnonzero(upper < bound)
    open_ones = np.flatnonzero(~(upper < bound) & ~(lower >= bound))  # nan counts as open
    told = [f"{word} at {_times(each)}" for word, each in (("fails", fails), ("undecided", open_ones)) if each.size]
    verdict = Verdict.FAILS if fails.size else (Verdict.UNDECIDED if open_ones.size else Verdict.HOLDS)
    return verdict, ", ".join([*told, f"holds {'elsewhere on' if told else 'for'} t = 0..{len(lower) - 1}"])


def _times(indices: np.ndarray) -> str:
    shown = ", ".join(str(index) for index in indices[:5])
    return f"t = {shown}" + (f" and {indices.size - 5} more" if indices.size > 5 else "")

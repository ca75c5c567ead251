"""One hypothesis of one theorem, and what was found about it for a network and its tasks."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Verdict(enum.Enum):
    """What is known of a condition. Each member's value is a sentence."""

    HOLDS = "The condition holds, by what `how` says."
    FAILS = "The condition fails, by what `how` says."
    UNDECIDED = "What could be measured and proved leaves it open."


@dataclass(frozen=True)
class Condition:
    """A hypothesis of Schliserman et al. 2026.

    Attributes:
        theorem: the statements that ask for it, such as "Theorems 1 and 13".
        name: the hypothesis, a few words.
        verdict: see `Verdict`.
        how: how the verdict was reached, one sentence.
        numbers: behind it, by name; infinite where nothing finite is known.
    """

    theorem: str
    name: str
    verdict: Verdict
    how: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        numbers = ", ".join(f"{name} = {value:.4g}" for name, value in self.numbers.items())
        return f"{self.verdict.name:9} {self.name} ({self.theorem}): {self.how}" + (f" [{numbers}]" if numbers else "")


def judge(holds: bool, fails: bool = False) -> Verdict:
    """HOLDS, FAILS, or UNDECIDED where neither is shown.

    >>> judge(False, False).name
    'UNDECIDED'
    """
    if holds:
        return Verdict.HOLDS
    return Verdict.FAILS if fails else Verdict.UNDECIDED

"""A network and its tasks held against the hypotheses of the convergence theorems: what holds, how fast, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from margin_projection.diagnosis.condition import Condition, Verdict
from margin_projection.diagnosis.degree_groups import DegreeGroups
from margin_projection.diagnosis.export import plain
from margin_projection.diagnosis.separation import Separation
from margin_projection.diagnosis.text import summary
from margin_projection.rates.predicted import PredictedRate
from margin_projection.regularity.report import RegularityReport


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes:
        name: of the network.
        num_parameters, num_samples, num_tasks: p, n over all tasks, M.
        groups: degrees by groups of parameters.
        separation: whether theta solves the tasks, and the point theta* of C* looked at.
        conditions: the hypotheses, in the order of the paper.
        report: everything measured at theta*; None without a common degree or without a point.
        rates: by "ordering, bound", the rates that the theory grants there; empty without a report.
        advice: what to change, one sentence each.
        restricted: the diagnosis of the same network with the groups of weight 0 frozen at theta, where homogeneity
            holds in the others alone (`Homogeneity.PARTIAL`); else None.
        notes: further states in words.
    """

    name: str
    num_parameters: int
    num_samples: int
    num_tasks: int
    groups: DegreeGroups
    separation: Separation
    conditions: tuple[Condition, ...]
    report: RegularityReport | None
    rates: dict[str, PredictedRate]
    advice: tuple[str, ...]
    restricted: Diagnosis | None = None
    notes: tuple[str, ...] = field(default=())

    def condition(self, name: str) -> Condition:
        """The condition of this name.

        Raises:
            KeyError: there is none.
        """
        for each in self.conditions:
            if each.name == name:
                return each
        raise KeyError(name)

    def count(self, verdict: Verdict) -> int:
        """How many conditions have this verdict."""
        return sum(each.verdict is verdict for each in self.conditions)

    def __str__(self) -> str:
        return summary(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: dictionaries, lists, texts and numbers (infinite ones stay infinite)."""
        return plain(self)

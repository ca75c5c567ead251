"""Statements: theorems as data, which attacks can be run against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy

from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant, Count
from proofs_checks.errors import StatementError
from proofs_checks.instance import Instance
from proofs_checks.proof import Step

Derive = Callable[[SimpleNamespace, Arithmetic, SimpleNamespace], Mapping[str, Any]]


@dataclass(frozen=True)
class Fate:
    """What is known of a mutant before it is attacked: whether it is false, and the reason."""

    false: bool
    reason: str


def is_false(reason: str) -> Fate:
    """The mutant is false, for a reason: an engine with any power refutes it."""
    return Fate(True, reason)


def still_true(reason: str) -> Fate:
    """The mutant is true, for a reason: refuting it would be a mistake."""
    return Fate(False, reason)


@dataclass(frozen=True)
class Statement:
    """A statement with all that is needed to try to break it.

    Attributes:
        id: "schliserman2026/lemma-d2": source, slash, name in lower case with hyphens.
        source: paper and number ("Schliserman et al. 2026, Lemma D.2").
        title: a few words.
        text: the statement in full, in the reading that is checked.
        instances: ``(dropped) -> SearchStrategy[Instance]``: builds instances that satisfy all hypotheses but those
            named in ``dropped`` (which it should then violate, often).
        derive: ``(x, A, c) -> quantities``: x holds the instance's values as numbers of the arithmetic A, c the
            constants; returns what hypotheses and claims speak of, by name. May raise `Discard` or, in exact
            arithmetic, `Inexact`.
        claims: at least one; all of them must hold.
        hypotheses: silent ones (``silent=True``) are used but not written in the source.
        constants: the numbers of the statement that mutation and tightness change.
        corners: named exact instances at the boundary of the hypotheses.
        proof: the printed proof, display by display.
        own_proof: the project's own proof of the statement, where it has one.
        vacuity: steps that together prove that nothing beyond ``trivial`` instances satisfies the hypotheses.
        trivial: what those instances are, in words.
        reading: which reading of the text this is; "" where it admits one only.
        readings: statements with the same id for the other readings.
        repair: the weakest true statement near it that the project can prove or support.
        fates: mutant -> what is known of it beforehand (see `proofs_checks.mutation` for the mutants' names).
        remarks: what else a reader should know, one sentence each.
        cost: how many times longer an evaluation takes than for a plain formula; budgets are divided by it.
    """

    id: str
    source: str
    title: str
    text: str
    instances: Callable[[frozenset[str]], SearchStrategy[Instance]]
    derive: Derive
    claims: tuple[Claim, ...]
    hypotheses: tuple[Hypothesis | Predicate, ...] = ()
    constants: Mapping[str, Constant | Count] = field(default_factory=dict)
    corners: Mapping[str, Instance] = field(default_factory=dict)
    proof: tuple[Step, ...] = ()
    own_proof: tuple[Step, ...] = ()
    vacuity: tuple[Step, ...] = ()
    trivial: str = ""
    reading: str = ""
    readings: tuple[Statement, ...] = ()
    repair: Statement | None = None
    fates: Mapping[str, Fate] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    cost: float = 1.0
    dropped: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if "/" not in self.id or self.id != self.id.lower() or " " in self.id:
            raise StatementError(self.id, "its id must read source/name, in lower case and without spaces")
        if not self.claims:
            raise StatementError(self.key, "it claims nothing")
        names = [each.name for each in (*self.hypotheses, *self.claims)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise StatementError(self.key, f"several hypotheses or claims are named {repeated[0]!r}")
        if wrong := [each for each in self.readings if each.id != self.id or each.reading == self.reading]:
            raise StatementError(self.key, f"reading {wrong[0].key!r} must have the same id and a name of its own")

    @property
    def key(self) -> str:
        """The id, with the reading where there are several."""
        return f"{self.id} [{self.reading}]" if self.reading else self.id

    def without(self, name: str) -> Statement:
        """The statement with one hypothesis dropped."""
        rest = tuple(each for each in self.hypotheses if each.name != name)
        return replace(self, hypotheses=rest, dropped=self.dropped | {name})

    def strategy(self) -> SearchStrategy[Instance]:
        """Instances that satisfy the hypotheses."""
        return self.instances(self.dropped)

"""Verdicts: a status, how it is known, and everything that was tried."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofs_checks.constants import Direction
from proofs_checks.instance import Instance
from proofs_checks.proof import JudgedStep, ProofStatus


class Status(enum.Enum):
    """The judgement on a statement. Each value is a sentence: what it means."""

    PROVED = "proved: every step of a proof was checked by a machine or is written out; no attack found a violation"
    SUPPORTED = "supported: no attack found a violation, and there is no complete proof"
    REFUTED = "refuted: an exact counterexample satisfies every hypothesis and violates a claim"
    VACUOUS = "vacuous: it is proved that nothing beyond trivial instances satisfies the hypotheses"
    UNKNOWN = "unknown: too little could be tried, or a violation could not be confirmed exactly"

    @property
    def word(self) -> str:
        """The status in one word, as ledgers and tables write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Evidence:
    """What one attack did and how far it got. ``numbers`` is JSON-serializable."""

    attack: str
    outcome: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Counterexample:
    """An exact instance that satisfies every hypothesis and violates a claim.

    Attributes:
        id: statement, "#" and eight digits made from the statement, the claim and the instance.
        claim: the name of the claim that fails.
        instance: exact values.
        left, right: the claim's sides, exact or as enclosures (midpoint +/- radius).
        relation: what the claim says of them.
    """

    id: str
    claim: str
    instance: Instance
    left: str
    right: str
    relation: str

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        sides = {"left": self.left, "relation": self.relation, "right": self.right}
        return {"id": self.id, "claim": self.claim, "instance": self.instance.to_json(), **sides}


@dataclass(frozen=True)
class Tightness:
    """How far a constant is from the best possible one, as far as the search can tell.

    Attributes:
        constant: its name.
        printed: its value in the statement.
        stronger: "up" or "down", the direction in which the claim becomes stronger.
        not_refuted: the strongest value that no instance at hand refutes; None where every one tried is refuted.
        refuted: the weakest value that is refuted exactly; None where none was.
    """

    constant: str
    printed: str
    stronger: Direction
    not_refuted: str | None
    refuted: str | None


@dataclass(frozen=True)
class MutantResult:
    """One mutant: whether it was refuted, what was known of it, and the counterexample's id."""

    name: str
    refuted: bool
    expected_false: bool | None
    reason: str
    counterexample: str | None


@dataclass(frozen=True)
class MutationReport:
    """How many wrong versions of the statement the engine catches."""

    mutants: tuple[MutantResult, ...]

    @property
    def known_false(self) -> tuple[MutantResult, ...]:
        """Those that are false for a reason given beforehand."""
        return tuple(mutant for mutant in self.mutants if mutant.expected_false)

    @property
    def caught(self) -> int:
        """How many of `known_false` were refuted."""
        return sum(mutant.refuted for mutant in self.known_false)

    @property
    def score(self) -> float | None:
        """caught / known_false; None where no mutant is known to be false."""
        return self.caught / len(self.known_false) if self.known_false else None

    @property
    def mistakes(self) -> tuple[MutantResult, ...]:
        """Mutants that are true for a stated reason and were refuted all the same: one of the two is wrong."""
        return tuple(mutant for mutant in self.mutants if mutant.expected_false is False and mutant.refuted)


@dataclass(frozen=True)
class Verdict:
    """What is known of a statement, in one reading, and how.

    Attributes:
        id, source, title, reading: the statement's.
        status: on the statement. proof_status: on its printed proof.
        because: the main reason for the status, in a sentence.
        hypotheses: their names, "(silent)" behind those that the source uses and does not write.
        steps: the printed proof, judged; own_steps: the project's own proof or the proof of vacuity, judged.
        failing_steps: displays that do not follow as they are written, with what is wrong.
        evidence: of every attack.
        counterexample: where refuted.
        repair: the verdict on the repaired statement, and its text.
        readings: verdicts on the other readings.
        tightness, mutation: see there.
        remarks: the statement's.
        seed, seconds: of the run.
        error: what went wrong, where the statement could not be used.
    """

    id: str
    source: str
    title: str
    text: str
    reading: str
    status: Status
    proof_status: ProofStatus
    because: str
    hypotheses: tuple[str, ...] = ()
    steps: tuple[JudgedStep, ...] = ()
    own_steps: tuple[JudgedStep, ...] = ()
    failing_steps: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    counterexample: Counterexample | None = None
    repair: Verdict | None = None
    readings: tuple[Verdict, ...] = ()
    tightness: tuple[Tightness, ...] = ()
    mutation: MutationReport | None = None
    remarks: tuple[str, ...] = ()
    seed: int = 0
    seconds: float = 0.0
    error: str | None = None

    @property
    def key(self) -> str:
        """The id, with the reading where there are several."""
        return f"{self.id} [{self.reading}]" if self.reading else self.id

    def __str__(self) -> str:
        lines = [f"{self.key}: {self.status.word}, proof {self.proof_status.name.lower()}", f"  {self.because}"]
        if self.counterexample is not None:
            found = self.counterexample
            lines.append(f"  {found.id}: {found.instance!r}")
            lines.append(f"  there, {found.claim}: {found.left} {found.relation} {found.right} fails")
        lines += [f"  step fails: {step}" for step in self.failing_steps]
        if self.repair is not None:
            lines.append(f"  repair ({self.repair.status.word}): {self.repair.text}")
        return "\n".join([*lines, *(str(each) for each in self.readings)])

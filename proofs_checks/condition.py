"""Hypotheses and claims: named inequalities and identities with a slack, and named predicates."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

from flint import arb, fmpq

from margin_projection._validation import check_choice
from proofs_checks.arithmetic import Scalar, is_nan, to_float

Relation = Literal["<=", "<", ">=", ">", "="]
Side = Callable[[SimpleNamespace, SimpleNamespace], Any]  # (quantities, constants) -> number, or tuple of numbers
TURNED: Mapping[str, Relation] = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "=": "="}
ROUNDING = 1e-9  # relative; smaller violations in float64 are not looked at


class Truth(enum.Enum):
    """Whether a condition holds at an instance."""

    TRUE = "It holds, for certain."
    FALSE = "It fails, for certain."
    UNDECIDED = "The enclosures are too wide to tell, or float64 is within rounding of equality."


@dataclass(frozen=True)
class Comparison:
    """Two sides compared at one instance.

    Attributes:
        left, right: the sides, of the component with the least slack.
        slack: how far the condition is from failing (negative: it fails), in units of the sides.
        index: the component, where the sides are tuples (else 0).
        truth: see `Truth`.
    """

    left: Scalar
    right: Scalar
    slack: Scalar
    index: int
    truth: Truth

    @property
    def relative_slack(self) -> float:
        """slack / (|left| + |right|), in [-1, 1]; 0 where both sides vanish, 1 for an infinite slack."""
        slack, scale = to_float(self.slack), abs(to_float(self.left)) + abs(to_float(self.right))
        if math.isinf(slack):
            return math.copysign(1.0, slack)
        return slack / scale if scale > 0.0 and math.isfinite(scale) else 0.0


@dataclass(frozen=True)
class Inequality:
    """left <relation> right, both functions of the quantities and of the constants of a statement.

    Sides may be tuples (a claim for all t): then the relation is meant for every component, and a scalar side is
    compared with each.

    Attributes:
        name: what it says, in a few words.
        left, right: ``(q, c) -> number`` or a tuple of numbers.
        relation: "<=", "<", ">=", ">" or "=".
    """

    name: str
    left: Side
    relation: Relation
    right: Side

    def __post_init__(self) -> None:
        check_choice("relation", self.relation, TURNED)

    def compare(self, quantities: SimpleNamespace, constants: SimpleNamespace) -> Comparison:
        """The comparison at an instance; of the component with the least slack."""
        left, right = self.left(quantities, constants), self.right(quantities, constants)
        pairs = list(enumerate(_paired(left, right)))
        found = [_compare(a, self.relation, b, index) for index, (a, b) in pairs]
        return min(found, key=_order)


@dataclass(frozen=True)
class Hypothesis(Inequality):
    """A hypothesis as an inequality. ``silent``: used, but not written in the source."""

    silent: bool = False


@dataclass(frozen=True)
class Predicate:
    """A hypothesis that is no inequality: ``holds(q, c)`` is True or False (None: cannot be decided).

    ``silent``: used, but not written in the source.
    """

    name: str
    holds: Callable[[SimpleNamespace, SimpleNamespace], bool | None]
    silent: bool = False


@dataclass(frozen=True)
class Claim(Inequality):
    """A claim. ``variants``: name -> a changed claim that mutation tries, such as "expectation removed"."""

    variants: Mapping[str, Inequality] = field(default_factory=dict)


def _paired(left: Any, right: Any) -> list[tuple[Scalar, Scalar]]:
    many = [len(side) for side in (left, right) if isinstance(side, tuple | list)]
    if not many:
        return [(left, right)]
    lefts = left if isinstance(left, tuple | list) else [left] * many[0]
    rights = right if isinstance(right, tuple | list) else [right] * many[0]
    return list(zip(lefts, rights, strict=True))


def _order(comparison: Comparison) -> tuple[int, float]:
    """Certain failures first, then by slack."""
    return (0 if comparison.truth is Truth.FALSE else 1, comparison.relative_slack)


def _compare(left: Scalar, relation: Relation, right: Scalar, index: int) -> Comparison:
    if is_nan(left) or is_nan(right):
        return Comparison(left, right, math.nan, index, Truth.UNDECIDED)
    if relation == "=":
        slack = -abs(left - right)
    elif _same_infinity(left, right):
        slack = 0.0
    else:
        slack = right - left if relation in ("<=", "<") else left - right
    return Comparison(left, right, slack, index, _truth(slack, relation, left, right))


def _same_infinity(left: Scalar, right: Scalar) -> bool:
    ends = [to_float(left), to_float(right)]
    return math.isinf(ends[0]) and ends[0] == ends[1]


def _truth(slack: Scalar, relation: Relation, left: Scalar, right: Scalar) -> Truth:
    if isinstance(slack, float) and (isinstance(left, float) or isinstance(right, float)):
        return _rounded_truth(slack, relation, to_float(left), to_float(right))
    strict = relation in ("<", ">")
    if slack < 0 or (strict and isinstance(slack, fmpq | int) and slack == 0):
        return Truth.FALSE
    if relation == "=":
        return Truth.TRUE if not isinstance(slack, arb) and slack == 0 else Truth.UNDECIDED
    return Truth.TRUE if (slack > 0 if strict else slack >= 0) else Truth.UNDECIDED


def _rounded_truth(slack: float, relation: Relation, left: float, right: float) -> Truth:
    scale = abs(left) + abs(right)
    margin = ROUNDING * scale if math.isfinite(scale) else 0.0
    if slack < -margin:
        return Truth.FALSE
    if relation == "=":
        return Truth.TRUE
    return Truth.TRUE if slack > margin else Truth.UNDECIDED

"""One line of the table of measurements, and what decides whether its requirement is met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A measured quantity, the peer's in the same run, and the requirement.

    Attributes:
        name: what was measured.
        unit: of ``ours`` and ``peer``.
        ours, peer: the two numbers; None where there is no such number.
        ratio: the number that the requirement is about, where it is a ratio.
        requirement: in words ("informational" where there is none).
        met: whether it is met; None where it could not be decided, or where there is none.
        details: everything else worth keeping, JSON-serializable.
    """

    name: str
    unit: str
    ours: float | None
    peer: float | None
    ratio: float | None
    requirement: str
    met: bool | None
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The row as a dictionary of JSON values; numbers that are not finite become text."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def at_most(name: str, unit: str, value: float, bound: float, details: Mapping[str, Any] | None = None) -> Row:
    """A row whose number must not exceed ``bound``."""
    return Row(name, unit, value, None, None, f"at most {bound:g} {unit}".rstrip(), bool(value <= bound), details or {})


def faster(
    name: str, ours: float, peer: float, factor: float, details: Mapping[str, Any] | None = None, *, capped: int = 0
) -> Row:
    """A row of two times, of which the peer's must be ``factor`` times ours.

    ``capped`` peer runs ended at their time limit, so that the ratio is a lower bound: where it is below ``factor``,
    nothing is decided.
    """
    ratio = peer / ours
    sign = ">= " if capped else ""
    met = True if ratio >= factor else None if capped else False
    kept = {**(details or {}), "capped_peer_runs": capped, "ratio_in_words": f"{sign}{ratio:.3g}"}
    return Row(name, "s", ours, peer, ratio, f"at least {factor:g} times faster", met, kept)


def missing(name: str, peer: str, requirement: str) -> Row:
    """The row of a comparison whose peer is not installed."""
    advice = f"peer not installed: {peer} (how to install it: benchmarks/peers/__init__.py)"
    return Row(name, "", None, None, None, requirement, None, {"note": advice})

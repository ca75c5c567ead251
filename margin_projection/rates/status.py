"""How a sequence of distances to C* behaves, in the words of a result."""

from __future__ import annotations

import enum


class RateStatus(enum.Enum):
    """What a run does in the long term. Each member's value is a sentence: what was seen, and what to try next."""

    LINEAR = "The distance to C* tends to 0 by a constant factor a cycle, in the limit: see its interval."
    FINITE = "C* is reached at the reported step: from there on the distance is within rounding of 0."
    SUPERLINEAR = "The distance tends to 0 faster than by any factor: its ratios fall until they meet rounding."
    SUBLINEAR = "The distance decreases more slowly than by any factor: its ratios tend to 1; see the power law."
    CYCLE = "The iterates tend to a periodic orbit of several points, away from C*: see its points."
    ELSEWHERE = "The iterates tend to one point outside C*: see the point and its distance."
    DRIFTING = (
        "The distance levels off above 0, and the iterates settle neither at a point nor on a periodic orbit "
        "of up to 4 cycles, as far as the run goes."
    )
    IN_SET = "The run starts in C*, within rounding, and stays there: there is no rate to observe."
    TOO_SHORT = "Too few distances above rounding for a rate; run longer, or start farther away."
    UNDECIDED = (
        "None of the above fits what was measured: the interval of a fitted rate does not exclude 1, or its slopes "
        "drift; run longer."
    )

    @property
    def converges(self) -> bool:
        """Whether the distances measured speak for convergence to C*."""
        return self in (
            RateStatus.LINEAR,
            RateStatus.FINITE,
            RateStatus.SUPERLINEAR,
            RateStatus.SUBLINEAR,
            RateStatus.IN_SET,
        )

"""An interval around a number that cannot be computed exactly, and how each of its ends was obtained."""

from __future__ import annotations

import math
from dataclasses import dataclass

_CONTRADICTION = 1e-7  # relative excess of a value met over a proved bound that rounding explains
_TINY = 1e-12


@dataclass(frozen=True)
class Interval:
    """lower <= quantity <= upper.

    Attributes:
        lower: at least this; proved where ``lower_proved``, else a value met by a search (a *sampled* lower bound).
        upper: at most this, always proved; infinite where nothing is known.
        lower_method, upper_method: how the ends were obtained, in words.
        lower_proved: whether the lower end is proved, too.
    """

    lower: float
    upper: float
    lower_method: str
    upper_method: str
    lower_proved: bool = True

    def __post_init__(self) -> None:
        assert not (math.isnan(self.lower) or math.isnan(self.upper)), (self.lower_method, self.upper_method)

    @classmethod
    def exact(cls, value: float, method: str) -> Interval:
        """Both ends the same number."""
        return cls(value, value, method, method)

    @classmethod
    def between(cls, met: float, proved: float, lower_method: str, upper_method: str, lower_proved: bool) -> Interval:
        """[value met, proved upper bound]; a value beyond the bound by more than rounding is an error of this software.

        Raises:
            ArithmeticError: the two contradict one another.
        """
        if met > proved * (1.0 + _CONTRADICTION) + _TINY:
            raise ArithmeticError(f"{met!r} was met ({lower_method}) beyond the bound {proved!r} ({upper_method})")
        return cls(min(met, proved), proved, lower_method, upper_method, lower_proved)

    @property
    def is_bounded(self) -> bool:
        """Whether the upper end is finite."""
        return math.isfinite(self.upper)

    def contains(self, value: float, tolerance: float = 0.0) -> bool:
        """Whether ``value`` lies inside, up to a relative ``tolerance`` at each end."""
        slack = tolerance * max(1.0, abs(value))
        return self.lower - slack <= value <= self.upper + slack

    def __str__(self) -> str:
        sign = "" if self.lower_proved else "~"
        return f"[{sign}{self.lower:.4g}, {self.upper:.4g}]"

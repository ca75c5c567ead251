"""How large the measurements are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The size of a run.

    Attributes:
        quick: fewer instances and short limits for the peers: under two minutes in all.
        tiny: configurations that a test can afford; their numbers mean nothing.
        threads: of torch, of the BLAS libraries, and so of every peer that uses threads.
    """

    quick: bool = False
    tiny: bool = False
    threads: int = 2

    def pick(self, full: int, quick: int, tiny: int) -> int:
        """The number for this size of run."""
        return tiny if self.tiny else quick if self.quick else full

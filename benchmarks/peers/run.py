"""What a peer returns, and what every peer is given: the same callbacks."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PeerRun:
    """Where a peer ended.

    Attributes:
        point: (p,).
        seconds: wall clock of the whole call.
        outcome: its own words or code for how it ended.
        capped: whether it ended at the time limit.
        evaluations: of the constraints' Jacobian.
    """

    point: np.ndarray
    seconds: float
    outcome: str
    capped: bool
    evaluations: int


def installed(*modules: str) -> bool:
    """Whether all the modules can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in modules)

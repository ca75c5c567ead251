"""Ours against a peer on the same projections, in turns: what both digits benchmarks report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import margin_projection as mp
from benchmarks.callbacks import Callbacks
from benchmarks.peers.run import PeerRun
from benchmarks.timing import timed
from margin_projection.networks import FullyConnected
from margin_projection.projections import Projection
from margin_projection.tasks import Task

START_SCALE = 0.5  # of He initialization
RELATIVE = 1e-6  # a distance larger by less counts as no worse
FEASIBLE = 1e-6  # a peer's point that violates more is no competitor

Solver = Callable[[Callbacks], PeerRun]


@dataclass(frozen=True)
class Ours:
    """One projection of ours."""

    seed: int
    seconds: float
    distance: float
    success: bool
    status: str
    violation: float
    stationarity: float
    jacobian_equivalents: float


@dataclass(frozen=True)
class Pair:
    """One projection by both.

    ``excess`` is our distance over the peer's, less 1; nan where the peer has no feasible point.
    """

    ours: Ours
    peer_seconds: float
    peer_distance: float
    peer_violation: float
    peer_outcome: str
    peer_capped: bool
    excess: float

    @property
    def no_worse(self) -> bool:
        """Whether ours succeeded, with a distance no larger than the peer's (any where it has no feasible point)."""
        return self.ours.success and not self.excess > RELATIVE


def measure(model: FullyConnected, task: Task, seed: int, starts: int) -> Ours:
    """Project 0.5 x He initialization once."""
    start = model.initialize(seed, scale=START_SCALE)
    target = mp.MarginSet(model, task)
    projection, seconds = timed(lambda: mp.project(start, target, starts=starts, throw=False))
    return _ours(projection, seed, seconds)


def _ours(projection: Projection, seed: int, seconds: float) -> Ours:
    residuals = projection.residuals
    return Ours(
        seed, seconds, projection.distance, projection.status.is_success, projection.status.name, residuals.feasibility,
        residuals.stationarity, projection.counts.jacobian_equivalents,
    )  # fmt: skip


def confront(ours: Ours, model: FullyConnected, task: Task, solve: Solver) -> Pair:
    """Give the peer the start of ``ours``."""
    callbacks = Callbacks(model, task, model.initialize(ours.seed, scale=START_SCALE))
    run = solve(callbacks)
    distance, violation = callbacks.distance(run.point), callbacks.violation(run.point)
    excess = ours.distance / distance - 1.0 if violation <= FEASIBLE else float("nan")
    return Pair(ours, run.seconds, distance, violation, run.outcome, run.capped, excess)


def medians(pairs: Iterable[Pair]) -> tuple[float, float]:
    """Median seconds, ours and the peer's."""
    table = np.array([(pair.ours.seconds, pair.peer_seconds) for pair in pairs])
    ours, peer = np.median(table, axis=0)
    return float(ours), float(peer)


def as_details(records: Iterable[Ours | Pair]) -> dict[str, Any]:
    """The records as a JSON-serializable list."""
    return {"instances": [asdict(record) for record in records]}


def distance_details(pairs: list[Pair]) -> dict[str, Any]:
    """Where ours lost, and by how much."""
    excesses = [pair.excess for pair in pairs if np.isfinite(pair.excess)]
    return {
        "no_worse": sum(pair.no_worse for pair in pairs),
        "instances": len(pairs),
        "strictly_better": sum(excess < -RELATIVE for excess in excesses),
        "comparable": len(excesses),
        "largest_excess": max(excesses, default=float("nan")),
        "lost": {str(pair.ours.seed): pair.excess for pair in pairs if not pair.no_worse},
    }

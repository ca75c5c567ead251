"""Ours against a peer on the same projections, in turns: what both digits benchmarks report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import margin_projection as mp
from benchmarks.callbacks import Callbacks
from benchmarks.peers.run import PeerRun
from benchmarks.row import Row
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
    def lost(self) -> bool:
        """Whether ours failed, or found a larger distance than the peer."""
        return not self.ours.success or self.excess > RELATIVE

    @property
    def no_worse(self) -> bool:
        """Whether ours succeeded, no farther than a feasible point of the peer; false where the peer has none."""
        return self.ours.success and self.excess <= RELATIVE


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


def distance_row(name: str, pairs: list[Pair], share: float) -> Row:
    """Whether ours is no worse on at least ``share`` of the instances.

    A peer that ended without a feasible point proves nothing either way: the requirement is met where it would be even
    if all those were lost, not met where it would fail even if all were won, and open in between.
    """
    excesses = [pair.excess for pair in pairs if np.isfinite(pair.excess)]
    lost, no_worse, total = sum(pair.lost for pair in pairs), sum(pair.no_worse for pair in pairs), len(pairs)
    met = True if no_worse >= share * total else False if total - lost < share * total else None
    details = {
        "instances": total, "no_worse": no_worse, "comparable": len(excesses),
        "peer_capped": sum(pair.peer_capped for pair in pairs),
        "strictly_better": sum(excess < -RELATIVE for excess in excesses),
        "largest_excess": max(excesses, default=float("nan")),
        "lost": {str(pair.ours.seed): pair.excess for pair in pairs if pair.lost},
        "ratio_in_words": f"{no_worse} of {len(excesses)} comparable",
    }  # fmt: skip
    requirement = f"no worse (relative {RELATIVE:g}) on at least {share:.0%} of {total}"
    return Row(name, "instances no worse", float(no_worse), float(total), no_worse / total, requirement, met, details)

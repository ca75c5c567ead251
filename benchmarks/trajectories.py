"""Trajectories on Theorem 5's tasks from many starts at once, against a loop over SLSQP."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

import margin_projection as mp
from benchmarks.row import Row, faster
from benchmarks.settings import Settings
from benchmarks.timing import timed
from margin_projection import tasks
from margin_projection.networks import SquaredLinear

TITLE = "Theorem 5's tasks"


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """The time of the points, certificates included, without distances to every set (the peer measures none).

    The peer runs on the first few starts, and its time is scaled to all of them: its loop knows no batches.
    """
    runs, steps = settings.pick(1000, 1000, 6), settings.pick(100, 100, 4)
    subset = settings.pick(20, 5, 2)
    pair = tasks.catastrophic_pair(eps=0.005)
    starts = np.random.default_rng(0).standard_normal((runs, 4))
    mp.sequential_projections(SquaredLinear(2), pair, start=starts[:2], num_steps=2, measure="none")  # warms up
    peer_steps, peer_seconds = timed(lambda: [_slsqp_trajectory(pair, start, steps) for start in starts[:subset]])
    report(f"{TITLE}: SLSQP, {subset} trajectories in {peer_seconds:.1f} s")
    trajectory, seconds = timed(
        lambda: mp.sequential_projections(SquaredLinear(2), pair, start=starts, num_steps=steps, measure="none")
    )
    report(f"{TITLE}: ours, {runs} trajectories in {seconds:.2f} s")
    ours_steps = np.linalg.norm(np.diff(trajectory.points[:subset], axis=1), axis=2)
    details = {"peer_measured_on": subset, "peer_scaled_to": runs, "steps": steps, **_compare(ours_steps, peer_steps)}
    details["largest_gap"] = float(np.nanmax(trajectory.gaps))
    name = f"{TITLE}, {runs} x {steps} steps: time against a loop over SLSQP (scaled from {subset})"
    return [faster(name, seconds, peer_seconds * runs / subset, 100.0, details)]


def _compare(ours: np.ndarray, peer: list[np.ndarray]) -> dict[str, float]:
    """First steps, which leave from the same point: how many of ours are longer than the peer's feasible ones."""
    first = np.array([steps[0] for steps in peer])
    return {
        "first_steps_longer_than_peer": float((ours[:, 0] > first * (1 + 1e-6) + 1e-9).sum()),
        "first_steps_shorter_than_peer": float((ours[:, 0] < first * (1 - 1e-6) - 1e-9).sum()),
    }


def _slsqp_trajectory(pair: list[tasks.Task], start: np.ndarray, steps: int) -> np.ndarray:
    """The lengths of the steps of one trajectory, each step one call of SLSQP with closed-form derivatives."""
    point, lengths = start, []
    for step in range(steps):
        moved = _slsqp_projection(pair[step % 2].X[0], point)
        lengths.append(np.linalg.norm(moved - point))
        point = moved
    return np.array(lengths)


def _slsqp_projection(x: np.ndarray, start: np.ndarray) -> np.ndarray:
    signed = np.concatenate([x, -x])
    constraint = {"type": "ineq", "fun": lambda w: signed @ (w * w) - 1.0, "jac": lambda w: 2.0 * signed * w}
    return minimize(
        lambda w: 0.5 * float((w - start) @ (w - start)), start, jac=lambda w: w - start, method="SLSQP",
        constraints=[constraint], options={"maxiter": 200, "ftol": 1e-12},
    ).x  # fmt: skip

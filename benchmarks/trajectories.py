"""Trajectories on Theorem 5's tasks from many starts at once, against a loop over SLSQP."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import minimize

import margin_projection as mp
from benchmarks.row import Row, faster
from benchmarks.settings import Settings
from margin_projection import tasks
from margin_projection.networks import SquaredLinear

TITLE = "Theorem 5's tasks"


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """The time of the points, certificates included, without distances to every set (the peer measures none).

    The peer runs on the first few starts, and its time is scaled to all of them: its loop knows no batches. Times are
    medians of the process's own (CPU) seconds over alternating calls, on one thread: both sides use no more.
    """
    runs, steps = settings.pick(1000, 1000, 6), settings.pick(100, 100, 4)
    subset, repetitions = settings.pick(20, 5, 2), settings.pick(5, 3, 1)
    pair = tasks.catastrophic_pair(eps=0.005)
    starts = np.random.default_rng(0).standard_normal((runs, 4))
    calls: list[Callable[[], object]] = [
        lambda: _ours(pair, starts, steps, "none"),
        lambda: _peer(pair, starts[:subset], steps),
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        calls[0]()  # warms up
        seconds, peer_seconds = _alternate(calls, repetitions)
        report(f"{TITLE}: ours, {runs} trajectories in {seconds:.3f} s; SLSQP, {subset} in {peer_seconds:.2f} s")
        (with_sets,) = _alternate([lambda: _ours(pair, starts, steps, "sets")], repetitions)
        with_all = _cpu_seconds(lambda: _ours(pair, starts, steps, "all"))
    finally:
        torch.set_num_threads(threads)
    trajectory = _ours(pair, starts, steps, "none")
    ours_steps = np.linalg.norm(np.diff(trajectory.points[:subset], axis=1), axis=2)
    details = {
        "peer_measured_on": subset,
        "peer_scaled_to": runs,
        "steps": steps,
        "repetitions": repetitions,
        "clock": "CPU time of the process, one thread, medians",
        **_compare(ours_steps, _peer(pair, starts[:subset], steps)),
        "all_certified_global": bool((trajectory.statuses == "GLOBAL").all()),
        "largest_gap": float(np.nanmax(trajectory.gaps)),
        "ours_with_distances_to_each_set": with_sets,
        "ours_with_distances_to_the_joint_set_too": with_all,
    }
    name = f"{TITLE}, {runs} x {steps} steps: CPU time against a loop over SLSQP (scaled from {subset})"
    return [faster(name, seconds, peer_seconds * runs / subset, 100.0, details)]


def _ours(pair: list[tasks.Task], starts: np.ndarray, steps: int, measure: str) -> mp.Trajectory:
    return mp.sequential_projections(SquaredLinear(2), pair, start=starts, num_steps=steps, measure=measure)


def _peer(pair: list[tasks.Task], starts: np.ndarray, steps: int) -> list[np.ndarray]:
    return [_slsqp_trajectory(pair, start, steps) for start in starts]


def _alternate(calls: Sequence[Callable[[], object]], repetitions: int) -> list[float]:
    """The median CPU seconds of each call, called in turns so that a busy machine slows all alike."""
    seconds = [[_cpu_seconds(call) for call in calls] for _ in range(repetitions)]
    return [float(each) for each in np.median(seconds, axis=0)]


def _cpu_seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


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

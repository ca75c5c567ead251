"""Digits 0 vs 1, two layers, squared ReLU: effort, residuals, IPOPT (width 128) and SLSQP (width 16)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.comparison import Ours, Solver, as_details, confront, distance_row, measure, medians
from benchmarks.peers.ipopt import solve_with_ipopt
from benchmarks.peers.run import installed
from benchmarks.peers.slsqp import solve_with_slsqp
from benchmarks.row import Row, at_most, faster, missing
from benchmarks.settings import Settings
from margin_projection import tasks
from margin_projection.networks import FullyConnected

TITLE = "digits, squared ReLU"


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Rows for width 128 against IPOPT and for width 16 against SLSQP, one start each."""
    seeds = settings.pick(20, 3, 1)
    cap = float(settings.pick(120, 12, 2))
    wide, narrow = settings.pick(128, 128, 4), settings.pick(16, 16, 4)
    projections = [_project(settings, wide, seed) for seed in range(-1, seeds)][1:]  # the first one warms up
    report(f"{TITLE}: {len(projections)} projections of width {wide}")
    rows = _own_rows(wide, projections)
    rows += _against(settings, wide, projections, "cyipopt", 50.0, lambda each: solve_with_ipopt(each, cap), report)
    projections = [_project(settings, narrow, seed) for seed in range(seeds)]
    rows += _against(settings, narrow, projections, "scipy", 10.0, lambda each: solve_with_slsqp(each, cap), report)
    return rows


def _project(settings: Settings, width: int, seed: int) -> Ours:
    return measure(*_instance(settings, width), seed if seed >= 0 else 1000, starts=1)


def _instance(settings: Settings, width: int) -> tuple[FullyConnected, tasks.Task]:
    (task,) = tasks.digits(pairs=[(0, 1)], samples=settings.pick(100, 100, 12), seed=0)
    return FullyConnected((64, width, 1), "squared_relu"), task


def _own_rows(width: int, projections: list[Ours]) -> list[Row]:
    def gather(name: str) -> list[float]:
        return [float(getattr(each, name)) for each in projections]

    name = f"{TITLE}, width {width}"
    effort = gather("jacobian_equivalents")
    details = {**as_details(projections), "aim": 15, "failed": sum(not each.success for each in projections)}
    return [
        at_most(f"{name}: median effort", "Jacobian equivalents", float(np.median(effort)), 25.0, details),
        at_most(f"{name}: largest stationarity", "", max(gather("stationarity")), 1e-9),
        at_most(f"{name}: largest violation", "", max(gather("violation")), 1e-9),
    ]


def _against(
    settings: Settings,
    width: int,
    projections: list[Ours],
    peer: str,
    factor: float,
    solve: Solver,
    report: Callable[[str], None],
) -> list[Row]:
    name = f"{TITLE}, width {width}"
    if not installed(peer):
        return [missing(f"{name}: time against {peer}", peer, f"at least {factor:g} times faster")]
    model, task = _instance(settings, width)
    pairs = []
    for ours in projections:
        # Ours once more right before the peer: both then meet the machine in the same state.
        pairs.append(confront(measure(model, task, ours.seed, starts=1), model, task, solve))
        report(f"{name}: seed {ours.seed}, {peer} {pairs[-1].peer_seconds:.1f} s, {pairs[-1].peer_outcome}")
    capped = sum(pair.peer_capped for pair in pairs)
    return [
        faster(f"{name}: time against {peer}", *medians(pairs), factor, as_details(pairs), capped=capped),
        distance_row(f"{name}: distance against {peer}", pairs, 1.0),
    ]

"""Digits 0 vs 1, width 32, ReLU: stationarity at kinks, and PyGRANSO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.comparison import Ours, Pair, as_details, confront, distance_row, measure, medians
from benchmarks.peers.pygranso import solve_with_pygranso
from benchmarks.peers.run import installed
from benchmarks.row import Row, at_most, faster, missing
from benchmarks.settings import Settings
from margin_projection import tasks
from margin_projection.networks import FullyConnected

TITLE = "digits, ReLU, width 32"
FACTOR, SHARE = 20.0, 0.95


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Rows with one start and with the default four, against one run of PyGRANSO from the same start."""
    cap = float(settings.pick(60, 8, 2))
    seeds = range(settings.pick(20, 3, 1))
    (task,) = tasks.digits(pairs=[(0, 1)], samples=settings.pick(100, 100, 8), seed=0)
    model = FullyConnected((64, settings.pick(32, 32, 2), 1), "relu")
    measure(model, task, 1000, starts=1)  # warms up
    ours = {starts: [measure(model, task, seed, starts) for seed in seeds] for starts in (1, 4)}
    report(f"{TITLE}: {2 * len(seeds)} projections")
    rows = [
        at_most(
            f"{TITLE}, {_words(starts)}: largest stationarity at kinks", "", max(each.stationarity for each in runs),
            1e-8, {**as_details(runs), "failed": sum(not each.success for each in runs)},
        )
        for starts, runs in ours.items()
    ]  # fmt: skip
    if not installed("pygranso", "osqp"):
        return [*rows, missing(f"{TITLE}: time against PyGRANSO", "pygranso", f"at least {FACTOR:g} times faster")]
    pairs: dict[int, list[Pair]] = {1: [], 4: []}
    for seed in seeds:
        first = confront(ours[1][seed], model, task, lambda callbacks: solve_with_pygranso(callbacks, cap))
        pairs[1].append(first)
        pairs[4].append(_again(first, ours[4][seed]))
        report(f"{TITLE}: seed {seed}, PyGRANSO {first.peer_seconds:.1f} s, {first.peer_outcome}")
    return rows + [row for starts, each in pairs.items() for row in _rows(starts, each, cap)]


def _again(pair: Pair, ours: Ours) -> Pair:
    """The same run of the peer against another one of ours."""
    return replace(pair, ours=ours, excess=(1.0 + pair.excess) * ours.distance / pair.ours.distance - 1.0)


def _rows(starts: int, pairs: list[Pair], cap: float) -> list[Row]:
    name = f"{TITLE}, {_words(starts)}"
    capped = sum(pair.peer_capped for pair in pairs)
    details = {**as_details(pairs), "peer_limit_seconds": cap}
    return [
        faster(f"{name}: time against PyGRANSO", *medians(pairs), FACTOR, details, capped=capped),
        distance_row(f"{name}: distance against PyGRANSO", pairs, SHARE),
    ]


def _words(starts: int) -> str:
    return "one start" if starts == 1 else f"{starts} starts"

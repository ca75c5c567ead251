"""SciPy's SLSQP."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import minimize

from benchmarks.callbacks import Callbacks
from benchmarks.peers.run import PeerRun


class _OutOfTime(Exception):
    """Raised inside a callback: SLSQP has no time limit of its own."""


def solve_with_slsqp(callbacks: Callbacks, max_seconds: float, tolerance: float = 1e-12) -> PeerRun:
    """Minimize 1/2 ||theta - start||^2 subject to c >= 0, from the start."""
    begin = time.perf_counter()
    last = callbacks.start

    def watch(theta: np.ndarray) -> None:
        nonlocal last
        last = theta.copy()
        if time.perf_counter() - begin > max_seconds:
            raise _OutOfTime

    constraint = {"type": "ineq", "fun": callbacks.constraints, "jac": callbacks.jacobian}
    try:
        result = minimize(
            callbacks.objective, callbacks.start, jac=callbacks.gradient, constraints=[constraint], method="SLSQP",
            callback=watch, options={"maxiter": 1000, "ftol": tolerance},
        )  # fmt: skip
    except _OutOfTime:
        return PeerRun(last, time.perf_counter() - begin, "time limit", True, callbacks.jacobians)
    seconds = time.perf_counter() - begin
    return PeerRun(result.x, seconds, f"{result.status}: {result.message}", False, callbacks.jacobians)

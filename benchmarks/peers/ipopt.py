"""IPOPT through cyipopt, with a limited-memory Hessian."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.callbacks import Callbacks
from benchmarks.peers.run import PeerRun

_OUT_OF_TIME = (-4, -5)  # maximum CPU time (one thread: the wall time), maximum wall time


class _Problem:
    """The method names that cyipopt asks for."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.objective, self.gradient, self.constraints = callbacks.objective, callbacks.gradient, callbacks.constraints
        self._callbacks = callbacks

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        return self._callbacks.jacobian(theta).ravel()


def solve_with_ipopt(callbacks: Callbacks, max_seconds: float, tolerance: float = 1e-8) -> PeerRun:
    """Minimize 1/2 ||theta - start||^2 subject to c >= 0, from the start."""
    import cyipopt

    size, count = callbacks.size, callbacks.count
    begin = time.perf_counter()
    problem = cyipopt.Problem(
        n=size, m=count, problem_obj=_Problem(callbacks), lb=np.full(size, -1e20), ub=np.full(size, 1e20),
        cl=np.zeros(count), cu=np.full(count, 1e20),
    )  # fmt: skip
    options = {
        "hessian_approximation": "limited-memory", "tol": tolerance, "max_cpu_time": max_seconds, "max_iter": 3000,
        "print_level": 0, "sb": "yes",
    }  # fmt: skip
    for key, value in options.items():
        problem.add_option(key, value)
    point, info = problem.solve(callbacks.start.copy())
    seconds = time.perf_counter() - begin
    message = info["status_msg"]
    words = message.decode() if isinstance(message, bytes) else str(message)
    return PeerRun(point, seconds, f"{info['status']}: {words}", info["status"] in _OUT_OF_TIME, callbacks.jacobians)

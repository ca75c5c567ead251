"""PyGRANSO (BFGS-SQP for nonsmooth constrained problems), with gradients in closed form.

Release 1.2.0 imports a name that numpy 2 dropped and a commercial solver that it uses only where asked to; both are
stood in for while it is imported, nothing else is changed.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from benchmarks.callbacks import Callbacks
from benchmarks.peers.run import PeerRun

_OUT_OF_TIME = 5


@contextmanager
def _stand_ins() -> Iterator[None]:
    """What the release's imports need and current environments lack."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import numpy.core.numeric as numeric

        if not hasattr(numeric, "Inf"):
            numeric.Inf = np.inf
        added = []
        for name, attributes in (("gurobipy", ("GRB",)), ("tkinter", ()), ("tkinter.messagebox", ("NO",))):
            if name not in sys.modules and importlib.util.find_spec(name.split(".")[0]) is None:
                module = types.ModuleType(name)
                for attribute in attributes:
                    setattr(module, attribute, None)
                sys.modules[name] = module
                added.append(name)
        try:
            yield
        finally:
            for name in added:
                del sys.modules[name]


def _load() -> tuple[Any, Any]:
    with _stand_ins():
        from pygranso.pygranso import pygranso
        from pygranso.pygransoStruct import pygransoStruct
    return pygranso, pygransoStruct


def solve_with_pygranso(
    callbacks: Callbacks, max_seconds: float, tolerance: float = 1e-8, violation: float = 1e-9
) -> PeerRun:
    """Minimize 1/2 ||theta - start||^2 subject to c >= 0, from the start; full-memory BFGS, as recommended."""
    pygranso, structure = _load()
    size = callbacks.size

    def combined(variables: Any) -> list[Any]:
        theta = variables.theta.detach().numpy()[:, 0].copy()
        violated = torch.from_numpy(-callbacks.constraints(theta))[:, None]
        gradients = torch.from_numpy(-callbacks.jacobian(theta).T)
        objective_gradient = torch.from_numpy(callbacks.gradient(theta))[:, None]
        return [callbacks.objective(theta), objective_gradient, violated, gradients, None, None]

    options = structure()
    settings = {
        "x0": torch.from_numpy(callbacks.start.copy())[:, None], "globalAD": False, "print_level": 0,
        "opt_tol": tolerance, "viol_ineq_tol": violation, "maxit": 100_000, "maxclocktime": max_seconds,
        "quadprog_info_msg": False, "prescaling_info_msg": False, "torch_device": torch.device("cpu"),
    }  # fmt: skip
    for key, value in settings.items():
        setattr(options, key, value)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = pygranso(var_spec={"theta": [size, 1]}, combined_fn=combined, user_opts=options)
    seconds = time.perf_counter() - begin
    code = int(result.termination_code)
    best = result.best if hasattr(result, "best") else result.most_feasible
    point = best.x.detach().numpy()[:, 0]
    return PeerRun(point, seconds, f"termination code {code}", code == _OUT_OF_TIME, callbacks.jacobians)

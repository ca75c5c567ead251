"""What a scaling by groups gives near a point of C* where there is no common degree.

Let f(x; (c^{w_g} theta_g)_g) = c^d f(x; theta) with w >= 0, d > 0 and f locally Lipschitz, and v = (w_g theta_g)_g.
Then <g, v> = d f(x; theta) for every Clarke subgradient g (Euler's identity where f is differentiable, then limits). So
at theta* in C* every active constraint y f = 1 has the slope d along v: Lemma C.9 holds with margin d / ||v|| in place
of r / ||theta*||, and Lemma C.5 with kappa = G ||v|| / d near theta*. A network with a bias-free linear last layer
always has such a scaling, that of this layer alone.

Where d > max_g w_g, f grows faster than ||theta|| along it, so it is not globally Lipschitz; where d > 2 max_g w_g,
faster than ||theta||^2, so it is not globally smooth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from margin_projection.diagnosis.condition import Condition, Verdict
from margin_projection.diagnosis.conditions import undecided
from margin_projection.networks.module_function import ModuleFunction
from margin_projection.tasks.task import Task

_ACTIVE = 1e-7
_WHAT = "no common degree, and these bounds are for homogeneous networks alone"


def weighted_conditions(
    function: ModuleFunction, tasks: Sequence[Task], theta: Tensor, powers: Tensor, degree: float
) -> list[Condition]:
    """The conditions at theta* in C*, for classification tasks.

    Args:
        function: the network.
        tasks: all of them.
        theta: (p,) the point of C*.
        powers: (p,) the weight w of each parameter's group.
        degree: d.
    """
    found = {each.name: each for each in undecided(_WHAT)}
    _refute_global(found, float(degree / powers.max()))
    slope, steepest, count = _slopes(function, tasks, theta, powers)
    length = float((powers * theta).norm())
    if count == 0 or length == 0.0:
        return list(found.values())
    margin = slope / length
    numbers = {"margin at least": margin, "d / ||v||": degree / length, "active constraints": float(count)}
    how = "Euler's identity by groups: the direction (w_g theta_g) has slope d on every active constraint"
    _replace(found, "MFCQ with margin", how, numbers)
    modulus = {"modulus at most": 1.0 / margin}
    _replace(found, "metric regularity of C*", "follows from MFCQ with margin for inequalities", modulus)
    kappa = {"kappa in the limit at most": steepest * length / slope}
    _replace(
        found, "kappa-linear regularity", "Lemma C.5 along the same direction, on small balls around theta*", kappa
    )
    return list(found.values())


def _refute_global(found: dict[str, Condition], growth: float) -> None:
    """f grows like ||theta||^growth along the scaling, from the point theta*, where f is not 0."""
    numbers = {"growth along the scaling": growth}
    for name, most in (("f globally G-Lipschitz, as printed", 1.0), ("f globally beta-smooth, as printed", 2.0)):
        if growth > most:
            how = f"along the scaling by groups f grows like ||theta||^{growth:g}, which no finite constant allows"
            found[name] = Condition(found[name].theorem, name, Verdict.FAILS, how, numbers)


def _replace(found: dict[str, Condition], name: str, how: str, numbers: dict[str, float]) -> None:
    found[name] = Condition(found[name].theorem, name, Verdict.HOLDS, how, numbers)


def _slopes(function: ModuleFunction, tasks: Sequence[Task], theta: Tensor, powers: Tensor) -> tuple[float, float, int]:
    """The least slope along (w_g theta_g)_g, the largest gradient's norm, and the number of active constraints."""
    slopes, norms = [], []
    for task in tasks:
        leaf = theta.detach().clone().requires_grad_()
        with torch.enable_grad():
            margins = torch.tensor(task.y) * function.outputs(leaf, torch.tensor(task.X))
        for margin in margins[margins <= 1.0 + _ACTIVE]:
            (slope,) = torch.autograd.grad(margin, leaf, retain_graph=True, materialize_grads=True)
            slopes.append(float(slope @ (powers * theta)))
            norms.append(float(slope.norm()))
    return min(slopes, default=np.inf), max(norms, default=0.0), len(slopes)

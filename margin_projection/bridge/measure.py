"""One Gram matrix K = J J^T of output gradients, read on both sides.

Curvature: K/n has the nonzero spectrum of the generalized Gauss-Newton matrix of the mean squared error; its
epsilon-rank counts eigenvalues above eps. Regularity: the best margin of MFCQ is the distance from 0 to the hull of
the signed gradients, min over the simplex of sqrt(l^T Y K Y l); regression sets have the least singular value of J,
and with the set of the task before the least principal angle of both tangent spaces. docs/bridge.md proves how these
bound one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy, to_tensor
from margin_projection._validation import InputError, check_real
from margin_projection.networks.base import Model
from margin_projection.projections.dual_qp import least_distance
from margin_projection.tasks import Task

_DEPENDENT = 1e-7  # singular values below this share of the largest count as 0 in the basis of a row space


@dataclass(frozen=True)
class Bridge:
    """Both readings of one Gram matrix.

    Attributes:
        eigenvalues: (n,) of K/n, descending, nonnegative up to rounding.
        epsilon_rank: how many exceed eps.
        eps: the threshold.
        least_singular: of J, 0 where gradients depend on one another up to rounding.
        margin: (lower, upper) ends of the best MFCQ margin over all unit directions, both from products with K; (0,
            upper) where no direction was found.
        angle: the least nonzero principal angle between the row spaces of J and of the task before, in radians; None
            without one, or where all gradients of a task vanish.
        cycle_rate: cos(angle)^2, what a cycle of projections between the tangent spaces leaves of the distance; None
            likewise.
    """

    eigenvalues: np.ndarray
    epsilon_rank: int
    eps: float
    least_singular: float
    margin: tuple[float, float]
    angle: float | None
    cycle_rate: float | None

    def row(self) -> dict[str, Any]:
        """The numbers by name, as tables hold them."""
        return {
            "epsilon_rank": self.epsilon_rank, "least_singular": self.least_singular, "mfcq_margin": self.margin[0],
            "largest_eigenvalue": float(self.eigenvalues[0]), "cycle_rate": self.cycle_rate,
        }  # fmt: skip


def bridge(model: Model, theta: Any, task: Task, *, eps: float = 0.01, previous: Task | None = None) -> Bridge:
    """Measure at theta, for the data of ``task``.

    Args:
        model: homogeneous.
        theta: (p,) array or tensor; at kinks the pieces that the model takes.
        task: its labels sign the gradients, which only the margin depends on.
        eps: above 0 (default 0.01).
        previous: the task before, for the angle.

    Raises:
        InputError: shapes do not fit, or eps is not positive.
    """
    eps = check_real("eps", eps, 0.0)
    if eps == 0.0:
        raise InputError("eps", eps, "above 0")
    J = _jacobian(model, theta, task)
    signs = np.sign(to_numpy(to_tensor("task.y", task.y)))
    gram = J @ J.T
    values = np.clip(np.linalg.eigvalsh(gram / len(gram))[::-1], 0.0, None)
    angle = None if previous is None else _angle(_jacobian(model, theta, previous), J)
    return Bridge(
        values,
        int((values > eps).sum()),
        eps,
        float(np.linalg.svd(J, compute_uv=False)[-1]) if len(J) <= J.shape[1] else 0.0,
        _margin(signs[:, None] * gram * signs),
        angle,
        None if angle is None else float(np.cos(angle) ** 2),
    )


def _jacobian(model: Model, theta: Any, task: Task) -> np.ndarray:
    """(n, p) gradients of the outputs."""
    point = torch.as_tensor(theta, dtype=torch.float64)
    X = model.inputs_to_tensor(task.X, point.device)

    def outputs(parameters: Tensor) -> Tensor:
        return model.forward(parameters, X)

    return np.asarray(torch.func.jacrev(outputs)(point).numpy(force=True))


def _margin(gram: np.ndarray) -> tuple[float, float]:
    """The distance from 0 to the hull of vectors with this Gram matrix: a lower and an upper bound."""
    count = len(gram)
    uniform = float(np.sqrt(max(gram.mean(), 0.0)))
    solution = least_distance(gram, np.ones(count), np.zeros(count, dtype=bool))
    weights = None if solution.multipliers is None else np.clip(solution.multipliers, 0.0, None)
    if weights is None or not np.isfinite(weights).all() or weights.sum() <= 0.0:
        return 0.0, uniform
    products = gram @ weights
    length = float(np.sqrt(max(weights @ products, 0.0)))
    upper = min(uniform, length / float(weights.sum()))
    lower = float(products.min()) / length if length > 0.0 else 0.0
    return min(max(lower, 0.0), upper), upper


def _angle(first: np.ndarray, second: np.ndarray) -> float | None:
    """The least principal angle above rounding between two row spaces (the Friedrichs angle); None where one is {0}."""
    bases = _row_basis(first), _row_basis(second)
    if not all(map(len, bases)):
        return None
    cosines = np.linalg.svd(bases[0] @ bases[1].T, compute_uv=False)
    apart = cosines[cosines < 1.0 - 1e-12]
    return float(np.arccos(apart.max(initial=0.0)))


def _row_basis(J: np.ndarray) -> np.ndarray:
    _, values, rows = np.linalg.svd(J, full_matrices=False)
    return rows[values > _DEPENDENT * values[0]] if values[0] > 0.0 else rows[:0]

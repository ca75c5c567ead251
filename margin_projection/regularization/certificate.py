"""What is proved of an iterate of Algorithm 1: a lower bound on the scaled objective, from multipliers and raw data.

The loss is convex in the margin, so T(m) >= T(g_i) - 2 mu_i (m - g_i) at the level g_i of any mu_i, and

    Phi(theta) >= sum_i (T(g_i) + 2 mu_i g_i) + min_theta (||theta - hat||^2 - 2 sum_i mu_i m_i(theta)).

For models linear or quadratic in theta the last minimum is that of a quadratic function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.base import Structure
from margin_projection.projections.result import Status
from margin_projection.projections.verification import MATCH
from margin_projection.regularization.losses import ClassificationLoss
from margin_projection.regularization.newton import RelaxedPoint, RelaxedProblem
from margin_projection.regularization.rows import Rows
from margin_projection.sets.margin_set import ConstraintSystem

_ON_KINK = 1e-9
_LARGEST_DENSE = 400  # parameters up to which a full quadratic form is decomposed
_EPSILON = float(np.finfo(np.float64).eps)
_EXTENDED = np.longdouble


@dataclass(frozen=True)
class StepCertificate:
    """Evidence for one iterate.

    Attributes:
        status: GLOBAL, LOCAL, STATIONARY or STALLED.
        objective: Phi at the point.
        gap: objective minus the proved lower bound; infinite where there is none.
        residual: of the relaxed KKT system, recomputed.
        accuracy: proved bound on the distance to the only minimizer (linear models), else infinite.
    """

    status: Status
    objective: float
    gap: float
    residual: float
    accuracy: float


def certify(
    problem: RelaxedProblem, point: RelaxedPoint, objective: float, confirmed: bool, tolerance: float
) -> StepCertificate:
    """The certificate of a point whose second-order condition is ``confirmed`` or not."""
    bound = objective_lower_bound(problem, point)
    gap = max(0.0, objective - bound) if math.isfinite(bound) else math.inf
    accuracy = math.inf
    if problem.system.model.structure is Structure.LINEAR and isinstance(problem.loss, ClassificationLoss):
        accuracy = _strong_convexity(problem.system, problem.loss, problem.hat, point.theta)
    if not point.residual <= tolerance:
        status = Status.STALLED
    elif gap <= MATCH * (1.0 + abs(objective)):
        status = Status.GLOBAL
    else:
        status = Status.LOCAL if confirmed and _is_settled(problem, point) else Status.STATIONARY
    return StepCertificate(status, objective, gap, point.residual, accuracy)


def _strong_convexity(system: ConstraintSystem, loss: ClassificationLoss, hat: Tensor, theta: Tensor) -> float:
    """||theta - minimizer|| <= ||grad Phi(theta)|| / 2, as Phi is 2-strongly convex for linear models.

    A first-order bound on the gradient's rounding is added: a gradient that rounds to 0 proves no distance of 0.
    """
    point, origin, rows = (each.astype(_EXTENDED) for each in (to_numpy(theta), to_numpy(hat), system.rows))
    fine = float(np.finfo(_EXTENDED).eps)
    slack = (rows @ point - system.offsets).astype(np.float64)
    sums = np.abs(system.rows) @ np.abs(to_numpy(theta)) + np.abs(system.offsets)
    dual = loss.from_slack(torch.as_tensor(slack))
    multipliers = loss.multipliers(dual).numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        spread = loss.dual_rounding(slack, _EPSILON * np.abs(slack) + (theta.numel() + 2) * fine * sums)
        gradient = np.linalg.norm((point - origin - multipliers.astype(_EXTENDED) @ rows).astype(np.float64))
        rounding = (multipliers * (np.expm1(spread) + 4.0 * _EPSILON)) @ np.linalg.norm(system.rows, axis=1)
        rounding += 4.0 * fine * np.linalg.norm(np.abs(to_numpy(theta)) + np.abs(to_numpy(hat)))
        bound = float(gradient * (1.0 + 4.0 * theta.numel() * _EPSILON) + rounding)
    return bound if math.isfinite(bound) else math.inf


def _is_settled(problem: RelaxedProblem, point: RelaxedPoint) -> bool:
    """Whether nothing but held kinks breaks smoothness at the point, in samples that carry multipliers."""
    model = problem.system.model
    if model.nonsmooth_operations:
        return False
    rows = Rows(problem.system, point.theta, point.held)
    values, samples = rows.plain.breaks()
    multipliers = problem.loss.multipliers(point.dual).abs()
    near = values.abs() <= _ON_KINK * max(1.0, float(point.theta.norm()))
    near &= (multipliers > 1e-12 * multipliers.max())[samples]
    near[point.held.index] = False
    return not bool(near.any())


def objective_lower_bound(problem: RelaxedProblem, point: RelaxedPoint) -> float:
    """A number no larger than min Phi, by weak duality from the point's multipliers; -inf where nothing is proved."""
    system = problem.system
    structure = system.model.structure
    quadratic = structure in (Structure.DIAGONAL_QUADRATIC, Structure.QUADRATIC)
    too_large = structure is Structure.QUADRATIC and system.model.num_parameters > _LARGEST_DENSE
    if (structure is not Structure.LINEAR and not quadratic) or too_large:
        return -math.inf
    hat, dual = to_numpy(problem.hat).astype(_EXTENDED), point.dual
    multipliers = problem.loss.multipliers(dual)
    if structure is Structure.LINEAR:
        weights = to_numpy(multipliers).astype(_EXTENDED)
        pull = weights @ system.rows.astype(_EXTENDED)
        smooth = float(-2 * pull @ hat - pull @ pull)
        size = float(np.abs(weights) @ np.abs(system.rows) @ np.abs(hat) + pull @ pull)
    else:
        shrinkage, smooth, size = _quadratic_minimum(system, to_numpy(multipliers), hat)
        if shrinkage < 1.0:
            dual = dual + math.log(shrinkage) if problem.loss.in_logarithms else dual * shrinkage
    offsets = system.tensors(dual.device)[2]
    terms = problem.loss.conjugate(dual, offsets)
    rounding = 64.0 * _EPSILON * (float(terms.abs().sum()) + size)
    bound = float(terms.sum()) + smooth - rounding
    return bound if math.isfinite(bound) else -math.inf


def _quadratic_minimum(
    system: ConstraintSystem, multipliers: np.ndarray, hat: np.ndarray
) -> tuple[float, float, float]:
    """(shrinkage, min of ||theta - hat||^2 - 2 shrinkage sum_i mu_i m_i(theta), size of the sums' terms).

    The multipliers are scaled by ``shrinkage`` <= 1 so that I - 2 sum_i mu_i A_i is certainly positive semidefinite.
    """
    forms = system.rows
    pull = 2.0 * np.tensordot(multipliers, forms, 1)
    margin = 8.0 * (multipliers.size + hat.size) * _EPSILON * (1.0 + 2.0 * float(np.abs(multipliers) @ _sizes(forms)))
    if forms.ndim == 2:
        largest = float(pull.max(initial=0.0))
        shrinkage = 1.0 if largest <= 1.0 - margin else (1.0 - 2.0 * margin) / largest
        pulled = (shrinkage * pull).astype(_EXTENDED)
        moved = hat != 0
        loss = float(np.sum(pulled[moved] * hat[moved] ** 2 / (1 - pulled[moved])))
        return shrinkage, -loss, float(np.sum(np.abs(pulled[moved]) * hat[moved] ** 2 / (1 - pulled[moved])))
    values, vectors = np.linalg.eigh(pull)
    largest = float(values[-1])
    shrinkage = 1.0 if largest <= 1.0 - 2.0 * margin else (1.0 - 2.0 * margin) / largest
    parts = vectors.T @ hat.astype(np.float64)
    upper = shrinkage * values + margin
    error = 8.0 * hat.size * _EPSILON * float(np.linalg.norm(hat.astype(np.float64)))  # of each part
    squares = np.where(upper > 0, np.abs(parts) + error, np.maximum(np.abs(parts) - error, 0.0)) ** 2
    terms = upper * squares / np.maximum(1.0 - upper, margin / 4.0)
    return shrinkage, -float(terms.sum()), float(np.abs(terms).sum())


def _sizes(forms: np.ndarray) -> np.ndarray:
    return np.abs(forms).max(1) if forms.ndim == 2 else np.linalg.norm(forms, axis=(1, 2))

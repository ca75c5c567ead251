"""From the steps of a run to the arrays of its result: distances, angles, fitted coefficients, orders, laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.base import Model
from margin_projection.networks.reparametrized import Reparametrized
from margin_projection.regularization.branches import StepSetting
from margin_projection.regularization.expansion import Expansion
from margin_projection.regularization.limit import ExpansionStatus
from margin_projection.regularization.order import MeasuredOrder, fitted_coefficients, measured_order, tail
from margin_projection.regularization.step import StepResult, limit_status

_NEGLIGIBLE = 1e-12  # of a coefficient, relative to the point's size


@dataclass(frozen=True)
class StepRecord:
    """The entries of one step in `RegularizedPath`, by name, and its law."""

    entries: dict[str, Any]
    law: str


def to_theta(model: Model, points: Tensor) -> Tensor:
    """Points (..., p) of a step's coordinates as theta."""
    return model.to_theta(points) if isinstance(model, Reparametrized) else points


def record_step(setting: StepSetting, result: StepResult) -> StepRecord:
    """Measure one step against its limit."""
    model, grid = setting.system.model, np.asarray(setting.grid)
    like = setting.start
    limit = result.limit.limit.theta if result.limit is not None else result.points[-1]
    expansion = Expansion.zero(like) if result.limit is None else result.limit.expansion
    errors = result.points - limit
    distances = to_numpy(errors.norm(dim=1))
    same = (result.chosen == result.limit_branch) & (result.limit is not None)
    size = float(limit.norm())
    window = tail(grid, distances, same, size, setting.is_regression)
    fitted = fitted_coefficients(grid, to_numpy(to_theta(model, errors)), window, setting.is_regression)
    order = measured_order(grid, distances, window, setting.is_regression)
    predicted = torch.stack([expansion.error(s, setting.is_regression) for s in setting.grid]).norm(dim=1)
    status = limit_status(result)
    reduced = _reduced(setting, distances, to_numpy(predicted), window, status)
    certificates = result.certificates
    limit_multipliers = torch.zeros_like(result.multipliers[0])
    if result.limit is not None:
        limit_multipliers = result.limit.limit.multipliers
    entries = {
        "points": to_numpy(to_theta(model, result.points)),
        "limits": to_numpy(to_theta(model, limit)),
        "distances": distances,
        "angles": _angles(to_numpy(result.points), to_numpy(limit)),
        "multipliers": to_numpy(result.multipliers),
        "limit_multipliers": to_numpy(limit_multipliers),
        "objectives": np.array([each.objective for each in certificates]),
        "statuses": np.array([each.status.name for each in certificates]),
        "gaps": np.array([each.gap for each in certificates]),
        "residuals": np.array([each.residual for each in certificates]),
        "accuracies": np.array([each.accuracy for each in certificates]),
        "branches": result.chosen,
        "limit_branches": result.limit_branch,
        "minimizers": to_numpy(to_theta(model, torch.stack([each.limit.theta for each in result.branches]))),
        "minimizer_counts": len(result.branches),
        "selections": np.array([each.selection for each in result.branches]),
        "projection_statuses": result.projection.status.name,
        "expansion_statuses": status.name,
        "alphas": to_numpy(to_theta(model, expansion.alpha)),
        "betas": to_numpy(to_theta(model, expansion.beta)),
        "gammas": to_numpy(to_theta(model, expansion.gamma)),
        "fitted_alphas": fitted[0],
        "fitted_betas": fitted[1],
        "fitted_gammas": fitted[2],
        "orders": np.array([order.value, *order.interval]),
        "reduced_orders": np.array([reduced.value, *reduced.interval]),
        "windows": np.array(order.window),
        "window_counts": order.count,
    }
    return StepRecord(entries, _law(setting, status, expansion, size))


def _reduced(
    setting: StepSetting, distances: np.ndarray, predicted: np.ndarray, window: np.ndarray, status: ExpansionStatus
) -> MeasuredOrder:
    """The order of error / predicted error, plus 1; none where nothing is predicted."""
    if not status.has_numbers or not (predicted[window] > 0).all():
        return MeasuredOrder.none()
    ratio = np.divide(distances, predicted, out=np.ones_like(distances), where=window)
    plain = measured_order(np.asarray(setting.grid), ratio, window, setting.is_regression)
    if not plain.count:
        return plain
    low, high = plain.interval
    return MeasuredOrder(1.0 + plain.value, (1.0 + low, 1.0 + high), plain.window, plain.count)


def _angles(points: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """(S,) angles in radians, accurate also where they are tiny; 0 where a vector is 0."""
    lengths, length = np.linalg.norm(points, axis=1), np.linalg.norm(limit)
    if length == 0.0:
        return np.zeros(len(points))
    units = points / np.where(lengths > 0, lengths, 1.0)[:, None]
    direction = limit / length
    angles = 2.0 * np.arctan2(np.linalg.norm(units - direction, axis=1), np.linalg.norm(units + direction, axis=1))
    return np.where(lengths > 0, angles, 0.0)


def _law(setting: StepSetting, status: ExpansionStatus, expansion: Expansion, size: float) -> str:
    if not status.has_numbers:
        return f"no law derived: {status.value}"
    floor = _NEGLIGIBLE * (1.0 + size)
    if setting.is_regression:
        amount = float(expansion.gamma.norm())
        return f"error ~ {amount:.4g} exp(-s) = {amount:.4g} lambda" if amount > floor else "error o(lambda)"
    alpha, beta = float(expansion.alpha.norm()), float(expansion.beta.norm())
    if alpha > floor:
        return f"error ~ |alpha log(s) + beta| / s with |alpha| = {alpha:.4g}, |beta| = {beta:.4g}"
    return f"error ~ {beta:.4g} / s" if beta > floor else "error o(1/s)"


def stack(records: Sequence[StepRecord]) -> dict[str, np.ndarray]:
    """One array a name, padded with nan along axes whose length differs between steps."""
    return {name: _padded([each.entries[name] for each in records]) for name in records[0].entries}


def _padded(values: list[Any]) -> np.ndarray:
    arrays = [np.asarray(value) for value in values]
    shape = np.max([array.shape for array in arrays], axis=0).astype(int) if arrays[0].ndim else ()
    if all(array.shape == tuple(shape) for array in arrays):
        return np.stack(arrays)
    padded = np.full((len(arrays), *shape), np.nan)
    for row, array in zip(padded, arrays, strict=True):
        row[tuple(slice(length) for length in array.shape)] = array
    return padded

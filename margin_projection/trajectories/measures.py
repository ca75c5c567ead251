"""What is measured of every iterate: distances to each C_m and to C*, and forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.projections.result import CertificateKind
from margin_projection.sets.margin_set import ConstraintSystem
from margin_projection.trajectories.moves import measured_distance
from margin_projection.trajectories.projector import Projector

MEASURES = ("all", "sets", "none")


@dataclass(frozen=True)
class Measured:
    """Of R points and M tasks: (R, M) distances, their lower bounds and forgetting; (R,) the same for C*."""

    distances: np.ndarray
    distance_lower_bounds: np.ndarray
    forgetting: np.ndarray
    joint_distances: np.ndarray
    joint_lower_bounds: np.ndarray


def measure_points(points: Tensor, projector: Projector, joint: ConstraintSystem, level: str) -> Measured:
    """Measure points (R, p): forgetting always, distances to each set for "sets" and "all", to C* for "all".

    The projector's sets are the M sets of the tasks and, where M > 1, ``joint`` after them.
    """
    tasks = len(joint.tasks)
    columns = [_distances(points, projector, index) for index in range(tasks)] if level != "none" else []
    unknown = np.full((len(points), tasks), np.nan)
    distances = np.stack([column[0] for column in columns], 1) if columns else unknown
    bounds = np.stack([column[1] for column in columns], 1) if columns else unknown.copy()
    missing = np.full(len(points), np.nan)
    joint_distances, joint_bounds = _distances(points, projector, -1) if level == "all" else (missing, missing.copy())
    return Measured(distances, bounds, _forgetting(points, projector.sets[:tasks]), joint_distances, joint_bounds)


def _forgetting(points: Tensor, sets: Sequence[ConstraintSystem]) -> np.ndarray:
    """(R, M) the `forgetting` of points that need no checks, set by set.

    (For many points and few samples a product per set is faster than one for all: BLAS spreads the latter over threads
    that wait for each other.)
    """
    columns = []
    for each in sets:
        worst = each.violation_values(each.constraint_values(points)).amax(1).detach().cpu().numpy()
        columns.append(worst**2 if each.tasks[0].kind == "regression" else worst)
    return np.stack(columns, 1)


def _distances(points: Tensor, projector: Projector, index: int) -> tuple[np.ndarray, np.ndarray]:
    """(R,) distances to a set of the projector, and certified lower bounds.

    A point that a local solver would not move, its violation being within the tolerance, has distance 0.
    """
    index = index % len(projector.sets)
    if not projector.is_local:
        return projector.distances(points, index)
    system = projector.sets[index]
    violations = system.violation_values(system.constraint_values(points)).amax(1)
    outside = torch.nonzero(violations > projector.tolerance).squeeze(1).tolist()
    distances, bounds = np.zeros(len(points)), np.zeros(len(points))
    for row in outside:
        projection = projector.projection(points, row, index)
        distances[row] = measured_distance(projection)
        proved = projection.certificate.kind is not CertificateKind.NONE
        bounds[row] = projection.certificate.lower_bound if proved else np.nan
    return distances, bounds

"""Where one step takes a batch of points: nearest points of one set, with certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from margin_projection.projections.result import Projection, Status
from margin_projection.sets.margin_set import ConstraintSystem

_SAME_DISTANCE = 1e-9
_FEASIBLE = 1e-9


@dataclass(frozen=True)
class Moves:
    """Projections of R points onto one set of n constraints.

    Attributes:
        points: (R, p) the minimizer that each projection names first.
        distances, lower_bounds: (R,), infinite where the set is proved empty.
        multipliers: (R, n).
        statuses: (R,) names of `Status` members.
        complete: (R,) whether all minimizers are proved to be listed.
        alternatives: row -> (c, p) all minimizers found, the first one included, for rows with c > 1.
        shared: (R,) whether all minimizers of the row have its multipliers.
        failures: row -> projection, where no feasible stationary point was found.
    """

    points: Tensor
    distances: np.ndarray
    lower_bounds: np.ndarray
    multipliers: np.ndarray
    statuses: np.ndarray
    complete: np.ndarray
    alternatives: Mapping[int, Tensor]
    shared: np.ndarray
    failures: Mapping[int, Projection] = field(default_factory=dict)

    @property
    def counts(self) -> np.ndarray:
        """(R,) how many minimizers were found."""
        counts = np.ones(len(self.statuses), dtype=np.int64)
        for row, minimizers in self.alternatives.items():
            counts[row] = len(minimizers)
        return counts


def moves_of(system: ConstraintSystem, starts: Tensor, projections: list[Projection], shared: bool) -> Moves:
    """The moves of starts (R, p) that one projection a row describes; ``shared``: GLOBAL ones share their multipliers.

    Further minimizers count where they pass the same test as the first: feasible, and as near up to a relative 1e-9.
    """
    alternatives: dict[int, Tensor] = {}
    complete = []
    for row, projection in enumerate(projections):
        minimizers = _confirmed(system, starts[row], projection)
        complete.append(projection.complete and len(minimizers) == len(projection.minimizers))
        if len(minimizers) > 1:
            alternatives[row] = minimizers
    statuses = [projection.status for projection in projections]
    return Moves(
        points=torch.stack([projection.point for projection in projections]),
        distances=np.array([measured_distance(projection) for projection in projections]),
        lower_bounds=np.array([projection.certificate.lower_bound for projection in projections]),
        multipliers=np.stack([projection.multipliers.detach().cpu().numpy() for projection in projections]),
        statuses=np.array([status.name for status in statuses]),
        complete=np.array(complete),
        alternatives=alternatives,
        shared=np.array([shared and status is Status.GLOBAL for status in statuses]),
        failures={row: each for row, each in enumerate(projections) if not each.status.is_success},
    )


def measured_distance(projection: Projection) -> float:
    """The distance of a projection that succeeded, infinity for a set that is proved empty, else nan."""
    if projection.status is Status.INFEASIBLE:
        return float("inf")
    return projection.distance if projection.status.is_success else float("nan")


def _confirmed(system: ConstraintSystem, start: Tensor, projection: Projection) -> Tensor:
    """(c, p) the first minimizer, and the others that pass its test."""
    points = torch.stack(list(projection.minimizers))
    if len(points) == 1 or not projection.status.is_success:
        return points[:1]
    distances = torch.linalg.vector_norm(points - start, dim=1)
    violations = system.violation_values(system.constraint_values(points)).amax(1)
    scale = max(1.0, float(system.constraint_values(start).abs().max()))
    allowed = max(_FEASIBLE * scale, projection.residuals.feasibility)
    kept = (violations <= allowed) & (distances <= projection.distance * (1.0 + _SAME_DISTANCE))
    kept[0] = True
    return points[kept]

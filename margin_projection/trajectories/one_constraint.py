"""Projections of many points onto one quadratic or linear constraint at once, each certified from raw values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Structure
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.secular import Spectrum, is_complete, representatives, secular_batch
from margin_projection.sets.margin_set import ConstraintSystem
from margin_projection.trajectories.batch_bounds import diagonal_lower_bounds, halfspace_lower_bounds

_QUADRATIC = (Structure.DIAGONAL_QUADRATIC, Structure.QUADRATIC)
_MAX_DENSE = 1500  # parameters up to which a dense quadratic form is decomposed
_MAX_AXES = 16  # axes of a sphere of minimizers along which representatives are listed
_RELATIVE_GAP, _ROUNDING, _FEASIBILITY = 1e-7, 1e-12, 1e-13


@dataclass(frozen=True)
class Draft:
    """Projections of R points onto one constraint; rows that are not ``accepted`` are to be projected one by one.

    Attributes:
        points: (R, p).
        multipliers, distances, lower_bounds: (R,).
        accepted: (R,) whether the row is a certified global minimizer.
        complete: (R,) whether ``alternatives`` (or the point alone) are all minimizers.
        alternatives: row -> (c, p), for rows with several minimizers, the point first.
    """

    points: Tensor
    multipliers: np.ndarray
    distances: np.ndarray
    lower_bounds: np.ndarray
    accepted: np.ndarray
    complete: np.ndarray
    alternatives: Mapping[int, Tensor]


@dataclass(frozen=True)
class OneConstraint:
    """The set {theta : s f(x; theta) >= b, or = b} of one sample, f linear or quadratic in theta.

    Attributes:
        system: the constraint.
        form: (p,) s a(x) for LINEAR, s q(x) for DIAGONAL_QUADRATIC; (p, p) s A(x) for QUADRATIC.
        spectrum: of the form; None for LINEAR.
    """

    system: ConstraintSystem
    form: Tensor
    spectrum: Spectrum | None

    @staticmethod
    def of(system: ConstraintSystem, device: torch.device) -> OneConstraint | None:
        """The constraint, on ``device``; None where there are several, or the model has another structure."""
        model = system.model
        diagonal = model.structure in (Structure.LINEAR, Structure.DIAGONAL_QUADRATIC)
        dense = model.structure is Structure.QUADRATIC and model.num_parameters <= _MAX_DENSE
        if system.num_constraints != 1 or not (diagonal or dense):
            return None
        X, signs, _, _ = system.tensors(device)
        form = signs[0] * model.coefficients(X)[0]
        return OneConstraint(system, form, Spectrum.of(form) if model.structure in _QUADRATIC else None)

    @property
    def bound(self) -> float:
        """b."""
        return float(self.system.offsets[0])

    @property
    def is_equality(self) -> bool:
        """Whether the constraint is s f = b."""
        return bool(self.system.is_equality[0])

    def project(self, starts: Tensor, tolerance: float) -> Draft:
        """Nearest points of starts (R, p), accepted where certified: see `Draft`."""
        if self.spectrum is None:
            points, multipliers = self._onto_halfspace(starts)
            lower_bounds = halfspace_lower_bounds(_raw(starts), _raw(self.form), self.bound, self.is_equality)
            complete, alternatives = np.full(len(starts), True), {}
        else:
            batch = secular_batch(starts, self.spectrum, self.bound, self.is_equality)
            points, multipliers = batch.points, np.where(_raw(batch.found), _raw(batch.multipliers), np.inf)
            lower_bounds = self._quadratic_lower_bounds(_raw(starts), multipliers)
            complete = _raw(is_complete(self.spectrum, starts, batch))
            hard = torch.nonzero(batch.hard).squeeze(1).tolist()
            alternatives = {row: representatives(self.spectrum, batch, row, _MAX_AXES)[0] for row in hard}
        distances = _row_norms(_raw(points) - _raw(starts))
        accepted = np.isfinite(multipliers) & self._is_certified(starts, points, distances, lower_bounds, tolerance)
        return Draft(points, multipliers, distances, lower_bounds, accepted, complete, alternatives)

    def _onto_halfspace(self, starts: Tensor) -> tuple[Tensor, np.ndarray]:
        """Points and multipliers of a halfspace or hyperplane; nan where the form vanishes."""
        residuals = self.bound - (starts * self.form).sum(1)
        residuals = residuals if self.is_equality else residuals.clamp_min(0.0)
        multipliers = torch.where(residuals == 0.0, 0.0, residuals / self.form.square().sum())
        return starts + multipliers[:, None] * self.form, _raw(multipliers)

    def _quadratic_lower_bounds(self, starts: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        """(R,) weak duality from the raw multipliers; 0 where they are not finite."""
        form, usable = _raw(self.form), np.where(np.isfinite(multipliers), multipliers, 0.0)
        if form.ndim == 1:
            return diagonal_lower_bounds(starts, form, self.bound, self.is_equality, usable)
        data = (form[None], [1.0], [self.bound], [self.is_equality])
        return np.array([quadratic_lower_bound(each, *data, [w]) for each, w in zip(starts, usable, strict=True)])

    def _is_certified(
        self, starts: Tensor, points: Tensor, distances: np.ndarray, lower_bounds: np.ndarray, tolerance: float
    ) -> np.ndarray:
        """(R,) whether the point is feasible and its distance matches the lower bound, as `project` requires it."""
        violations = _raw(self.system.violation_values(self.system.constraint_values(points)))[:, 0]
        sizes = np.maximum(max(1.0, abs(self.bound)), self._largest * _row_norms(_raw(points)) ** 2)
        feasible = violations <= np.maximum(tolerance, _FEASIBILITY * sizes)
        allowed = _RELATIVE_GAP * distances + _ROUNDING * _row_norms(_raw(starts))
        consistent = lower_bounds <= distances + 1e-9 * (1.0 + distances)
        return feasible & (violations <= max(tolerance, 1e-9)) & (distances - lower_bounds <= allowed) & consistent

    @cached_property
    def _largest(self) -> float:
        return float(self.form.abs().max())


def _raw(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _row_norms(rows: np.ndarray) -> np.ndarray:
    """(R,) Euclidean norms of (R, p)."""
    return np.sqrt(np.einsum("rp,rp->r", rows, rows))

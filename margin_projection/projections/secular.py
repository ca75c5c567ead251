"""Global projection onto one quadratic constraint: theta^T A theta >= b, or = b, by the secular equation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Structure
from margin_projection.projections.problem import ProjectionProblem, Solution, without_point
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Counts, Status
from margin_projection.projections.secular_equation import EPSILON, RaisedForm, raise_form

_METHOD = "secular equation"
_BOUND_METHOD = "weak duality of one quadratic constraint (S-lemma: no gap), from the multiplier"
_MAX_EXACT_SIZE = 40
_MAX_REPRESENTATIVES = 32


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues (p,) and eigenvectors (columns of (p, p); None for the standard basis) of a symmetric matrix.

    Eigenvalues of a dense matrix that agree to rounding with the largest or the smallest one are made equal to it, and
    those that are 0 to rounding are made 0. ``resolution`` is the relative size of a component below which rounding
    made it (0 in the standard basis, where everything is exact).
    """

    values: Tensor
    basis: Tensor | None = None
    resolution: float = 0.0

    @staticmethod
    def of(form: Tensor) -> Spectrum:
        """Of a diagonal (p,) or a symmetric matrix (p, p); a matrix without off-diagonal entries counts as diagonal."""
        if form.ndim == 1:
            return Spectrum(form)
        symmetric = 0.5 * (form + form.T)
        if not (symmetric - torch.diag(symmetric.diagonal())).any():
            return Spectrum(symmetric.diagonal().clone())
        values, basis = torch.linalg.eigh(symmetric)
        resolution = 8.0 * form.shape[0] * EPSILON
        blur = resolution * float(values.abs().max())
        values = torch.where(values >= values[-1] - blur, values[-1], values)
        values = torch.where(values <= values[0] + blur, values[0], values)
        return Spectrum(torch.where(values.abs() <= blur, 0.0, values), basis, resolution)

    @cached_property
    def form_values(self) -> np.ndarray:
        """(p,) the eigenvalues."""
        return _raw(self.values)

    @cached_property
    def upward(self) -> RaisedForm:
        """What raising A needs to know of it."""
        return RaisedForm.of(self.form_values)

    @cached_property
    def downward(self) -> RaisedForm:
        """What raising -A needs to know of it."""
        return RaisedForm.of(-self.form_values)

    def top(self, raised: bool) -> Tensor:
        """(p,) bool: the eigenvectors along which the minimizers are free in the hard case."""
        form = self.upward if raised else self.downward
        return torch.from_numpy(form.top[:, 0]).to(self.values.device)

    def rotate(self, vectors: Tensor) -> Tensor:
        """Coordinates (..., p) in the eigenbasis."""
        return vectors if self.basis is None else vectors @ self.basis

    def restore(self, coordinates: Tensor) -> Tensor:
        """The inverse of `rotate`."""
        return coordinates if self.basis is None else coordinates @ self.basis.T


@dataclass(frozen=True)
class SecularBatch:
    """Projections of a batch of starts; rows are independent.

    Attributes:
        points: (B, p) a global minimizer each (the start where ``found`` is false).
        multipliers: (B,) lambda with point - start = lambda * 2 A point; infinite where the constraint has none
            (b = 0 and no eigenvalue of the needed sign).
        lower_bounds: (B,) on the distance, from weak duality, rounding subtracted.
        inside: (B,) whether the start is in the set already.
        hard: (B,) whether the minimizer is not unique.
        radius: (B,) norm of the free component of the minimizers where hard, else 0.
        ambiguous: (B,) whether rounding decides between one minimizer and several.
        raised: (B,) whether the form had to grow (False: shrink, for equalities only).
        found: (B,) False where no eigenvalue has the sign that the bound needs.
    """

    points: Tensor
    multipliers: Tensor
    lower_bounds: Tensor
    inside: Tensor
    hard: Tensor
    radius: Tensor
    ambiguous: Tensor
    raised: Tensor
    found: Tensor


def secular_batch(
    starts: Tensor, spectrum: Spectrum, bound: float, is_equality: bool, choice: Tensor | None = None
) -> SecularBatch:
    """Project every start onto {theta^T A theta >= bound} (or = bound), globally; see `secular_equation`.

    The result is on the device of the starts; the equation itself is solved on the processor.

    Args:
        starts: (B, p).
        spectrum: of A.
        bound: b, any finite real.
        is_equality: whether the constraint is an equality.
        choice: (B,) +1 or -1, which of several minimizers to return: the sign of the free component along the first
            extreme eigenvector. Default +1.

    >>> batch = secular_batch(torch.zeros(1, 2).double(), Spectrum(torch.tensor([0.1, 0.25]).double()), 1.0, False)
    >>> batch.points.tolist(), batch.hard.tolist()  # B.1: (0, +- b^{-1/2})
    ([[0.0, 2.0]], [True])
    """
    coordinates = np.ascontiguousarray(_raw(spectrum.rotate(starts)).T)
    residuals = bound - (spectrum.form_values[:, None] * coordinates**2).sum(0)
    inside = residuals == 0.0 if is_equality else residuals <= 0.0
    signs = np.ones(len(starts)) if choice is None else _raw(choice)
    rows = _Rows(coordinates, residuals, signs)
    for sign in (1.0, -1.0) if is_equality else (1.0,):
        rows.raise_outside(spectrum, sign, bound, ~inside & (sign * residuals > 0.0))
    device = starts.device
    stays = inside | ~rows.found
    points = torch.from_numpy(np.ascontiguousarray(rows.points.T)).to(device)
    points = points if spectrum.basis is None and not stays.any() else _restored(starts, spectrum, points, stays)
    fields = (rows.multipliers, rows.lower_bounds, inside, rows.hard, rows.radius, rows.ambiguous, residuals > 0.0)
    return SecularBatch(points, *(torch.from_numpy(each).to(device) for each in (*fields, rows.found)))


def _raw(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _restored(starts: Tensor, spectrum: Spectrum, coordinates: Tensor, stays: np.ndarray) -> Tensor:
    """The points (B, p) of the coordinates; the starts themselves in the rows that stay."""
    return torch.where(torch.from_numpy(stays).to(starts.device)[:, None], starts, spectrum.restore(coordinates))


class _Rows:
    """The projections of a batch, filled in for one direction of the constraint after the other; see `SecularBatch`."""

    def __init__(self, starts: np.ndarray, residuals: np.ndarray, choice: np.ndarray) -> None:
        self.starts, self.residuals, self.choice = starts, residuals, choice
        count = residuals.size
        self.points = starts
        self.multipliers, self.lower_bounds, self.radius = np.zeros(count), np.zeros(count), np.zeros(count)
        self.hard, self.ambiguous, self.found = np.zeros(count, bool), np.zeros(count, bool), np.ones(count, bool)

    def raise_outside(self, spectrum: Spectrum, sign: float, bound: float, rows: np.ndarray) -> None:
        """Raise sign * A to sign * bound in the rows (B,) bool."""
        outside = np.flatnonzero(rows)
        if outside.size == 0:
            return
        if _is_empty(sign * spectrum.form_values, sign * bound):
            self.found[outside] = False
            return
        form = spectrum.upward if sign > 0.0 else spectrum.downward
        chosen = slice(None) if outside.size == rows.size else outside
        starts, residuals = _without_noise(spectrum, form, self.starts[:, chosen]), sign * self.residuals[chosen]
        raised = raise_form(form, starts, residuals, sign * bound, self.choice[chosen])
        points = raised.points if isinstance(chosen, slice) else self.points.copy()
        points[:, chosen] = raised.points
        self.points, self.multipliers[chosen] = points, sign * raised.multipliers
        for name in ("lower_bounds", "hard", "radius", "ambiguous"):
            getattr(self, name)[chosen] = getattr(raised, name)


def _is_empty(values: np.ndarray, bound: float) -> bool:
    """Whether sum_j a_j t_j^2 = b needs a positive eigenvalue, or a nonzero one, and there is none."""
    if float(values.max()) > 0.0:
        return False
    return bound > 0.0 or not bool(values.any())


def _without_noise(spectrum: Spectrum, form: RaisedForm, starts: np.ndarray) -> np.ndarray:
    """Starts (p, B) with top components that are mere rounding removed."""
    if not spectrum.resolution:
        return starts
    norms = np.linalg.norm(starts[form.top[:, 0]], axis=0)
    noise = norms <= spectrum.resolution * np.linalg.norm(starts, axis=0)
    return np.where(form.top & noise, 0.0, starts)


def project_secular(problem: ProjectionProblem) -> Solution:
    """The global projection onto one quadratic constraint (DIAGONAL_QUADRATIC or QUADRATIC models, one sample in all).

    Every minimizer is found. Where they form a sphere (an extreme eigenspace of dimension two or more), representatives
    in the directions of a basis are returned and ``evidence["continuum"]`` describes it: {center, radius, basis}.

    Raises:
        ValueError: the model is not quadratic, or there is more than one constraint.
    """
    system, start = problem.system, problem.start
    if system.model.structure not in (Structure.DIAGONAL_QUADRATIC, Structure.QUADRATIC) or system.num_constraints != 1:
        raise ValueError(f"the secular equation needs one constraint on a quadratic model, not {system!r}")
    X, signs, offsets, is_equality = system.tensors(start.device)
    form = signs[0] * system.model.coefficients(X)[0]
    spectrum, bound = Spectrum.of(form), float(offsets[0])
    batch = secular_batch(start[None], spectrum, bound, bool(is_equality[0]))
    if not bool(batch.found[0]):
        return _not_found(problem, form, bound, bool(is_equality[0]))
    return _solution(problem, form, spectrum, batch)


def _solution(problem: ProjectionProblem, form: Tensor, spectrum: Spectrum, batch: SecularBatch) -> Solution:
    """The solution of a batch of one, its bound re-verified from the multiplier."""
    system, start = problem.system, problem.start
    distance = float(torch.linalg.vector_norm(batch.points[0] - start))
    multipliers = torch.where(torch.isfinite(batch.multipliers), batch.multipliers, 0.0)
    raw_start, raw_form, raw_multipliers = (each.detach().cpu().numpy() for each in (start, form[None], multipliers))
    verified = quadratic_lower_bound(raw_start, raw_form, [1.0], system.offsets, system.is_equality, raw_multipliers)
    lower_bound = verified if bool(torch.isfinite(batch.multipliers)[0]) else float(batch.lower_bounds[0])
    points, evidence = _all_minimizers(spectrum, batch)
    worst = float(system.violation_values(system.constraint_values(batch.points[0])).max())
    scale = max(1.0, abs(float(system.offsets[0])), float(form.abs().max()) * float(batch.points[0].square().sum()))
    certified = distance - lower_bound <= 1e-7 * distance + 1e-12 * float(torch.linalg.vector_norm(start))
    certified = certified and worst <= max(problem.tolerance, 1e-13 * scale)
    return Solution(
        points=points,
        multipliers=multipliers,
        status=Status.GLOBAL if certified else Status.STATIONARY,
        kind=CertificateKind.GLOBAL if certified else CertificateKind.LOCAL,
        lower_bound=lower_bound,
        bound_method=_BOUND_METHOD,
        method=_METHOD,
        evidence=evidence,
        complete=certified and bool(is_complete(spectrum, start[None], batch)[0]),
        counts=Counts(jacobians=1, forwards=1),
    )


def is_complete(spectrum: Spectrum, starts: Tensor, batch: SecularBatch) -> Tensor:
    """(B,) whether all minimizers are listed: no continuum, and no decision that rounding made."""
    if not bool(batch.hard.any()):
        return ~batch.ambiguous
    top = free_axes(spectrum, batch)
    moved = (top & (spectrum.rotate(starts) != 0.0)).any(1)
    isolated = (top.sum(1) == 1) & ~moved
    return ~batch.ambiguous & (batch.inside | ~batch.hard | isolated)


def free_axes(spectrum: Spectrum, batch: SecularBatch) -> Tensor:
    """(B, p) the eigenvectors along which the minimizers are free in the hard case."""
    return torch.where(batch.raised[:, None], spectrum.top(True), spectrum.top(False))


def representatives(spectrum: Spectrum, batch: SecularBatch, row: int, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Minimizers of a hard row, both ways along up to ``most`` eigenvectors of the extreme eigenspace.

    Returns:
        The points (2 k, p), the chosen minimizer first; the center (p,) and the axes (q, p) of the sphere of them all.
    """
    top = free_axes(spectrum, batch)[row]
    point = batch.points[row]
    center = torch.where(top, 0.0, spectrum.rotate(point))
    axes = torch.eye(point.numel(), dtype=point.dtype, device=point.device)[top]
    steps = batch.radius[row] * axes[:most]
    points = torch.stack([center + steps, center - steps], dim=1).flatten(0, 1)
    return spectrum.restore(points), spectrum.restore(center), spectrum.restore(axes)


def _all_minimizers(spectrum: Spectrum, batch: SecularBatch) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """The chosen minimizer and, in the hard case, the others (representatives of a sphere)."""
    evidence: dict[str, Any] = {"hard_case": bool(batch.hard[0]), "multiplier": float(batch.multipliers[0])}
    if not bool(batch.hard[0]):
        return (batch.points[0],), evidence
    points, center, axes = representatives(spectrum, batch, 0, _MAX_REPRESENTATIVES)
    radius = evidence["free_component"] = float(batch.radius[0])
    if len(axes) > 1:
        sphere = {"shape": "sphere", "center": center.tolist(), "radius": radius, "basis": axes.tolist()}
        evidence["continuum"] = sphere
    return tuple(points), evidence


def _not_found(problem: ProjectionProblem, form: Tensor, bound: float, is_equality: bool) -> Solution:
    """No eigenvalue of the needed sign: INFEASIBLE where exact arithmetic proves it, else NOT_FOUND."""
    sign = 1.0 if bound > 0.0 or not is_equality else -1.0
    evidence = {"claim": f"{'+' if sign > 0 else '-'}A has no positive eigenvalue, so the form never reaches {bound}"}
    least = torch.where(form.diagonal() == 0.0, problem.start, 0.0) if form.ndim == 2 else problem.start * (form == 0.0)
    proof = None
    if bound != 0.0 and _is_negative_semidefinite(sign * form):
        proof, evidence["proof"] = "exact sign check of the quadratic form", "rational arithmetic"
    return without_point(problem, least, _METHOD, proof=proof, evidence=evidence, counts=Counts(jacobians=1))


def _is_negative_semidefinite(form: Tensor) -> bool:
    """Whether a diagonal (p,) or a matrix (p, p), p <= 40, certainly is: signs, or an exact rational factorization."""
    if form.ndim == 1:
        return bool((form <= 0.0).all())
    if not form.any():
        return True
    if form.shape[0] > _MAX_EXACT_SIZE:
        return False
    rows = [[-Fraction(value) / 2 for value in row] for row in (form + 0.0).tolist()]
    matrix = [[rows[i][j] + rows[j][i] for j in range(len(rows))] for i in range(len(rows))]
    return _is_positive_semidefinite(matrix)


def _is_positive_semidefinite(matrix: list[list[Fraction]]) -> bool:
    """Symmetric elimination without rounding: every pivot is positive, or zero with a zero row."""
    while matrix:
        pivot, *row = matrix[0]
        if pivot < 0 or (pivot == 0 and any(row)):
            return False
        rest = [line[1:] for line in matrix[1:]]
        if pivot > 0:
            rest = [
                [value - left * right / pivot for value, right in zip(line, row, strict=True)]
                for line, left in zip(rest, row, strict=True)
            ]
        matrix = rest
    return True

"""Distances from many points to several diagonal quadratic constraints at once, each certified from raw values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection.networks.base import Structure
from margin_projection.sets.margin_set import ConstraintSystem
from margin_projection.trajectories.batch_bounds import several_lower_bounds

_MAX_CONSTRAINTS = 16
_MAX_ITERATIONS = 120
_START, _SHRINK = 1.0, 0.1  # of the barrier, in units of the squared scale
_END, _LEAST, _MOST = 1e-12, 1e-30, 1e-17  # where it ends: in units of the squared distance, within limits
_NEAR = 0.3  # the barrier falls where a step promises less than this share of it
_CONVERGED = 1e-26
_INTERIOR = 0.9  # share of the way to the boundary that a step may go
_RELATIVE_GAP, _ROUNDING = 1e-7, 1e-12


@dataclass(frozen=True)
class SeveralConstraints:
    """The set {theta : <q_i, theta^2> >= b_i, or = b_i} of a model with diagonal forms.

    The dual of the projection is concave: D_j = 1 - sum_i w_i q_ij > 0, value <w, b> + sum_j z_j^2 (1 - 1 / D_j), and
    its maximizer has theta_j = z_j / D_j. A damped Newton method follows the central path of all rows at once; nothing
    of it is trusted: distances count where point and bound agree.

    Attributes:
        system: the constraints.
        forms: (n, p) q.
    """

    system: ConstraintSystem
    forms: np.ndarray

    @staticmethod
    def of(system: ConstraintSystem, device: torch.device) -> SeveralConstraints | None:
        """The constraints; None where there is one, or too many, or the model has another structure."""
        model = system.model
        if model.structure is not Structure.DIAGONAL_QUADRATIC or not 1 < system.num_constraints <= _MAX_CONSTRAINTS:
            return None
        X, signs, _, _ = system.tensors(device)
        forms = (signs[:, None] * model.coefficients(X)).detach().cpu().numpy()
        return SeveralConstraints(system, forms) if forms.any(1).all() else None

    def distances(self, points: Tensor, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(R,) distances of points (R, p), certified lower bounds, and whether the row is certified to be global."""
        starts = points.detach().cpu().numpy()
        outside = np.flatnonzero(self._violations(points) > 0.0)
        distances, bounds, accepted = np.zeros(len(starts)), np.zeros(len(starts)), np.full(len(starts), True)
        if outside.size:
            with np.errstate(all="ignore"):  # rows that leave the numbers are not accepted
                found = self._certify(points[torch.from_numpy(outside).to(points.device)], starts[outside], tolerance)
            distances[outside], bounds[outside], accepted[outside] = found
        return distances, bounds, accepted

    def _certify(
        self, points: Tensor, starts: np.ndarray, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`distances` of points that lie outside, given as tensor and as array."""
        nearest, weights = self._solve(starts)
        distances = np.sqrt(((nearest - starts) ** 2).sum(1))
        data = (self.forms, self.system.offsets, self.system.is_equality, 0.5 * weights)
        bounds = several_lower_bounds(starts, *data)
        feasible = self._violations(torch.from_numpy(nearest).to(points)) <= min(tolerance, 1e-9)
        matched = distances - bounds <= _RELATIVE_GAP * distances + _ROUNDING * np.sqrt((starts**2).sum(1))
        consistent = bounds <= distances + 1e-9 * (1.0 + distances)
        return distances, bounds, np.isfinite(distances) & feasible & matched & consistent

    def _violations(self, points: Tensor) -> np.ndarray:
        """(R,) the largest of each row; nan where the point is."""
        return self.system.violation_values(self.system.constraint_values(points)).amax(1).detach().cpu().numpy()

    def _solve(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (R, p) and weights (R, n) near the end of the central path."""
        sizes = np.abs(self.forms).max(1)
        extent = np.sqrt(np.abs(self.system.offsets) / sizes).max()
        scale = np.maximum(np.abs(starts).max(1), extent)
        path = _Path(self.forms / sizes[:, None], self.system.is_equality, (starts / scale[:, None]).T ** 2)
        path.follow((self.system.offsets / sizes)[:, None] / scale**2)
        points = np.where(starts < 0.0, -1.0, 1.0) * np.sqrt(path.squares()).T * scale[:, None]
        return points, (path.weights / sizes[:, None]).T


class _Path:
    """The maximizers of <w, b> + sum_j z_j^2 (1 - 1 / D_j) + m (sum_j log D_j + sum_i log w_i) as m falls, for R rows.

    At a maximizer, theta_j^2 = z_j^2 / D_j^2 + m / D_j has <q_i, theta^2> = b_i + m / w_i (b_i for equalities).
    """

    def __init__(self, forms: np.ndarray, is_equality: np.ndarray, squares: np.ndarray) -> None:
        """``forms`` (n, p) with entries up to 1, ``is_equality`` (n,), ``squares`` z^2 (p, R)."""
        self.forms, self.starts = forms, squares
        self.products = (forms[:, None] * forms).reshape(-1, forms.shape[1])
        self.is_inequality = ~is_equality[:, None]
        count = squares.shape[1]
        self.weights = np.where(self.is_inequality, 0.25 / len(forms), 0.0) * np.ones(count)
        self.barrier = np.full(count, _START)

    def curvature(self) -> np.ndarray:
        """(p, R) D."""
        return 1.0 - self.forms.T @ self.weights

    def squares(self) -> np.ndarray:
        """(p, R) theta^2."""
        curvature = self.curvature()
        return self.starts / curvature**2 + self.barrier / curvature

    def follow(self, offsets: np.ndarray) -> None:
        """Newton steps until every barrier is at its end and no step moves; ``offsets`` b (n, R)."""
        for _ in range(_MAX_ITERATIONS):
            step, decrement = self._newton_step(offsets)
            self.weights = self.weights + step
            end = np.clip(_END * self._squared_distances(), _LEAST, _MOST)
            final = ~(self.barrier > end)
            moving = ~final | (decrement > _CONVERGED)
            if 2 * moving.sum() <= moving.size:
                self._follow_rows(np.flatnonzero(moving), offsets)
                break
            near = ~final & (decrement <= _NEAR * self.barrier)
            self.barrier = np.where(near, np.maximum(_SHRINK * self.barrier, end), self.barrier)

    def _follow_rows(self, rows: np.ndarray, offsets: np.ndarray) -> None:
        """Go on with these rows alone."""
        if rows.size:
            rest = _Path(self.forms, ~self.is_inequality[:, 0], self.starts[:, rows])
            rest.weights, rest.barrier = self.weights[:, rows], self.barrier[rows]
            rest.follow(offsets[:, rows])
            self.weights[:, rows], self.barrier[rows] = rest.weights, rest.barrier

    def _squared_distances(self) -> np.ndarray:
        """(R,) of the current points."""
        return ((np.sqrt(self.squares()) - np.sqrt(self.starts)) ** 2).sum(0)

    def _newton_step(self, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, R) the step, cut where it would leave the domain, and (R,) twice the increase that it promises."""
        curvature, inverse = self.curvature(), np.where(self.is_inequality, 1.0 / self.weights, 0.0)
        squares = self.starts / curvature**2 + self.barrier / curvature
        bend = (squares + self.starts / curvature**2) / curvature
        gradient = offsets - self.forms @ squares + self.barrier * inverse
        hessian = (self.products @ bend).T.reshape(-1, len(self.forms), len(self.forms))
        diagonal = np.arange(len(self.forms))
        hessian[:, diagonal, diagonal] += (self.barrier * inverse**2).T
        step = _solve_rows(hessian, gradient.T).T
        fall = np.maximum(((self.forms.T @ step) / curvature).max(0), (-step * inverse).max(0))
        return step * np.minimum(1.0, _INTERIOR / np.maximum(fall, 1e-300)), (step * gradient).sum(0)


def _solve_rows(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(R, n) solutions of (R, n, n) positive definite systems, scaled to unit diagonals; nan where there is none."""
    scale = 1.0 / np.sqrt(np.einsum("rnn->rn", matrices))
    scaled = matrices * scale[:, :, None] * scale[:, None, :]
    regular = np.isfinite(scaled).all((1, 2)) & (np.linalg.det(np.where(np.isfinite(scaled), scaled, 0.0)) > 0.0)
    solutions = np.full(vectors.shape, np.nan)
    solutions[regular] = np.linalg.solve(scaled[regular], (vectors * scale)[regular][:, :, None])[:, :, 0]
    return solutions * scale

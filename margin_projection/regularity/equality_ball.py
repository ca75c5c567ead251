"""Linear regularity of regression sets on balls around theta*, from the tasks' Jacobians with orthonormal rows.

Let J_m be the Jacobian of task m at theta*, sigma_m > 0 its least singular value, Q_m = (J_m J_m^T)^{-1/2} J_m, Q the
stack of all Q_m with least singular value sigma > 0, beta_j Lipschitz constants of the gradients on B_R(theta*), B_m
the Euclidean norm of task m's beta_j, e_m = B_m R / sigma_m and E = sqrt(sum_m e_m^2). For R >= rho (1 + kappa) and
E < sigma:

    d(x, C*) <= kappa_2 sqrt(sum_m d(x, C_m)^2) on B_rho(theta*),    kappa_2 = (1 + max_m e_m) / (sigma - E),

hence kappa = sqrt(M) kappa_2. One cycle of projections is, up to terms of size R, the product of the projectors onto
the tangent spaces, whose norm off their intersection bounds the rate. Proofs in docs/regularity.md. The sets of linear
models are affine: R plays no role, and dependent gradients do no harm (singular values that vanish are left out; the
rows of samples count as dependent where they are so within rounding).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from margin_projection.networks.base import Structure
from margin_projection.regularity.ball import BallConstants, with_influence
from margin_projection.regularity.constants import ConstantBounds
from margin_projection.regularity.pieces import pieces_are_listed
from margin_projection.regularity.point_geometry import PointGeometry

_ROUNDING = 1e-12
_DEPENDENT = 1e-12  # eigenvalues of Gram matrices below this share of the largest count as 0
_GRAM_ROUNDING = 1e-15  # relative error of the entries of a Gram matrix
_EPSILON = float(np.finfo(np.float64).eps)


class EqualityNeighbourhood:
    """Balls around theta* for tasks of regression.

    Args:
        geometry: the joint constraints at theta*.
        bounds: their constants on balls.

    Attributes:
        least_singular_values: (M,) sigma_m; the least nonzero ones for linear models.
        rounding: (M,) by how much rounding may falsify Q_m, counted as a tilt.
        sigma: of the stacked Q.
        tangent_factors: per task V_m (rank, k) with orthonormal rows, in coordinates of the span of all gradients.
    """

    def __init__(self, geometry: PointGeometry, bounds: ConstantBounds) -> None:
        self.geometry, self.bounds = geometry, bounds
        self.count = len(geometry.system.tasks)
        self.is_affine = geometry.system.model.structure is Structure.LINEAR
        tasks = geometry.system.task_index
        self._rows = [np.flatnonzero(tasks == m) for m in range(self.count)]
        roots, values, errors = zip(*(self._set_rows(index) for index in self._rows), strict=True)
        self.least_singular_values, self.rounding = np.array(values), np.array(errors)
        self._set_factors(list(roots))

    def _set_rows(self, index: np.ndarray) -> tuple[np.ndarray, float, float]:
        """((rank, n_m) the map from J_m to orthonormal rows, the least singular value, the map's relative error)."""
        if self.is_affine:
            left, values, _ = np.linalg.svd(self.geometry.system.rows[index], full_matrices=False)
            precision = _EPSILON * (len(index) + 8.0)
            kept = values > precision * values[0]
            root, least = (left[:, kept] / values[kept]).T, float(values[kept].min(initial=math.inf))
            error = precision * float(values[0]) / least
        else:
            values, vectors = np.linalg.eigh(self.geometry.gram[np.ix_(index, index)])
            kept = values > _DEPENDENT * max(values[-1], 1e-300)
            root, least = (vectors[:, kept] / np.sqrt(values[kept])).T, math.sqrt(max(0.0, float(values[0])))
            error = _GRAM_ROUNDING * len(index) * float(values[-1]) / float(values[0]) if kept.all() else math.inf
        # rows that are dependent leave the sets of linear models affine, and those of others without tangent spaces
        return (root, least, error) if kept.any() and (self.is_affine or kept.all()) else (root, 0.0, math.inf)

    def _set_factors(self, roots: list[np.ndarray]) -> None:
        """sigma and V_m, from the stacked Q itself where it is at hand (linear models), else from its Gram matrix."""
        map_to_rows = np.zeros((sum(len(root) for root in roots), self.geometry.values.size))
        at, places = 0, []
        for root, index in zip(roots, self._rows, strict=True):
            map_to_rows[at : at + len(root), index] = root
            places.append(slice(at, at + len(root)))
            at += len(root)
        error = math.sqrt(float((self.rounding**2).sum()))
        if self.is_affine:
            vectors, values, _ = np.linalg.svd(map_to_rows @ self.geometry.system.rows, full_matrices=False)
            kept = values > _EPSILON * (len(values) + 8.0)
            least = float(values[kept].min(initial=math.inf))
            ambiguous = least <= 2.0 * error  # dependent, or as good as
            self.sigma = 0.0 if ambiguous or not math.isfinite(least) else least
            stacked = vectors[:, kept] * values[kept]
            weights = vectors[:, kept][:, ::-1]
        else:
            values, vectors = np.linalg.eigh(map_to_rows @ self.geometry.gram @ map_to_rows.T)
            kept = values > _DEPENDENT * self.count
            least = float(values[0]) - 2.0 * self.count * error if kept.size and kept.all() else 0.0
            self.sigma = math.sqrt(max(0.0, least))
            stacked = vectors[:, kept] * np.sqrt(values[kept])
            weights = vectors[:, kept]
        self._worst = [map_to_rows.T @ column for column in weights[:, :2].T]
        self.tangent_factors = [stacked[place] for place in places]

    def cycle_map(self) -> np.ndarray:
        """P_M ... P_1 on the span of all gradients, P_m the projector onto the tangent space of C_m."""
        size = self.tangent_factors[0].shape[1]
        product = np.eye(size)
        for factor in self.tangent_factors:
            product = product - factor.T @ (factor @ product)
        return product

    def worst_weights(self) -> list[np.ndarray]:
        """Combinations (n,) of gradients along the least singular vectors of Q: where max_m d(x, T_m) is small."""
        return self._worst

    def limit(self) -> BallConstants:
        """The constants as rho -> 0: those of the tangent spaces, of which there are none at kinks."""
        ball, rows = self._on(0.0, 0.0), np.ones_like(self.geometry.on_kinks)
        if not self.geometry.on_kinks.any() and pieces_are_listed(self.geometry, self.bounds, rows):
            return ball
        return replace(self._without_kappa(ball), normal_curvature=math.inf)

    def curvature(self, radius: float) -> float:
        return self._on(0.0, radius).normal_curvature

    def at(self, radius: float) -> BallConstants:
        ball, reached = with_influence(radius, self._on)
        return ball if reached else self._without_kappa(ball)

    def _without_kappa(self, ball: BallConstants) -> BallConstants:
        """The curvature of normals alone: what needs R >= rho (1 + kappa) is not proved."""
        unknown = np.full(self.count, math.inf)
        return replace(
            ball,
            kappa=math.inf,
            kappa_euclidean=math.inf,
            kappa_from_set=unknown,
            cycle_norm=math.inf,
            first_cycle_norm=math.inf,
        )

    def _on(self, radius: float, influence: float) -> BallConstants:
        constants = self.bounds.at(influence)
        lipschitz = constants.lipschitz if influence > 0.0 else self.geometry.clarke_norms
        tilts, curvatures = self._task_terms(constants.smoothness, influence)
        drift = float(np.linalg.norm(tilts))
        euclidean = (1.0 + float(tilts.max())) / (self.sigma - drift) if drift < self.sigma else math.inf
        kappa = math.sqrt(self.count) * euclidean
        from_set = np.full(self.count, math.sqrt(self.count - 1) * euclidean if self.count > 1 else 0.0)
        chi = float(curvatures.max())
        norms = self._cycle_norms(radius, tilts, chi)
        return BallConstants(
            radius=radius,
            influence_radius=influence,
            lipschitz=float(lipschitz.max()),
            smoothness=float(constants.smoothness.max()) if influence > 0.0 else 0.0,
            kappa=kappa,
            kappa_euclidean=euclidean,
            kappa_from_set=from_set,
            normal_curvature=chi,
            cycle_norm=norms[0],
            first_cycle_norm=norms[1],
            kappa_method="least singular value of the tasks' Jacobians with orthonormal rows",
        )

    def _task_terms(self, smoothness: np.ndarray, influence: float) -> tuple[np.ndarray, np.ndarray]:
        """(M,) e_m, rounding added, and (M,) chi_m = B_m / (sigma_m - B_m R)."""
        tilts, curvatures = np.zeros(self.count), np.zeros(self.count)
        for task, index in enumerate(self._rows):
            least = self.least_singular_values[task]
            size = float(np.linalg.norm(smoothness[index])) if influence > 0.0 else 0.0
            bend = size * influence
            tilts[task] = bend / least + 2.0 * self.rounding[task] if least > 0.0 else math.inf
            if size > 0.0 or least == 0.0:
                curvatures[task] = size / (least - bend) if bend < least else math.inf
        return tilts, curvatures

    def _cycle_norms(self, radius: float, tilts: np.ndarray, chi: float) -> tuple[float, float]:
        """The norms of P_M ... P_1 P_M and of P_M ... P_1 off the joint tangent space, and what curvature adds."""
        drift = float(np.linalg.norm(tilts))
        if not (drift < self.sigma and tilts.max() < 1.0 and chi * radius < 1.0):
            return math.inf, math.inf
        cycle, last = self.cycle_map(), self.tangent_factors[-1]
        onto_last = cycle - (cycle @ last.T) @ last
        first, later = (float(np.linalg.norm(matrix, 2)) * (1.0 + _ROUNDING) for matrix in (cycle, onto_last))
        growth = math.sqrt(1.0 / (1.0 - chi * radius))
        step = float((tilts * growth + tilts / (1.0 - tilts)).max())
        with np.errstate(over="ignore"):
            error = drift / (self.sigma - drift) + step * float((growth ** np.arange(self.count)).sum())
        return later + float(tilts[-1]) + error, first + error

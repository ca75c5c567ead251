"""Linear regularity of classification sets on balls around theta*, proved from unit directions of positive margin.

Let theta* be in C*, c_j = y_j f(x_j; .) - 1 with gradients g_j at theta*, G_j and beta_j Lipschitz constants of c_j and
of its gradient on B_R(theta*), and call j *relevant* on B_R where c_j(theta*) <= G_j R: no other constraint can reach 0
there. For a unit vector d with <g_j, d> >= gamma_G G_j and a unit vector e with <g_j, e> >= gamma_beta beta_j for every
relevant j, and R < gamma_beta, R >= rho (1 + kappa):

    d(x, C*) <= kappa max_m d(x, C_m) on B_rho(theta*),   kappa = 1 / (gamma_G (1 - R / gamma_beta)).

Proof in docs/regularity.md, with that of the versions for x in C_a and for sums of squares. Independently of beta,
scaling x by (1 - v)^{-1/r}, v < 1 its largest violation, leads into C* (homogeneity), which gives the second bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from margin_projection.regularity.ball import BallConstants, with_influence
from margin_projection.regularity.constants import ConstantBounds, LocalConstants
from margin_projection.regularity.hull import ROUNDING, hull_distance
from margin_projection.regularity.pieces import NEARBY, pieces_are_listed
from margin_projection.regularity.point_geometry import PointGeometry


@dataclass(frozen=True)
class _Direction:
    """A unit direction and its proved slopes (n,) over all constraints."""

    slopes: np.ndarray


class InequalityNeighbourhood:
    """Balls around theta* for tasks of classification.

    Args:
        geometry: the joint constraints at theta*.
        bounds: their constants on balls.
        active: (n,) bool, the constraints with c_j(theta*) = 0 up to the tolerance.
    """

    def __init__(self, geometry: PointGeometry, bounds: ConstantBounds, active: np.ndarray) -> None:
        self.geometry, self.bounds, self.active = geometry, bounds, active
        self.tasks = geometry.system.task_index
        self.count = len(geometry.system.tasks)
        self.slacks = np.where(active, 0.0, np.maximum(geometry.values, 0.0))
        self._pools: dict[bytes, list[_Direction]] = {}

    def limit(self) -> BallConstants:
        """The constants as rho -> 0: those of the tangent cones at theta*, with Clarke subgradients at kinks."""
        if not pieces_are_listed(self.geometry, self.bounds, self.active):
            ball = self._on(0.0, NEARBY * self.geometry.norm, directions=False)
            return replace(ball, influence_radius=0.0, normal_curvature=math.inf)
        norms, rows = self.geometry.clarke_norms, self.active
        constants = LocalConstants(0.0, norms, np.zeros_like(norms), "gradients at the point", "")
        ball = self._evaluate(0.0, 0.0, rows, constants, with_scaling=False)
        return replace(ball, normal_curvature=math.inf) if self.geometry.on_kinks[rows].any() else ball

    def curvature(self, radius: float) -> float:
        return self._on(0.0, radius).normal_curvature

    def at(self, radius: float) -> BallConstants:
        ball, reached = with_influence(radius, self._on)
        return ball if reached else self._on(radius, 2.0 * radius, directions=False)  # needs no smoothness

    def _on(self, radius: float, influence: float, directions: bool = True) -> BallConstants:
        constants = self.bounds.at(influence)
        rows = self.relevant(constants)
        return self._evaluate(radius, influence, rows, constants, with_scaling=True, directions=directions)

    def relevant(self, constants: LocalConstants) -> np.ndarray:
        """(n,) bool: the constraints that can reach 0 on the ball of ``constants``."""
        return self.active | (self.slacks <= constants.lipschitz * constants.radius)

    def _evaluate(
        self,
        radius: float,
        influence: float,
        rows: np.ndarray,
        constants: LocalConstants,
        *,
        with_scaling: bool,
        directions: bool = True,
    ) -> BallConstants:
        lipschitz, smoothness = constants.lipschitz, constants.smoothness
        if not rows.any():
            zeros = np.zeros(self.count)
            return BallConstants(
                radius, influence, 0.0, 0.0, 0.0, 0.0, zeros, 0.0, 0.0, 0.0, "no constraint is violated on the ball"
            )
        pool = self._pool(rows) if directions else []
        beta_margin = self._best(pool, rows, smoothness)
        shrink = _share_left(influence, beta_margin)
        straight = self._best(pool, rows, lipschitz) * shrink if shrink > 0.0 else 0.0
        kappa = 1.0 / straight if straight > 0.0 else math.inf
        method = "best direction over all, and smoothness on the ball" if radius > 0.0 else "best direction over all"
        scaled = self._by_scaling(radius, rows, lipschitz) if with_scaling else math.inf
        if scaled < kappa:
            kappa, method = scaled, "scaling the parameters (homogeneity alone)"
        euclidean = min(kappa, self._euclidean(rows, lipschitz, shrink))
        from_set = [self._from_set(pool, rows, lipschitz, shrink, task, kappa) for task in range(self.count)]
        return BallConstants(
            radius=radius,
            influence_radius=influence,
            lipschitz=float(lipschitz[rows].max()),
            smoothness=float(smoothness[rows].max()),
            kappa=kappa,
            kappa_euclidean=euclidean,
            kappa_from_set=np.array(from_set),
            normal_curvature=self._normal_curvature(pool, rows, smoothness, influence),
            cycle_norm=math.inf,
            first_cycle_norm=math.inf,
            kappa_method=method,
        )

    def _pool(self, rows: np.ndarray) -> list[_Direction]:
        """Directions of positive slope along every row: best for unit gradients, best from each C_a, and theta*."""
        key = rows.tobytes()
        if key not in self._pools:
            norms = np.where(self.geometry.clarke_norms > 0.0, self.geometry.clarke_norms, 1.0)
            found = [hull_distance(self.geometry, rows, norms).direction]
            for task in range(self.count if self.count > 1 else 0):
                counted = rows & (self.tasks != task)
                if counted.any():
                    found.append(hull_distance(self.geometry, rows, norms, counted).direction)
            found.append(self.geometry.theta / self.geometry.norm)
            self._pools[key] = [_Direction(self._slopes(each)) for each in found if each is not None]
        return self._pools[key]

    def _slopes(self, direction: Tensor) -> np.ndarray:
        """Lower bounds on <g, d> over the Clarke subgradients g of c_j, rounding subtracted."""
        return self.geometry.slopes(direction) - ROUNDING * self.geometry.clarke_norms

    @staticmethod
    def _best(pool: list[_Direction], rows: np.ndarray, scales: np.ndarray, others: np.ndarray | None = None) -> float:
        """max over the pool of min over ``rows`` of slope / scale, slopes at least 0 on ``others`` (and on rows)."""
        best = 0.0
        for direction in pool:
            slopes = direction.slopes
            if slopes[rows].min() < 0.0 or (others is not None and others.any() and slopes[others].min() < 0.0):
                continue
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = np.where(scales > 0.0, slopes / scales, math.inf)[rows]
            best = max(best, float(np.nan_to_num(ratios, nan=0.0, posinf=math.inf).min()))
        return best

    def _by_scaling(self, radius: float, rows: np.ndarray, lipschitz: np.ndarray) -> float:
        """kappa by scaling: G (||theta*|| + rho) ((1 - V)^{-1/r} - 1) / V with V = G rho < 1."""
        largest = float(lipschitz[rows].max())
        violation = largest * radius
        if not violation < 1.0:
            return math.inf
        growth = 1.0 / self.geometry.degree
        if violation > 0.0:
            growth = math.expm1(-math.log1p(-violation) / self.geometry.degree) / violation
        return largest * (self.geometry.norm + radius) * growth

    def _euclidean(self, rows: np.ndarray, lipschitz: np.ndarray, shrink: float) -> float:
        """sqrt(samples of the largest task) / (least singular value of the gradients divided by G_j), if positive."""
        scales = lipschitz[rows]
        if self.geometry.on_kinks[rows].any():  # the singular value would be that of one piece alone
            return math.inf
        if shrink <= 0.0 or not np.isfinite(scales).all() or not (scales > 0.0).all():
            return math.inf
        block = self.geometry.gram[np.ix_(rows, rows)] / np.outer(scales, scales)
        least = float(np.linalg.eigvalsh(block)[0]) - 1e-13 * len(block)
        group = float(np.bincount(self.tasks[rows]).max())
        return math.sqrt(group / least) / shrink if least > 0.0 else math.inf

    def _from_set(
        self, pool: list[_Direction], rows: np.ndarray, lipschitz: np.ndarray, shrink: float, task: int, kappa: float
    ) -> float:
        """kappa for x in C_task: only the other tasks' constraints need a slope, its own must not fall."""
        counted = rows & (self.tasks != task)
        if not counted.any():
            return 0.0
        margin = self._best(pool, counted, lipschitz, rows & ~counted) * max(shrink, 0.0)
        return min(kappa, 1.0 / margin) if margin > 0.0 else kappa

    def _normal_curvature(
        self, pool: list[_Direction], rows: np.ndarray, smoothness: np.ndarray, influence: float
    ) -> float:
        """chi: over each task the better of Euler's identity at p itself and of a direction of the pool."""
        worst = 0.0
        for task in np.unique(self.tasks[rows]):
            own = rows & (self.tasks == task)
            largest = float(smoothness[own].max())
            by_euler = largest * (self.geometry.norm + influence) / self.geometry.degree if largest > 0.0 else 0.0
            margin = self._best(pool, own, smoothness) - influence
            worst = max(worst, min(by_euler, 1.0 / margin if margin > 0.0 else math.inf))
        return worst


def _share_left(influence: float, margin: float) -> float:
    """1 - R / gamma_beta: the share of a slope that curvature leaves on B_R; -inf where no margin is proved."""
    if influence == 0.0:
        return 1.0
    return 1.0 - influence / margin if margin > 0.0 else -math.inf

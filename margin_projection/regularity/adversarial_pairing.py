"""A search for pairs of points of C_m and a normal between which (eps, delta)-regularity is worst.

For x, y in C_m and in B_delta(theta*), u = -sum_j mu_j g_j(x) a normal at x, the normalized pairing
<u, y - x> / (||u|| ||y - x||) must not exceed eps. Points of the boundary come from random points by scaling (C_m is a
level set of a homogeneous function) or, for equalities, by Gauss-Newton steps; the partner y starts along the tangent
direction of largest curvature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import to_numpy
from margin_projection.networks.linearization import Linearization
from margin_projection.sets.margin_set import ConstraintSystem

_POINTS = 6  # boundary points tried for each set, fewer where a pass over its samples is long
_LONG = 10_000_000  # parameters times samples
_PROBES = 3  # power steps towards the direction of largest curvature
_RETRACTIONS = 20
_FEASIBLE = 1e-12
_ROUNDING = 1e-15
_NEAR = 1e-3  # pairs nearer than this share of delta are left out: rounding decides them
_RIM = 0.95  # distance of a first point from theta, in delta
_LENGTHS = (1.9, 1.0, 0.5)  # of y - x, in delta


@dataclass(frozen=True)
class PairingSearch:
    """The largest normalized pairing met (0 at least), its two points, and how many pairs were compared."""

    pairing: float
    task: int
    points: tuple[Tensor, Tensor] | None
    pairs: int


def search_pairing(sets: list[ConstraintSystem], theta: Tensor, delta: float, seed: int) -> PairingSearch:
    """The largest normalized pairing met over all sets, within B_delta(theta); a sampled lower bound on eps."""
    generator = np.random.default_rng(seed)
    best = PairingSearch(0.0, -1, None, 0)
    for task, system in enumerate(sets):
        search = _SetSearch(system, theta, delta, generator)
        for _ in range(_POINTS if theta.numel() * system.num_constraints <= _LONG else 1):
            best = search.improve(best, task)
    return best


class _SetSearch:
    """Pairs within one set."""

    def __init__(self, system: ConstraintSystem, theta: Tensor, delta: float, generator: np.random.Generator) -> None:
        self.system, self.theta, self.delta, self.generator = system, theta, delta, generator
        self.X, self.signs, self.offsets, self.is_equality = system.tensors(theta.device)

    def improve(self, best: PairingSearch, task: int) -> PairingSearch:
        """The better of ``best`` and the pairs from one more boundary point."""
        x = self._first()
        if x is None:
            return best
        line = self.system.model.linearize(x, self.X)
        weights = self._normal_weights(line)
        normal = -line.adjoint(self.signs * weights)
        size, pairs = float(normal.norm()), best.pairs
        if size == 0.0:
            return best
        across = self.theta - x
        directions = [self._bent(line, weights, normal / size), self._unit()]
        if float(across.norm()) > 1e-3 * self.delta:
            directions.append(across / across.norm())
        for direction in directions:
            for length in _LENGTHS:
                for side in (1.0, -1.0):
                    y = self._boundary(x + side * length * self.delta * direction)
                    if y is None:
                        continue
                    pairs += 1
                    step = y - x
                    distance = float(step.norm())
                    if distance <= _NEAR * self.delta:
                        continue
                    error = self._error(weights, x, y) + _ROUNDING * size * float(y.norm())
                    value = (float(normal @ step) - error) / (size * distance)
                    if value > best.pairing:
                        best = PairingSearch(value, task, (x, y), pairs)
        return PairingSearch(best.pairing, best.task, best.points, pairs)

    def _error(self, weights: Tensor, *points: Tensor) -> float:
        """How far violations of the weighted constraints at the points can falsify <u, y - x>."""
        total = 0.0
        for point in points:
            violations = self.system.violation_values(self.system.constraint_values(point))
            total += float(weights.abs() @ (violations + _ROUNDING * (1.0 + self.offsets.abs())))
        return total

    def _first(self) -> Tensor | None:
        """A boundary point: near the ball's rim where a constraint curves most at theta, or at random."""
        line = self.system.model.linearize(self.theta, self.X)
        weights = self._normal_weights(line)
        normal = line.adjoint(self.signs * weights)
        size = float(normal.norm())
        if size > 0.0 and self.generator.random() < 0.5:
            return self._boundary(self.theta + _RIM * self.delta * self._bent(line, weights, normal / size))
        return self._boundary(self.theta + 0.5 * self.delta * self._unit())

    def _unit(self) -> Tensor:
        draw = torch.as_tensor(self.generator.standard_normal(self.theta.numel()), device=self.theta.device)
        return draw / draw.norm()

    def _normal_weights(self, line: Linearization) -> Tensor:
        """mu (n,): one active constraint (classification), a random combination (regression)."""
        if bool(self.is_equality.all()):
            return torch.as_tensor(self.generator.standard_normal(self.signs.numel()), device=self.theta.device)
        constraints = self.signs * line.values - self.offsets
        weights = torch.zeros_like(constraints)
        weights[int(constraints.argmin())] = 1.0
        return weights

    def _bent(self, line: Linearization, weights: Tensor, normal: Tensor) -> Tensor:
        """A unit tangent direction in which the weighted constraint curves most, by a few power steps."""
        vector = self._unit()
        for _ in range(_PROBES):
            vector = vector - (vector @ normal) * normal
            image = line.hessian_vector(self.signs * weights, vector)
            size = float(image.norm())
            if size <= 1e-300:
                break
            vector = image / size
        vector = vector - (vector @ normal) * normal
        size = float(vector.norm())
        return vector / size if size > 1e-12 else self._unit()

    def _boundary(self, point: Tensor) -> Tensor | None:
        """A point of the boundary of C_m near ``point`` and within B_delta(theta), None where none is reached."""
        found = self._on_manifold(point) if bool(self.is_equality.all()) else self._scaled(point)
        return found if found is not None and float((found - self.theta).norm()) <= self.delta else None

    def _scaled(self, point: Tensor) -> Tensor | None:
        least = float((self.signs * self.system.model.forward(point, self.X)).min())
        if not (math.isfinite(least) and least > 0.0):
            return None
        return point * least ** (-1.0 / self.system.model.degree)

    def _on_manifold(self, point: Tensor) -> Tensor | None:
        for _ in range(_RETRACTIONS):
            line = self.system.model.linearize(point, self.X)
            residual = self.signs * line.values - self.offsets
            if float(residual.abs().max()) <= _FEASIBLE:
                return point
            gram = to_numpy(line.gram())
            weights = np.linalg.lstsq(gram, to_numpy(residual), rcond=1e-12)[0]
            point = point - line.adjoint(torch.as_tensor(weights, device=point.device))
        return None

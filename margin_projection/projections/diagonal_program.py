"""The convex program behind diagonal quadratic constraints: conic solution, optimal face, Newton polish.

With s_j = theta_j^2 and z = |start|, minimizing ||theta - start||^2 over {Q theta^2 >= b} (or = b, row by row) becomes

    minimize sum_j s_j - 2 z_j sqrt(s_j)   subject to   Q s >= b (or = b), s >= 0,

which is convex with linear constraints: hidden convexity, and no duality gap wherever the set is nonempty.
"""

from __future__ import annotations

from dataclasses import dataclass

import clarabel
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

_EPSILON = 2.0**-52
_ACTIVE = 1e-6
_FACE_WIDTH = 1e-5


@dataclass(frozen=True)
class DiagonalProgram:
    """z = |start| (p,), Q (n, p), b (n,), is_equality (n,); scaled so that rows of Q have norm 1 and s is about 1.

    ``unit`` is the square root of the scale of s, ``row_norms`` (n,) the norms removed from Q.
    """

    z: np.ndarray
    Q: np.ndarray
    b: np.ndarray
    is_equality: np.ndarray
    unit: float
    row_norms: np.ndarray

    @staticmethod
    def scaled(start: np.ndarray, Q: np.ndarray, b: np.ndarray, is_equality: np.ndarray) -> DiagonalProgram:
        """The program of raw data, scaled."""
        norms = np.linalg.norm(Q, axis=1)
        norms = np.where(norms > 0.0, norms, 1.0)
        unit = max(float(np.abs(start).max()), float(np.sqrt(np.abs(b / norms).max())))
        unit = unit if unit > 0.0 else 1.0
        return DiagonalProgram(np.abs(start) / unit, Q / norms[:, None], b / norms / unit**2, is_equality, unit, norms)

    def violation(self, s: np.ndarray) -> float:
        """The largest violation at s, in scaled units."""
        slack = self.Q @ s - self.b
        return float(np.where(self.is_equality, np.abs(slack), np.maximum(-slack, 0.0)).max())

    def objective(self, s: np.ndarray) -> float:
        """The squared distance, in scaled units."""
        return float(np.sum((np.sqrt(s) - self.z) ** 2))


def solve_conic(program: DiagonalProgram) -> tuple[np.ndarray, np.ndarray] | None:
    """(s, weights) to about 1e-9 by Clarabel, with weights the multipliers of Q s >= b.

    None where it reports no solution.
    """
    p, moved = program.z.size, np.flatnonzero(program.z > 0.0)
    equal, unequal = np.flatnonzero(program.is_equality), np.flatnonzero(~program.is_equality)
    order = np.concatenate([equal, unequal])
    k, n = moved.size, order.size
    cost = np.concatenate([np.ones(p), -2.0 * program.z[moved]])
    still = np.flatnonzero(program.z == 0.0)
    signs = sparse.csc_matrix((-np.ones(still.size), (np.arange(still.size), still)), shape=(still.size, p + k))
    rows = sparse.csc_matrix(np.hstack([-program.Q[order], np.zeros((n, k))]))
    base, index = 3 * np.arange(k), np.arange(k)
    entries = np.concatenate([-np.ones(2 * k), -2.0 * np.ones(k)])  # (s + 1, s - 1, 2 t) in the second-order cone
    places = (np.concatenate([base, base + 1, base + 2]), np.concatenate([moved, moved, p + index]))
    cones = sparse.csc_matrix((entries, places), shape=(3 * k, p + k))
    right = np.concatenate([-program.b[order], np.zeros(still.size), np.tile([1.0, -1.0, 0.0], k)])
    kinds = [clarabel.ZeroConeT(equal.size), clarabel.NonnegativeConeT(unequal.size + still.size)]
    kinds += [clarabel.SecondOrderConeT(3)] * k
    matrix = sparse.vstack([rows, signs, cones], format="csc")
    result = clarabel.DefaultSolver(sparse.csc_matrix((p + k, p + k)), cost, matrix, right, kinds, _settings()).solve()
    solved = str(result.status) in ("Solved", "AlmostSolved", "InsufficientProgress")
    s, dual = np.array(result.x[:p]), np.array(result.z[:n])
    if not solved or not (np.isfinite(s).all() and np.isfinite(dual).all()):
        return None
    weights = np.empty(n)
    weights[order] = dual
    return np.maximum(s, 0.0), weights


def _settings() -> clarabel.DefaultSettings:
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    return settings


def least_violation(program: DiagonalProgram) -> np.ndarray:
    """s (p,) >= 0 of least largest violation, by a linear program; 0 where that fails."""
    p, equal = program.z.size, program.is_equality
    sides = np.vstack([-program.Q, program.Q[equal]])
    sides = np.hstack([sides, -np.ones((sides.shape[0], 1))])
    limits = np.concatenate([-program.b, program.b[equal]])
    result = linprog(np.append(np.zeros(p), 1.0), A_ub=sides, b_ub=limits, bounds=(0.0, None), method="highs")
    return np.zeros(p) if result.x is None else np.maximum(result.x[:p], 0.0)


def face_vertices(
    program: DiagonalProgram, s: np.ndarray, weights: np.ndarray, seed: int, rounds: int = 6
) -> list[np.ndarray]:
    """Vertices of the optimal face, several only where it is more than a point.

    Coordinates with z_j > 0 are unique by strict convexity, so the face is a polyhedron in the coordinates with z_j = 0
    and a reduced cost of 0. It is a point where the active columns are independent; otherwise linear programs in
    ``rounds`` random directions and their negatives measure it.
    """
    free = np.flatnonzero((program.z == 0.0) & (1.0 - weights @ program.Q <= _ACTIVE * (1.0 + np.abs(weights).sum())))
    tight = program.is_equality | (weights > _ACTIVE * (1.0 + np.abs(weights).max(initial=0.0)))
    columns = program.Q[np.ix_(tight, free)]
    if free.size == 0 or (columns.size and np.linalg.matrix_rank(columns, tol=1e-7) == free.size):
        return [s]
    fixed = s.copy()
    fixed[free] = 0.0
    right = program.b - program.Q @ fixed
    reach = program.Q[:, free] @ s[free]
    sides = np.vstack([-program.Q[np.ix_(~program.is_equality, free)], columns, -columns])
    slack = 1e-10 + np.abs(reach - right)
    limits = np.concatenate([-(right - slack)[~program.is_equality], (right + slack)[tight], -(right - slack)[tight]])
    corners = _extremes(sides, limits, free.size, seed, rounds)
    width = max((float(np.abs(corner - other).max()) for corner in corners for other in corners), default=0.0)
    if width <= _FACE_WIDTH * (1.0 + float(s.max())):
        return [s]
    result: list[np.ndarray] = []
    for corner in corners:
        vertex = fixed.copy()
        vertex[free] = corner
        if all(np.abs(vertex - other).max() > _FACE_WIDTH for other in result):
            result.append(vertex)
    return result


def _extremes(sides: np.ndarray, limits: np.ndarray, size: int, seed: int, rounds: int) -> list[np.ndarray]:
    """Vertices of {x >= 0, sides x <= limits} in random directions and their negatives."""
    generator = np.random.default_rng(seed)
    corners = []
    for direction in generator.standard_normal((rounds, size)):
        for sign in (1.0, -1.0):
            result = linprog(sign * direction, A_ub=sides, b_ub=limits, bounds=(0.0, None), method="highs-ds")
            if result.status == 0:
                corners.append(result.x)
    return corners


def polish(program: DiagonalProgram, s: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(t, weights) with t = sqrt(s), to rounding: Newton on the KKT system, its active set revised a few times."""
    reduced = 1.0 - weights @ program.Q
    support = (program.z > 0.0) | ((s > 1e-9) & (s > 1e-3 * reduced))
    slack = program.Q @ s - program.b
    active = program.is_equality | (weights > np.maximum(slack, 0.0)) & (
        weights > 1e-9 * (1.0 + weights.max(initial=0.0))
    )
    best = (np.sqrt(s), np.where(active, weights, 0.0))
    for _ in range(6):
        t, multipliers = _newton(program, np.sqrt(s), weights, support, active)
        best = min(best, (t, multipliers), key=lambda pair: _kkt_error(program, *pair))
        added = ~active & (program.Q @ t**2 - program.b < -1e-13)
        dropped = active & ~program.is_equality & (multipliers < 0.0)
        if not (added | dropped).any():
            break
        active = (active | added) & ~dropped
    return best


def _newton(
    program: DiagonalProgram, t: np.ndarray, weights: np.ndarray, support: np.ndarray, active: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for (1 - Q^T weights)_j t_j = z_j on the support and (Q t^2)_i = b_i on the active rows."""
    t, weights = np.where(support, t, 0.0), np.where(active, weights, 0.0)
    best, error = (t, weights), np.inf
    for _ in range(25):
        curvature = 1.0 - weights @ program.Q
        first = (curvature * t - program.z)[support]
        second = 0.5 * (program.Q @ t**2 - program.b)[active]
        size = max(np.abs(first).max(initial=0.0), np.abs(second).max(initial=0.0))
        if not np.isfinite(size) or (size >= 0.9 * error and size < 1e-12):
            break
        if size < error:
            best, error = (t.copy(), weights.copy()), size
        if size == 0.0:
            break
        coupling = program.Q[np.ix_(active, support)] * t[support]
        step = _solve_kkt(curvature[support], coupling, first, second)
        t[support] += step[: first.size]
        weights[active] += step[first.size :]
    return np.abs(best[0]), best[1]


def _solve_kkt(diagonal: np.ndarray, coupling: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Solve [[D, -C^T], [-C, 0]] step = (-first, second); of least norm where singular."""
    rows = second.size
    matrix = np.block([[np.diag(diagonal), -coupling.T], [-coupling, np.zeros((rows, rows))]])
    right = np.concatenate([-first, second])
    try:
        step = np.linalg.solve(matrix, right)
        if np.isfinite(step).all() and np.abs(step).max(initial=0.0) < 1e3:
            return step
    except np.linalg.LinAlgError:
        pass
    return np.linalg.lstsq(matrix, right, rcond=1e-10)[0]


def _kkt_error(program: DiagonalProgram, t: np.ndarray, weights: np.ndarray) -> float:
    """The largest KKT residual, in scaled units."""
    curvature = 1.0 - weights @ program.Q
    slack = program.Q @ t**2 - program.b
    stationarity = np.abs(curvature * t - program.z).max()
    complementarity = np.where(program.is_equality, 0.0, np.maximum(np.abs(weights * slack), -weights)).max()
    return float(max(stationarity, complementarity, program.violation(t**2), np.maximum(-curvature, 0.0).max()))

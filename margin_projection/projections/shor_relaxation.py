"""Shor's semidefinite relaxation of a projection onto dense quadratic constraints, and the points it suggests."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cvxpy
import numpy as np
from scipy.optimize import lsq_linear, minimize


@dataclass(frozen=True)
class QuadraticProgram:
    """minimize ||theta - start||^2 s.t. theta^T A_i theta >= b_i, or = b_i; A (n, p, p) symmetric, signs included."""

    start: np.ndarray
    A: np.ndarray
    b: np.ndarray
    is_equality: np.ndarray

    def values(self, theta: np.ndarray) -> np.ndarray:
        """(n,) theta^T A_i theta - b_i."""
        return np.einsum("p,npq,q->n", theta, self.A, theta) - self.b

    def violation(self, theta: np.ndarray) -> float:
        """The largest violation at theta."""
        values = self.values(theta)
        return float(np.where(self.is_equality, np.abs(values), np.maximum(-values, 0.0)).max())

    def curvature(self, weights: np.ndarray) -> np.ndarray:
        """I - sum_i l_i A_i."""
        return np.eye(self.start.size) - np.tensordot(weights, self.A, 1)


def relax(program: QuadraticProgram) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(weights, mean, covariance): dual multipliers and the first two moments of the primal solution; None where it
    fails.

    The dual of the relaxation is solved: maximize gamma subject to [[I - sum_i l_i A_i, start], [start^T, c]] positive
    semidefinite, c = ||start||^2 + weights^T b - gamma.
    """
    p, n = program.start.size, program.b.size
    weights, gamma = cvxpy.Variable(n), cvxpy.Variable()
    pull = cvxpy.reshape(program.A.reshape(n, -1).T @ weights, (p, p), order="C")
    column = program.start.reshape(-1, 1)
    corner = cvxpy.reshape(program.start @ program.start + program.b @ weights - gamma, (1, 1), order="C")
    block = cvxpy.bmat([[np.eye(p) - pull, column], [column.T, corner]])
    semidefinite = 0.5 * (block + block.T) >> 0
    constraints = [semidefinite]
    if not program.is_equality.all():
        constraints.append(weights[np.flatnonzero(~program.is_equality)] >= 0.0)
    task = cvxpy.Problem(cvxpy.Maximize(gamma), constraints)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an inaccurate dual still gives a bound: it is re-verified
            task.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    except cvxpy.SolverError:
        return None
    if weights.value is None or semidefinite.dual_value is None or task.status not in ("optimal", "optimal_inaccurate"):
        return None
    moments = np.asarray(semidefinite.dual_value)
    if not np.isfinite(moments).all() or moments[-1, -1] <= 0.0:
        return None
    moments = moments / moments[-1, -1]
    mean = -moments[:-1, -1]
    return np.asarray(weights.value), mean, moments[:-1, :-1] - np.outer(mean, mean)


def suggestions(mean: np.ndarray, covariance: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Roundings of the relaxation: mean +- the leading direction of the covariance, and ``count`` normal samples."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    samples = np.random.default_rng(seed).standard_normal((count, mean.size)) @ root.T
    return [mean + root[:, -1], mean - root[:, -1], *(mean + samples)]


def improve(program: QuadraticProgram, guess: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(theta, weights): a local minimizer near ``guess`` by SLSQP, then Newton on the KKT system of its active set."""
    start, equal = program.start, program.is_equality
    constraints = [
        {
            "type": kind,
            "fun": lambda theta, rows=rows: program.values(theta)[rows],
            "jac": lambda theta, rows=rows: 2.0 * (program.A[rows] @ theta),
        }
        for kind, rows in (("eq", np.flatnonzero(equal)), ("ineq", np.flatnonzero(~equal)))
        if rows.size
    ]
    result = minimize(
        lambda theta: float(np.sum((theta - start) ** 2)),
        guess,
        jac=lambda theta: 2.0 * (theta - start),
        constraints=constraints,
        method="SLSQP",
        options={"maxiter": steps, "ftol": 1e-14},
    )
    theta = result.x if np.isfinite(result.x).all() else guess
    return _polish(program, theta)


def _polish(program: QuadraticProgram, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method on (I - sum_i l_i A_i) theta = start and active theta^T A_i theta = b_i; the best iterate."""
    scale = 1.0 + np.abs(program.b)
    active = program.is_equality | (program.values(theta) <= 1e-6 * scale)
    weights = estimate_weights(program, theta, active)
    best, error = (theta, weights), np.inf
    for _ in range(20):
        gradients = program.A[active] @ theta
        first = program.curvature(weights) @ theta - program.start
        second = 0.5 * program.values(theta)[active]
        size = max(np.abs(first).max(), np.abs(second).max(initial=0.0), program.violation(theta))
        if not np.isfinite(size) or size > 1e6:
            break
        if size < error:
            best, error = (theta.copy(), weights.copy()), size
        if size <= 1e-15:
            break
        matrix = np.block([[program.curvature(weights), -gradients.T], [-gradients, np.zeros((second.size,) * 2)]])
        step = np.linalg.lstsq(matrix, np.concatenate([-first, second]), rcond=1e-11)[0]
        theta = theta + step[: theta.size]
        weights = weights.copy()
        weights[active] += step[theta.size :]
    return best


def estimate_weights(program: QuadraticProgram, theta: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Least-squares multipliers of the active rows, nonnegative for inequalities; ``active`` loses rows at 0."""
    weights = np.zeros(program.b.size)
    if active.any():
        low = np.where(program.is_equality[active], -np.inf, 0.0)
        gradients = (program.A[active] @ theta).T
        solution = lsq_linear(gradients, theta - program.start, bounds=(low, np.inf), tol=1e-12)
        weights[active] = solution.x
        active &= program.is_equality | (weights > 1e-9 * (1.0 + np.abs(weights).max()))
        weights = np.where(active, weights, 0.0)
    return weights

"""Projection onto a polyhedron given by few rows, by an active-set method and a refinement on its active set."""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np

UNBOUNDED = 1e30
"""What daqp reads as no bound."""


@dataclass(frozen=True)
class PolyhedronProjection:
    """The point nearest to a center in {x : rows x >= offsets}: point - center = rows^T multipliers, these >= 0."""

    point: np.ndarray
    multipliers: np.ndarray


def project_polyhedron(rows: np.ndarray, offsets: np.ndarray, center: np.ndarray) -> PolyhedronProjection | None:
    """Project ``center`` (p,) onto {x : rows x >= offsets}; None where the solver finds the rows inconsistent.

    The rows are scaled to length 1 for the solver, whose tolerances are absolute; zero rows decide by their offset.
    """
    lengths = np.linalg.norm(rows, axis=1)
    if (offsets[lengths == 0.0] > 0.0).any():
        return None
    scale = np.where(lengths > 0.0, lengths, 1.0)
    unit_rows, gaps = rows / scale[:, None], (offsets - rows @ center) / scale
    if not (gaps > 0.0).any():
        return PolyhedronProjection(center.copy(), np.zeros(len(offsets)))
    # daqp's tolerances and its notion of "inconsistent" are absolute: bring the largest gap to 1 first.
    size = float(gaps.max())
    solution, _, flag, information = daqp.solve(
        np.eye(center.size),
        np.zeros(center.size),
        np.ascontiguousarray(unit_rows),
        np.full(len(offsets), UNBOUNDED),
        gaps / size,
        np.zeros(len(offsets), dtype=np.int32),
        primal_tol=1e-11,
    )
    if flag != 1:
        return None
    step, unit_multipliers = _refine(unit_rows, gaps / size, np.array(solution), np.maximum(-information["lam"], 0.0))
    return PolyhedronProjection(center + size * step, size * unit_multipliers / scale)


def _refine(
    rows: np.ndarray, gaps: np.ndarray, step: np.ndarray, multipliers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve the equations of the active set to the last digits; keep what daqp found where that is no better."""
    active = np.flatnonzero(multipliers > 0.0)
    refined = np.zeros_like(multipliers)
    gram = rows[active] @ rows[active].T
    for _ in range(3):
        residual = gaps[active] - rows[active] @ (rows.T @ refined)
        refined[active] += np.linalg.lstsq(gram, residual, rcond=1e-13)[0]
    if (refined < -1e-13).any():
        return step, multipliers
    refined = np.maximum(refined, 0.0)
    candidate = rows.T @ refined
    better = (gaps - rows @ candidate).max() <= max((gaps - rows @ step).max(), 1e-14)
    return (candidate, refined) if better else (step, multipliers)


def least_violation_step(rows: np.ndarray, offsets: np.ndarray, center: np.ndarray, weight: float) -> np.ndarray:
    """Minimize (1/2) ||x - center||^2 + (weight / 2) ||[offsets - rows x]_+||^2: always solvable."""
    count, size = rows.shape
    extended = np.hstack([rows, np.eye(count) / np.sqrt(weight)])
    target = project_polyhedron(extended, offsets, np.concatenate([center, np.zeros(count)]))
    return center.copy() if target is None else target.point[:size]

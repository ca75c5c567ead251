"""Exact distances to polyhedra of the plane, by enumeration: the oracle of the regularity tests."""

from __future__ import annotations

from itertools import combinations

import numpy as np

INSIDE = 1e-12


def distances(rows: np.ndarray, offsets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(k,) distances of points (k, 2) to {x : rows x >= offsets}: the least to feet of perpendiculars and vertices."""
    best = np.where(_contains(rows, offsets, points), 0.0, np.inf)
    for row, offset in zip(rows, offsets, strict=True):
        feet = points - ((points @ row - offset) / (row @ row))[:, None] * row
        lengths = np.linalg.norm(points - feet, axis=1)
        best = np.where(_contains(rows, offsets, feet), np.minimum(best, lengths), best)
    for i, j in combinations(range(len(rows)), 2):
        corner = rows[[i, j]]
        if abs(np.linalg.det(corner)) < 1e-9:
            continue
        vertex = np.linalg.solve(corner, offsets[[i, j]])
        if _contains(rows, offsets, vertex[None])[0]:
            best = np.minimum(best, np.linalg.norm(points - vertex, axis=1))
    return best


def _contains(rows: np.ndarray, offsets: np.ndarray, points: np.ndarray) -> np.ndarray:
    scale = np.linalg.norm(rows, axis=1) * (1.0 + np.abs(points).max())
    return (points @ rows.T - offsets >= -INSIDE * scale).all(1)


def largest_ratio(sets: list[np.ndarray], center: np.ndarray, radius: float) -> float:
    """max d(x, C*) / max_m d(x, C_m) over the ball, each set {x : rows x >= 1}: a polar grid, refined at its best."""
    radii = radius * np.geomspace(1e-5, 1.0, 11)
    angles = np.linspace(0.0, 2.0 * np.pi, 361)
    step = angles[1]
    for _ in range(3):
        ratios = np.array([_ratios(sets, center, each, angles) for each in radii])
        best = angles[int(ratios.max(0).argmax())]
        angles, step = np.linspace(best - step, best + step, 41), step / 20.0
    return float(ratios.max())


def _ratios(sets: list[np.ndarray], center: np.ndarray, radius: float, angles: np.ndarray) -> np.ndarray:
    circle = center + radius * np.stack([np.cos(angles), np.sin(angles)], -1)
    joint = np.vstack(sets)
    numerator = distances(joint, np.ones(len(joint)), circle)
    denominator = np.max([distances(rows, np.ones(len(rows)), circle) for rows in sets], axis=0)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 1e-9 * radius)

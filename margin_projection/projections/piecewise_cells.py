"""The sign patterns a linear unit can have on given samples: cells of a central hyperplane arrangement."""

from __future__ import annotations

import itertools
import math

import numpy as np

LINE_TOLERANCE = 1e-9
"""Cosines up to this count as zero when a sample lies in a wall: both signs are then listed (a superset is safe)."""


def sign_cells(X: np.ndarray, limit: int) -> np.ndarray | None:
    """(cells, n) booleans <u, x_i> > 0: every pattern that some u has, and perhaps a few more; None beyond ``limit``.

    Every cell of an arrangement whose normals span the space is a pointed cone, so it has an extreme ray: a vector
    orthogonal to d - 1 independent samples. Its signs are those of the ray wherever that is nonzero, and all
    combinations are listed elsewhere, so that no pattern is missed. Parallel samples are one hyperplane.

    Args:
        X: (n, d) samples that span R^d.
        limit: the most cells wanted.

    >>> sign_cells(np.array([[1.0], [-2.0]]), 10).tolist()
    [[False, True], [True, False]]
    """
    normals, index, flips = _hyperplanes(X)
    reduced = _reduced_cells(normals, limit)
    if reduced is None or reduced.shape[0] > limit:
        return None
    cells = np.zeros((reduced.shape[0], X.shape[0]), dtype=bool)
    nonzero = index >= 0
    cells[:, nonzero] = reduced[:, index[nonzero]] ^ flips[nonzero]
    return np.unique(cells, axis=0)


def _reduced_cells(normals: np.ndarray, limit: int) -> np.ndarray | None:
    """(cells, count) signs of distinct hyperplanes: all combinations of few ones, else those beside a ray."""
    count, dimension = normals.shape
    if count > 10 and dimension > 0:
        too_many = math.comb(count, dimension - 1) * 2**dimension > 4 * limit
        return None if too_many else _cells_from_rays(normals, limit)
    if count > 6 and dimension < count and math.comb(count, dimension - 1) < 2000:
        return _cells_from_rays(normals, limit)
    return np.array(list(itertools.product((False, True), repeat=count)), dtype=bool).reshape(-1, count)


def _hyperplanes(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit normals of the distinct hyperplanes, and each sample's index (-1 for zero) and orientation."""
    normals: list[np.ndarray] = []
    index, flips = np.full(X.shape[0], -1), np.zeros(X.shape[0], dtype=bool)
    for position, sample in enumerate(X):
        length = np.linalg.norm(sample)
        if length == 0.0:
            continue
        unit = sample / length
        for known, normal in enumerate(normals):
            sign = 1.0 if unit @ normal > 0 else -1.0
            if np.linalg.norm(unit - sign * normal) <= 1e-15:
                index[position], flips[position] = known, sign < 0
                break
        else:
            index[position] = len(normals)
            normals.append(unit)
    return np.array(normals).reshape(len(normals), X.shape[1]), index, flips


def _cells_from_rays(normals: np.ndarray, limit: int) -> np.ndarray | None:
    """All sign vectors adjacent to a ray orthogonal to d - 1 independent normals; None beyond ``limit``."""
    count, dimension = normals.shape
    found: set[bytes] = set()
    for subset in itertools.combinations(range(count), dimension - 1):
        _, singular, right = np.linalg.svd(normals[list(subset)].reshape(dimension - 1, dimension))
        if dimension > 1 and singular[-1] <= 1e-12:
            continue
        cosines = normals @ right[-1]
        tolerance = LINE_TOLERANCE / (singular[-1] if dimension > 1 else 1.0)
        free = np.flatnonzero(np.abs(cosines) <= tolerance)
        if 2**free.size > limit:
            return None
        for choice in itertools.product((False, True), repeat=free.size):
            signs = cosines > 0
            signs[free] = choice
            found.add(signs.tobytes())
            signs = ~signs
            signs[free] = choice
            found.add(signs.tobytes())
        if len(found) > limit:
            return None
    return np.array([np.frombuffer(each, dtype=bool) for each in sorted(found)])

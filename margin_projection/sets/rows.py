"""Norms of rows, safe from overflow and underflow."""

from __future__ import annotations

import numpy as np


def row_norms(rows: np.ndarray) -> np.ndarray:
    """(n,) Euclidean norms of ``rows`` (n, p), with neither overflow nor underflow of squares.

    >>> row_norms(np.array([[3e200, 4e200], [0.0, 0.0]]))
    array([5.e+200, 0.e+000])
    """
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if norms.size and not (norms.max() <= 1e140 and norms.min() >= 1e-140):
        largest = np.abs(rows).max(axis=1, initial=0.0)
        safe = np.where(largest > 0.0, largest, 1.0)
        norms = safe * np.linalg.norm(rows / safe[:, None], axis=1)
    return norms

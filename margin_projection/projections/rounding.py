"""The violations that float64 cannot avoid: feasibility tolerances that account for rounding."""

from __future__ import annotations

import numpy as np

_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDINGS = 8.0  # errors of evaluation and of the parameters themselves, in units of the spacing of float64
_LARGEST = 1e-6  # relative to an offset of size 1 or more: violations above are never explained away


def feasibility_tolerances(
    tolerance: float, offsets: np.ndarray, gradient_norms: np.ndarray, parameter_norm: float
) -> np.ndarray:
    """(n,) the violation of each constraint s f >= b (or = b) up to which a point counts as feasible.

    Rounding theta to float64 alone moves f by up to eps ||theta|| ||grad f||, and evaluating f - b adds as much: where
    8 eps (|b| + ||theta|| ||grad f||) exceeds ``tolerance``, it takes its place, but no more than 1e-6 max(1, |b|). Far
    from the origin a smaller violation cannot be asked for: at ||theta|| = 1e8 float64 does not resolve 1e-10.

    Args:
        tolerance: the violation asked for.
        offsets: (n,) b.
        gradient_norms: (n,) norms of the gradients at theta.
        parameter_norm: ||theta||.

    >>> feasibility_tolerances(1e-10, np.ones(1), np.ones(1), 1.0)
    array([1.e-10])
    >>> feasibility_tolerances(1e-10, np.ones(1), np.ones(1), 1e20)
    array([1.e-06])
    """
    sizes = np.abs(offsets)
    rounding = _ROUNDINGS * _EPSILON * (sizes + gradient_norms * parameter_norm)
    return np.maximum(tolerance, np.minimum(rounding, _LARGEST * np.maximum(1.0, sizes)))

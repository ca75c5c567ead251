"""Whether the smooth pieces of a model that meet at a point are known."""

from __future__ import annotations

import numpy as np

from margin_projection.regularity.constants import ConstantBounds
from margin_projection.regularity.point_geometry import PointGeometry

NEARBY = 1e-9  # radius, relative to ||theta||, of the ball on which operations that list no kinks must be smooth


def pieces_are_listed(geometry: PointGeometry, bounds: ConstantBounds, rows: np.ndarray) -> bool:
    """Whether the Clarke subgradients of the constraints ``rows`` (n,) are those of `PointGeometry.slopes`.

    They need not be at kinks behind one another, nor near a kink of an operation that lists none, such as a maximum:
    there no finite smoothness constant is proved on any small ball.
    """
    if geometry.nested[rows].any():
        return False
    if not geometry.system.model.nonsmooth_operations or not rows.any():
        return True
    return bool(np.isfinite(bounds.at(NEARBY * geometry.norm).smoothness[rows]).all())

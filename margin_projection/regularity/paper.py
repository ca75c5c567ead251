"""The constants of Theorems 6 and 15 by the paper's own formulas, whatever G and beta are put in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PaperFormulas:
    """Schliserman et al. 2026, Lemmas C.11 and D.2, Theorems 6 and 15, evaluated; not proved here as such.

    Attributes:
        lipschitz, smoothness: the G and beta put in.
        kappa: G ||theta*|| / r, over y_min as well for regression (Lemmas C.11, D.2).
        eps: the solution of 1 / (1 - eps)^{M-1} = 1 + r^2 / (2 (M-1) G^2 ||theta*||^2); None for one task, where the
            formula divides by 0.
        delta: the radius of the basin, eps r / (beta ||theta*||), times y_min for regression; infinite where beta is 0,
            0 where G or beta is infinite; None where eps is.
    """

    lipschitz: float
    smoothness: float
    kappa: float
    eps: float | None
    delta: float | None


def paper_formulas(
    lipschitz: float, smoothness: float, norm: float, degree: float, num_tasks: int, smallest_label: float
) -> PaperFormulas:
    """The formulas for given G and beta.

    Args:
        lipschitz, smoothness: G > 0 and beta >= 0, infinite allowed.
        norm: ||theta*|| > 0.
        degree: r > 0.
        num_tasks: M >= 1.
        smallest_label: y_min = min |y_i| for regression (0 leaves nothing: kappa is infinite, delta 0), 1 otherwise.

    >>> formulas = paper_formulas(2.0, 1.0, norm=1.0, degree=2.0, num_tasks=2, smallest_label=1.0)
    >>> formulas.kappa, round(formulas.eps, 12), round(formulas.delta, 12)
    (1.0, 0.333333333333, 0.666666666667)
    """
    kappa = lipschitz * norm / (degree * smallest_label) if smallest_label > 0.0 else math.inf
    if num_tasks == 1:
        return PaperFormulas(lipschitz, smoothness, kappa, None, None)
    others = num_tasks - 1
    gain = (degree / (lipschitz * norm)) ** 2 / (2.0 * others) if lipschitz * norm > 0.0 else math.inf
    eps = -math.expm1(-math.log1p(gain) / others) if math.isfinite(gain) else 1.0
    if not (math.isfinite(lipschitz) and math.isfinite(smoothness)):
        delta = 0.0
    else:
        delta = smallest_label * eps * degree / (smoothness * norm) if smoothness > 0.0 else math.inf
    return PaperFormulas(lipschitz, smoothness, kappa, eps, delta)

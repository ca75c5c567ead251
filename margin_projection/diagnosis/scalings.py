"""From Euler's equations to weights: which scalings of the parameter groups multiply f by a power of the factor."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from margin_projection.diagnosis.euler import EulerEquations

TOLERANCE = 1e-9  # of residuals, relative to the largest entry of each equation
_RANK = 1e-9  # singular values below this share of the largest one count as zero
_DENOMINATOR = 60
_ROUNDING = 1e-7  # entries this near to a fraction are taken for it
_LARGEST_WEIGHT = 1000


@dataclass(frozen=True)
class Scaling:
    """f(x; (c^{weights_g} theta_g)_g) = c^degree f(x; theta) for all c > 0.

    Attributes:
        weights: (G,) nonnegative; 0 for a group that must stay fixed.
        degree: above 0.
    """

    weights: tuple[float, ...]
    degree: float

    @property
    def is_common(self) -> bool:
        """Whether all groups scale by the same factor."""
        return set(self.weights) == {1.0}

    @property
    def is_positive(self) -> bool:
        """Whether every group scales."""
        return min(self.weights) > 0.0


@dataclass(frozen=True)
class ScalingSpace:
    """All signed solutions: {(w, d) : matrix w = d right}, and what is known of its size.

    Attributes:
        matrix, right: (k, G) and (k,), in reduced row echelon form; integers where the entries are simple fractions.
        is_rational: whether all entries were.
        residual: of the least-squares solution of pairings w = values; at rounding level where w exists for d = 1.
        num_symmetries: G - k, the dimension of the scalings that leave f as it is.
    """

    matrix: np.ndarray
    right: np.ndarray
    is_rational: bool
    residual: float
    num_symmetries: int

    @property
    def is_solvable(self) -> bool:
        """Whether some scaling, perhaps with negative weights, multiplies f by a power of c that is not 0."""
        return self.residual <= TOLERANCE


def scaling_space(equations: EulerEquations) -> ScalingSpace:
    """Solve pairings w = d values: the space of solutions, from the singular values of the pairings."""
    pairings, values = equations.pairings, equations.values
    sizes = np.abs(pairings).max(0)
    sizes = np.where(sizes > TOLERANCE, sizes, 0.0)  # columns at rounding level are zero
    scaled = pairings / np.where(sizes > 0.0, sizes, np.inf)
    left, singular, right = np.linalg.svd(scaled, full_matrices=False)
    kept = singular > _RANK * max(float(singular.max(initial=0.0)), 1.0)
    inner = (left[:, kept].T @ values) / singular[kept]
    solution = right[kept].T @ inner
    residual = float(np.abs(scaled @ solution - values).max())
    matrix, target = _echelon(right[kept] * sizes, inner)
    matrix, target, is_rational = _simplify(matrix, target)
    return ScalingSpace(matrix, target, is_rational, residual, pairings.shape[1] - int(kept.sum()))


def _echelon(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduced row echelon form of (matrix | right) by complete pivoting; the matrix has full row rank."""
    table = np.column_stack([matrix, right])
    taken: list[int] = []
    for row in range(len(table)):
        block = np.abs(table[row:, :-1])
        block[:, taken] = 0.0
        lead, column = (int(index) for index in np.unravel_index(int(block.argmax()), block.shape))
        table[[row, row + lead]] = table[[row + lead, row]]
        table[row] /= table[row, column]
        for other in range(len(table)):
            if other != row:
                table[other] -= table[other, column] * table[row]
        taken.append(column)
    return table[:, :-1], table[:, -1]


def _simplify(matrix: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Entries replaced by simple fractions, rows by integer multiples, where all entries are near to such fractions."""
    rows = []
    for row in np.column_stack([matrix, right]):
        fractions = [Fraction(float(entry)).limit_denominator(_DENOMINATOR) for entry in row]
        if any(abs(float(f) - entry) > _ROUNDING for f, entry in zip(fractions, row, strict=True)):
            return matrix, right, False
        multiple = int(np.lcm.reduce([f.denominator for f in fractions]))
        rows.append([float(f * multiple) for f in fractions])
    table = np.array(rows).reshape(len(rows), matrix.shape[1] + 1)
    return table[:, :-1], table[:, -1], True


def simplest_scaling(space: ScalingSpace) -> Scaling | None:
    """The scaling with nonnegative weights that moves as many groups as possible; equal weights where they will do.

    Else the weights are the integers of least sum that will do. None where every scaling has a negative weight.
    """
    if not space.is_solvable:
        return None
    support = _largest_support(space)
    if not support.any():
        return None
    sums = space.matrix[:, support].sum(1)
    known = np.abs(space.right) > _ROUNDING
    if known.any():
        degree = float(np.mean(sums[known] / space.right[known]))
        if degree > _ROUNDING and np.abs(sums - degree * space.right).max() <= _ROUNDING * max(1.0, degree):
            return Scaling(tuple(map(float, support)), _round(degree))
    return _integer_weights(space, support) or _central_weights(space, support)


def _largest_support(space: ScalingSpace) -> np.ndarray:
    """Which groups can have a positive weight, all at once: max sum_g t_g, t <= 1, t <= w, matrix w = d right, d >= 1.

    Scalings form a convex cone, so the sum of two is one, and the maximum has t_g = 1 wherever a group can move.
    """
    groups = space.matrix.shape[1]
    equal = np.column_stack([space.matrix, -space.right, np.zeros((len(space.matrix), groups))])
    below = np.column_stack([-np.eye(groups), np.zeros(groups), np.eye(groups)])
    bounds = [(0.0, None)] * groups + [(1.0, None)] + [(0.0, 1.0)] * groups
    cost = np.concatenate([np.zeros(groups + 1), -np.ones(groups)])
    found = linprog(cost, below, np.zeros(groups), equal, np.zeros(len(equal)), bounds, method="highs")
    return np.zeros(groups, dtype=bool) if found.x is None else found.x[groups + 1 :] > 0.5


def _integer_weights(space: ScalingSpace, support: np.ndarray) -> Scaling | None:
    """Integers w >= 1 on the support, 0 elsewhere, and d >= 1 of least sum; None where none are below 1000."""
    if not space.is_rational:
        return None
    groups = space.matrix.shape[1]
    rows = LinearConstraint(np.column_stack([space.matrix, -space.right]), 0.0, 0.0)
    lower = np.concatenate([support.astype(float), [1.0]])
    upper = np.concatenate([np.where(support, _LARGEST_WEIGHT, 0.0), [_LARGEST_WEIGHT]])
    found = milp(np.ones(groups + 1), constraints=rows, integrality=np.ones(groups + 1), bounds=Bounds(lower, upper))
    if found.x is None:
        return None
    whole = np.round(found.x)
    if np.abs(space.matrix @ whole[:-1] - whole[-1] * space.right).max(initial=0.0) > _ROUNDING:
        return None
    return Scaling(tuple(map(float, whole[:-1])), float(whole[-1]))


def _central_weights(space: ScalingSpace, support: np.ndarray) -> Scaling | None:
    """The scaling of degree 1 whose least weight on the support is largest, weights at most 1000."""
    groups = space.matrix.shape[1]
    equal = np.column_stack([space.matrix, np.zeros(len(space.matrix))])
    below = np.column_stack([-np.eye(groups), np.ones(groups)])[support]
    bounds = [(0.0, _LARGEST_WEIGHT if moves else 0.0) for moves in support] + [(0.0, None)]
    cost = np.concatenate([np.zeros(groups), [-1.0]])
    found = linprog(cost, below, np.zeros(len(below)), equal, space.right, bounds, method="highs")
    if found.x is None or found.x[-1] <= _ROUNDING:
        return None
    return Scaling(tuple(map(float, found.x[:-1])), 1.0)


def _round(degree: float) -> float:
    simple = float(Fraction(degree).limit_denominator(_DENOMINATOR))
    return simple if abs(simple - degree) <= _ROUNDING else degree

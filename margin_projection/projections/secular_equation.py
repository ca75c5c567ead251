"""The secular equation of one quadratic constraint, solved for a batch of starts to full double precision.

Minimizing ||theta - start||^2 subject to theta^T A theta >= b (or = b) is a generalised trust-region problem. By the
S-lemma (More 1993, "Generalizations of the trust region problem"), a feasible theta is a *global* minimizer if some l
(l >= 0 for >=) has (I - l A) theta = start, I - l A positive semidefinite and l (theta^T A theta - b) = 0; such an l
exists except where b = 0 and A has no eigenvalue of the sign that is needed (handled apart: theta vanishes there). In
the eigenbasis of A, with eigenvalues a_j, theta_j = start_j / (1 - l a_j).

To raise theta^T A theta to b > start^T A start, put 1 / l = S (k + w) with w > 0: S = max a_j and k = 1 where A has a
positive eigenvalue, S = max |a_j| and k = 0 where it has none. With r_j = a_j / S and gaps g_j = k - r_j >= 0,

    theta_j = start_j (k + w) / (g_j + w),    q_j = r_j / (g_j + w),
    theta^T A theta - start^T A start = S sum_j r_j start_j^2 q_j (2 + q_j).

w is the relative distance of 1 / l to its pole; every sum above has nonnegative terms only, so nothing cancels, however
near w is to 0 (the hard case) or to infinity (a start almost on the set). The sum decreases in w. Where it stays below
the target as w -> 0, the start has no component in the top eigenspace: the hard case, w = 0, and the top component is
free on a sphere whose radius the constraint fixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EPSILON = 2.0**-52
_NEGLIGIBLE = 1e-150
_HUGE = np.finfo(np.float64).max
_LAST_STEP = 1e-9
_MAX_ITERATIONS = 200


@dataclass(frozen=True)
class RaisedBatch:
    """Minimizers over {sum_j a_j t_j^2 >= b} of starts (p, B) that lie outside, in the eigenbasis.

    Attributes:
        points: (p, B).
        multipliers: (B,) l / 2, so that point - start = multiplier * grad; infinite where no multiplier exists.
        lower_bounds: (B,) on the distance, from weak duality, rounding subtracted.
        hard: (B,) whether the start has no component in the top eigenspace and the minimizer has one: not unique.
        radius: (B,) norm of the free component in the hard case, else 0.
        ambiguous: (B,) whether rounding decides if the radius is 0.
    """

    points: np.ndarray
    multipliers: np.ndarray
    lower_bounds: np.ndarray
    hard: np.ndarray
    radius: np.ndarray
    ambiguous: np.ndarray


@dataclass(frozen=True)
class RaisedForm:
    """Eigenvalues a to be raised, in units of S: ratios r, gaps g and what else depends on them alone.

    Attributes:
        values: (p,) a.
        unit: S (1 where all eigenvalues are 0).
        shift: k.
        ratios, gaps: (p, 1).
        top: (p, 1) bool, see `top_eigenspace`.
    """

    values: np.ndarray
    unit: float
    shift: float
    ratios: np.ndarray
    gaps: np.ndarray
    top: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> RaisedForm:
        """Of eigenvalues (p,)."""
        largest = float(values.max())
        shift = 1.0 if largest > 0.0 else 0.0
        unit = float(np.abs(values).max() if shift == 0.0 else largest) or 1.0
        top = top_eigenspace(values)
        gaps = np.where(top, 0.0, (largest * shift - values) / unit)
        return RaisedForm(values, unit, shift, (values / unit)[:, None], gaps[:, None], top[:, None])


@dataclass(frozen=True)
class _Scaled:
    """The scaled equation: starts (p, B), their squares, targets b and residuals R (B,)."""

    form: RaisedForm
    starts: np.ndarray
    squares: np.ndarray
    targets: np.ndarray
    residuals: np.ndarray

    def without_top(self, rows: np.ndarray) -> _Scaled:
        """The same with the top components of the rows (B,) removed."""
        starts = np.where(self.form.top & rows, 0.0, self.starts)
        return _Scaled(self.form, starts, starts * starts, self.targets, self.residuals)


def top_eigenspace(values: np.ndarray) -> np.ndarray:
    """(p,) bool: the coordinates of the largest eigenvalue where it is positive, else none."""
    return (values == values.max()) & (values > 0.0)


def raise_form(
    form: RaisedForm, starts: np.ndarray, residuals: np.ndarray, bound: float, choice: np.ndarray
) -> RaisedBatch:
    """Solve for starts with sum_j a_j start_j^2 = b - residual < b; the set must be nonempty.

    Args:
        form: of the eigenvalues a.
        starts: (p, B) in the eigenbasis.
        residuals: (B,) b - sum_j a_j start_j^2 > 0.
        bound: b; at most 0 where no eigenvalue is positive.
        choice: (B,) signs of the free component in the hard case.
    """
    with np.errstate(all="ignore"):  # 0 / 0 and 1 / 0 are limits, dealt with where they arise
        return _raise_form(form, starts, residuals, bound, choice)


def _raise_form(
    form: RaisedForm, starts: np.ndarray, residuals: np.ndarray, bound: float, choice: np.ndarray
) -> RaisedBatch:
    unit = form.unit
    scale = np.maximum(np.abs(starts).max(0), (abs(bound) / unit) ** 0.5)
    scaled_starts, area = starts / scale, scale**2
    scaled = _Scaled(form, scaled_starts, scaled_starts**2, (bound / unit) / area, (residuals / unit) / area)
    w, small, points = _solve(scaled)
    radius, hard, ambiguous = np.zeros_like(w), np.zeros_like(small), np.zeros_like(small)
    if form.shift and small.any():
        filled, radius, ambiguous = _free_component(scaled, _direction(starts, form.top[:, 0], choice))
        points, radius, ambiguous = np.where(small, filled, points), np.where(small, radius, 0.0), small & ambiguous
        hard = small & ~((starts != 0.0) & form.top).any(0) & (radius > 0.0)
    multipliers, bounds = 0.5 / (unit * (form.shift + w)), _lower_bounds(scaled, w, points) * scale
    return RaisedBatch(points * scale, multipliers, bounds, hard, radius * scale, ambiguous)


def _solve(scaled: _Scaled) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The root w (B,), where it is 0 up to 1e-150 because the top component of the start is, and the points (p, B)."""
    form = scaled.form
    norms = _norm(scaled.starts[form.top[:, 0]])
    tiny = norms < _NEGLIGIBLE
    rest, small = scaled, np.zeros_like(tiny)
    if not form.shift:
        small = scaled.targets >= 0.0
    elif tiny.any():
        rest = scaled.without_top(tiny)
        small, norms = tiny & _is_reached(rest), np.where(tiny, 0.0, norms)
    guess, *bracket = _bracket(rest, norms)
    if small.any():
        guess, *bracket = (np.where(small, 1.0, each) for each in (guess, *bracket))
    w = _newton(rest, bracket, guess, np.zeros_like(small), small)
    points = _move(rest, w)
    direct = _is_direct(rest, points) & ~small
    if direct.any():
        w = _newton(rest, bracket, w, direct, ~direct)
        points = _move(rest, w)
    if not small.any() and rest is scaled:
        return w, small, points
    w = np.where(small, 0.0, w)
    return w, small, _move(scaled, w)


def _is_reached(rest: _Scaled) -> np.ndarray:
    """(B,) whether w -> 0 leaves the form at or below its target, so that the top component fills the difference."""
    form = rest.form
    moved = np.where(form.gaps > 0.0, rest.starts / np.where(form.gaps > 0.0, form.gaps, 1.0), 0.0)
    increase = _increase(rest, form.ratios * rest.squares, np.zeros_like(rest.targets))[0]
    reached = (form.ratios * moved**2).sum(0) <= rest.targets
    return np.where(_is_direct(rest, moved), reached, increase <= rest.residuals)


def _norm(vectors: np.ndarray) -> np.ndarray:
    """Norms (B,) of columns that do not underflow."""
    size = np.abs(vectors).max(0, initial=0.0)
    if len(vectors) <= 1:
        return size
    return size * np.sqrt(((vectors / np.where(size > 0.0, size, 1.0)) ** 2).sum(0))


def _increase(scaled: _Scaled, weighted: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sum_j r_j start_j^2 q_j (2 + q_j) and its derivative in w, (B,) each, ``weighted`` = r_j start_j^2.

    Where w = g_j = 0 the start is 0, and so is the term.
    """
    inverse = np.minimum(1.0 / (scaled.form.gaps + w), _HUGE)
    q = scaled.form.ratios * inverse
    term = weighted * q
    whole = term + term * q
    value = (whole + term).sum(0)
    np.multiply(whole, inverse, out=whole)
    return value, -2.0 * whole.sum(0)


def _bracket(scaled: _Scaled, norms: np.ndarray) -> tuple[np.ndarray, ...]:
    """A guess, low < w < high, and the offset in whose sum with w the root is to be relatively accurate."""
    targets, residuals, squares, ratios = scaled.targets, scaled.residuals, scaled.squares, scaled.form.ratios
    if not scaled.form.shift:
        mass = (np.abs(np.minimum(ratios, 0.0)) * squares).sum(0)
        size = np.abs(targets)
        support = np.where(ratios < 0.0, squares, 0.0).sum(0)
        high = size * (np.sqrt(mass / size) + 1.0) / residuals
        bracket = (2.0 * size / support, 2.0 * high, np.zeros_like(targets))
        return _middle(*bracket), *bracket
    weights = ratios**2 * squares
    linear = weights.sum(0)
    cubic = (np.maximum(ratios, 0.0) ** 3 * squares).sum(0)
    high = 2.0 * (linear + np.sqrt(linear**2 + residuals * cubic)) / residuals
    low = 0.5 * norms * (norms + np.sqrt(norms**2 + residuals)) / residuals
    offset = np.zeros_like(norms)
    if not norms.all():
        nearest = np.where(scaled.starts != 0.0, scaled.form.gaps, np.inf).min(0)
        offset = np.where(norms > 0.0, 0.0, np.minimum(nearest, 1.0))
    middle = _middle(low, high, offset)
    guess = 0.5 * high - (weights * scaled.form.gaps).sum(0) / linear  # the root if all gaps were equal to their mean
    return np.where(guess > np.maximum(low, 0.5 * middle), guess, middle), low, high, offset


def _newton(
    scaled: _Scaled, bracket: Sequence[np.ndarray], w: np.ndarray, direct: np.ndarray, done: np.ndarray
) -> np.ndarray:
    """Newton's method for `_mismatch` = 0 in log(w + offset), kept inside the bracket; rows ``done`` keep their w.

    The mismatch of the increase has a second derivative of the size of the first: after a step of relative size s, an
    error of a few s^2 is left, so that the first step below 1e-9 is the last one that is needed.
    """
    low, high, offset = bracket
    weighted, some_direct = scaled.form.ratios * scaled.squares, bool(direct.any())
    for _ in range(_MAX_ITERATIONS):
        mismatch, slope = _mismatch(scaled, weighted, w, direct if some_direct else None)
        low, high = np.where(mismatch >= 0.0, w, low), np.where(mismatch <= 0.0, w, high)
        size = w + offset
        following = w + size * np.expm1(-mismatch / (slope * size))
        inside = (following >= low) & (following <= high)
        if not inside.all():
            following = np.where(inside, following, _middle(low, high, offset))
        short = np.abs(following - w) <= (4.0 * EPSILON if some_direct else _LAST_STEP) * size
        finished = (short & inside) | (np.abs(mismatch) <= 4.0 * EPSILON) | (high - low <= 4.0 * EPSILON * size)
        w = np.where(done, w, following)
        done = done | finished
        if done.all():
            break
    return w


def _mismatch(
    scaled: _Scaled, weighted: np.ndarray, w: np.ndarray, direct: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """A decreasing function of w that is 0 at the root, and its derivative, (B,) each; see `_is_direct`."""
    value, slope = _increase(scaled, weighted, w)
    mismatch, derivative = np.log(value / scaled.residuals), slope / value
    if direct is None:
        return mismatch, derivative
    ratios, targets = scaled.form.ratios, scaled.targets
    terms = ratios * _move(scaled, w) ** 2
    rates = -2.0 * terms * ratios / ((scaled.form.shift + w) * (scaled.form.gaps + w))
    up, down = np.maximum(terms, 0.0).sum(0) - np.minimum(targets, 0.0), targets - np.minimum(terms, 0.0).sum(0)
    down = np.where(targets > 0.0, down, down - targets)
    rising = np.where(terms > 0.0, rates, 0.0).sum(0) / up - np.where(terms < 0.0, -rates, 0.0).sum(0) / down
    return np.where(direct, np.log(up / down), mismatch), np.where(direct, rising, derivative)


def _is_direct(scaled: _Scaled, points: np.ndarray) -> np.ndarray:
    """(B,) whether the constraint is better solved as it stands than through the increase over the start's form.

    The increase is free of cancellation, but its target, the residual, carries the rounding error of the start's form:
    harmless unless the form has much smaller terms at the point.
    """
    sizes = np.abs(scaled.form.ratios)
    after, before = (sizes * points**2).sum(0), (sizes * scaled.squares).sum(0)
    return after + np.abs(scaled.targets) < 0.5 * before


def _middle(low: np.ndarray, high: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The point of the bracket whose sum with the offset is the geometric mean of the ends'."""
    middle = np.sqrt(low + offset) * np.sqrt(high + offset) - offset
    return np.minimum(np.maximum(middle, low), high)


def _move(scaled: _Scaled, w: np.ndarray) -> np.ndarray:
    """start_j (k + w) / (g_j + w), 0 where start_j is; the limit start_j where r_j = 0 and w = 0."""
    form, starts = scaled.form, scaled.starts
    factor = (form.shift + w) / (form.gaps + w)
    if np.isfinite(factor).all():
        return starts * factor
    factor = np.where((form.ratios == 0.0) & ~np.isfinite(factor), 1.0, factor)
    return np.where(starts == 0.0, 0.0, starts * factor)


def _free_component(scaled: _Scaled, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (p, B) for w = 0, the top component filled in; its norm; whether rounding decides it."""
    form = scaled.form
    moved = np.where(form.top, 0.0, scaled.starts) / np.where(form.top, 1.0, form.gaps)
    contributions = form.ratios * moved**2
    square = scaled.targets - contributions.sum(0)
    size = np.abs(scaled.targets) + np.abs(contributions).sum(0)
    radius = np.sqrt(np.maximum(square, 0.0))
    return moved + radius * direction, radius, np.abs(square) <= 64.0 * len(moved) * EPSILON * size


def _direction(starts: np.ndarray, top: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """(p, B) unit vectors along the top component of the start, however small.

    Along +- the first top axis where it is 0.
    """
    tops = np.where(top[:, None], starts, 0.0)
    size = np.abs(tops).max(0)
    first = np.arange(top.size) == top.argmax()
    direction = tops / np.where(size > 0.0, size, 1.0)
    direction = direction / np.maximum(np.sqrt((direction**2).sum(0)), 1.0)
    return np.where(size > 0.0, direction, choice * first[:, None])


def _lower_bounds(scaled: _Scaled, w: np.ndarray, points: np.ndarray) -> np.ndarray:
    """sqrt of the dual value (R - sum_j r_j start_j^2 q_j) / (k + w), its rounding error subtracted; see the module.

    Where no multiplier exists (k = w = 0: b = 0 and no positive eigenvalue), every feasible point vanishes where a_j <
    0, and the bound is the norm of the start there.
    """
    form, squares = scaled.form, scaled.squares
    inverse = 1.0 / (form.gaps + w)
    if not w.all():
        inverse = np.where(np.isfinite(inverse) & (np.abs(scaled.starts) > _NEGLIGIBLE), inverse, 0.0)
    pulled = (form.ratios**2 * squares * inverse).sum(0)
    size = np.abs(scaled.targets) + (np.abs(form.ratios) * squares).sum(0) + pulled
    rounding = (2.0 * form.ratios.size + 16.0) * EPSILON * size
    value = (scaled.residuals - pulled - rounding) / (form.shift + w)
    forced = ((points - scaled.starts) ** 2).sum(0) * (1.0 - rounding)
    value = np.where(form.shift + w > 0.0, value, forced)
    return np.sqrt(np.maximum(value, 0.0))

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

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 2.0**-52
_NEGLIGIBLE = 1e-150
_MAX_ITERATIONS = 200


@dataclass(frozen=True)
class RaisedBatch:
    """Minimizers over {sum_j a_j t_j^2 >= b} of starts (B, p) that lie outside, in the eigenbasis.

    Attributes:
        points: (B, p).
        multipliers: (B,) l / 2, so that point - start = multiplier * grad; infinite where no multiplier exists.
        lower_bounds: (B,) on the distance, from weak duality, rounding subtracted.
        hard: (B,) whether the start has no component in the top eigenspace and the minimizer has one: not unique.
        radius: (B,) norm of the free component in the hard case, else 0.
        ambiguous: (B,) whether rounding decides if the radius is 0.
    """

    points: Tensor
    multipliers: Tensor
    lower_bounds: Tensor
    hard: Tensor
    radius: Tensor
    ambiguous: Tensor


@dataclass(frozen=True)
class _Scaled:
    """The scaled equation: starts (B, p), ratios r (p,), gaps g (p,), shift k, targets b and residuals R (B,)."""

    starts: Tensor
    ratios: Tensor
    gaps: Tensor
    shift: float
    targets: Tensor
    residuals: Tensor
    top: Tensor


def top_eigenspace(values: Tensor) -> Tensor:
    """(p,) bool: the coordinates of the largest eigenvalue where it is positive, else none."""
    return (values == values.max()) & (values > 0.0)


def raise_form(values: Tensor, starts: Tensor, residuals: Tensor, bound: float, choice: Tensor) -> RaisedBatch:
    """Solve for starts with sum_j a_j start_j^2 = b - residual < b; the set must be nonempty.

    Args:
        values: (p,) eigenvalues a.
        starts: (B, p) in the eigenbasis.
        residuals: (B,) b - sum_j a_j start_j^2 > 0.
        bound: b; at most 0 where no eigenvalue is positive.
        choice: (B,) signs of the free component in the hard case.
    """
    largest = float(values.max())
    shift = 1.0 if largest > 0.0 else 0.0
    unit = largest if shift else float(-values.min())
    extent = (abs(bound) / unit) ** 0.5
    scale = starts.abs().amax(1).clamp_min(extent)
    ratios = values / unit
    top = top_eigenspace(values)
    gaps = torch.where(top, 0.0, (largest * shift - values) / unit)
    scaled = _Scaled(
        starts / scale[:, None], ratios, gaps, shift, (bound / unit) / scale**2, (residuals / unit) / scale**2, top
    )
    w, small = _solve(scaled)
    if shift:
        points, radius, ambiguous = _free_component(scaled, w, small, _direction(starts, top, choice))
    else:
        points, radius = _move(scaled, w, scaled.starts), torch.zeros_like(w)
        ambiguous = torch.zeros_like(small)
    exact = ~((starts != 0.0) & top).any(1)
    return RaisedBatch(
        points * scale[:, None],
        0.5 / (unit * (shift + w)),
        _lower_bounds(scaled, w, points) * scale,
        small & exact & (radius > 0.0),
        radius * scale,
        ambiguous,
    )


def _solve(scaled: _Scaled) -> tuple[Tensor, Tensor]:
    """The root w (B,), and where it is 0 up to 1e-150 because the top component of the start is."""
    tops = torch.where(scaled.top, scaled.starts, 0.0)
    norms = _norm(tops)
    tiny = norms < _NEGLIGIBLE
    rest = torch.where(scaled.top & tiny[:, None], 0.0, scaled.starts)
    small = tiny & _is_reached(scaled, rest) if scaled.shift else scaled.targets >= 0.0
    low, high, offset = (
        torch.where(small, 1.0, each) for each in _bracket(scaled, rest, torch.where(tiny, 0.0, norms))
    )
    bracket = (low, high, offset)
    w = _newton(scaled, rest, bracket, _middle(*bracket), torch.zeros_like(small), small)
    direct = _is_direct(scaled, rest, _move(scaled, w, rest)) & ~small
    if bool(direct.any()):
        w = _newton(scaled, rest, bracket, w, direct, ~direct)
    return torch.where(small, 0.0, w), small


def _is_reached(scaled: _Scaled, rest: Tensor) -> Tensor:
    """(B,) whether w -> 0 leaves the form at or below its target, so that the top component fills the difference."""
    moved = torch.where(scaled.gaps > 0.0, rest / torch.where(scaled.gaps > 0.0, scaled.gaps, 1.0), 0.0)
    increase = _increase(scaled, rest, torch.zeros_like(scaled.targets))[0]
    form = (scaled.ratios * moved.square()).sum(1)
    return torch.where(_is_direct(scaled, rest, moved), form <= scaled.targets, increase <= scaled.residuals)


def _norm(vectors: Tensor) -> Tensor:
    """Row norms that do not underflow."""
    size = vectors.abs().amax(1)
    return size * torch.linalg.vector_norm(vectors / torch.where(size > 0.0, size, 1.0)[:, None], dim=1)


def _increase(scaled: _Scaled, starts: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """sum_j r_j start_j^2 q_j (2 + q_j) and its derivative in w, (B,) each; terms 0 / 0 count as 0."""
    inverse = 1.0 / (scaled.gaps + w[:, None])
    q = torch.where(torch.isfinite(inverse), scaled.ratios * inverse, 0.0)
    term = scaled.ratios * starts.square() * q
    finite = torch.where(torch.isfinite(inverse), inverse, 0.0)
    return (term * (2.0 + q)).sum(1), -2.0 * (term * (1.0 + q) * finite).sum(1)


def _bracket(scaled: _Scaled, starts: Tensor, norms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """low < w < high and the offset in whose sum with w the root is to be relatively accurate."""
    targets, residuals = scaled.targets, scaled.residuals
    squares = starts.square()
    if not scaled.shift:
        mass = (scaled.ratios.clamp_max(0.0).abs() * squares).sum(1)
        size = targets.abs()
        support = torch.where(scaled.ratios < 0.0, squares, 0.0).sum(1)
        high = size * ((mass / size).sqrt() + 1.0) / residuals
        return 2.0 * size / support, 2.0 * high, torch.zeros_like(targets)
    linear = (scaled.ratios.square() * squares).sum(1)
    cubic = (scaled.ratios.clamp_min(0.0) ** 3 * squares).sum(1)
    high = 2.0 * (linear + (linear.square() + residuals * cubic).sqrt()) / residuals
    low = 0.5 * norms * (norms + (norms.square() + residuals).sqrt()) / residuals
    nearest = torch.where(starts != 0.0, scaled.gaps, torch.inf).amin(1).clamp_max(1.0)
    return low, high, torch.where(norms > 0.0, 0.0, nearest)


def _newton(
    scaled: _Scaled, starts: Tensor, bracket: tuple[Tensor, Tensor, Tensor], w: Tensor, direct: Tensor, done: Tensor
) -> Tensor:
    """Newton's method for `_mismatch` = 0 in log(w + offset), kept inside the bracket; rows ``done`` keep their w."""
    low, high, offset = bracket
    for _ in range(_MAX_ITERATIONS):
        mismatch, slope = _mismatch(scaled, starts, w, direct)
        low, high = torch.where(mismatch >= 0.0, w, low), torch.where(mismatch <= 0.0, w, high)
        following = w + (w + offset) * torch.expm1(-mismatch / (slope * (w + offset)))
        inside = (following >= low) & (following <= high)
        following = torch.where(inside, following, _middle(low, high, offset))
        tolerance = 4.0 * EPSILON * (w + offset)
        finished = (mismatch.abs() <= 4.0 * EPSILON) | ((following - w).abs() <= tolerance) | (high - low <= tolerance)
        w = torch.where(done, w, following)
        done = done | finished
        if bool(done.all()):
            break
    return w


def _mismatch(scaled: _Scaled, starts: Tensor, w: Tensor, direct: Tensor) -> tuple[Tensor, Tensor]:
    """A decreasing function of w that is 0 at the root, and its derivative, (B,) each; see `_is_direct`."""
    value, slope = _increase(scaled, starts, w)
    mismatch, derivative = torch.log(value / scaled.residuals), slope / value
    if not bool(direct.any()):
        return mismatch, derivative
    terms = scaled.ratios * _move(scaled, w, starts).square()
    rates = -2.0 * terms * scaled.ratios / ((scaled.shift + w[:, None]) * (scaled.gaps + w[:, None]))
    up, down = terms.clamp_min(0.0).sum(1) - scaled.targets.clamp_max(0.0), scaled.targets - terms.clamp_max(0.0).sum(1)
    down = torch.where(scaled.targets > 0.0, down, down - scaled.targets)
    rising = torch.where(terms > 0.0, rates, 0.0).sum(1) / up - torch.where(terms < 0.0, -rates, 0.0).sum(1) / down
    return torch.where(direct, torch.log(up / down), mismatch), torch.where(direct, rising, derivative)


def _is_direct(scaled: _Scaled, starts: Tensor, points: Tensor) -> Tensor:
    """(B,) whether the constraint is better solved as it stands than through the increase over the start's form.

    The increase is free of cancellation, but its target, the residual, carries the rounding error of the start's form:
    harmless unless the form has much smaller terms at the point.
    """
    before, after = ((scaled.ratios.abs() * each.square()).sum(1) for each in (starts, points))
    return after + scaled.targets.abs() < 0.5 * before


def _middle(low: Tensor, high: Tensor, offset: Tensor) -> Tensor:
    """The point of the bracket whose sum with the offset is the geometric mean of the ends'."""
    middle = torch.sqrt(low + offset) * torch.sqrt(high + offset) - offset
    return torch.minimum(torch.maximum(middle, low), high)


def _move(scaled: _Scaled, w: Tensor, starts: Tensor) -> Tensor:
    """start_j (k + w) / (g_j + w), 0 where start_j is; the limit start_j where r_j = 0 and w = 0."""
    factor = (scaled.shift + w[:, None]) / (scaled.gaps + w[:, None])
    factor = torch.where((scaled.ratios == 0.0) & ~torch.isfinite(factor), 1.0, factor)
    return torch.where(starts == 0.0, 0.0, starts * factor)


def _free_component(scaled: _Scaled, w: Tensor, small: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points (B, p) with the top component of rows with w = 0 filled in; its norm; whether rounding decides it."""
    rest = torch.where(scaled.top, 0.0, scaled.starts)
    moved = torch.where(small[:, None], rest / torch.where(scaled.top, 1.0, scaled.gaps), 0.0)
    contributions = scaled.ratios * moved.square()
    square = scaled.targets - contributions.sum(1)
    size = scaled.targets.abs() + contributions.abs().sum(1)
    radius = torch.where(small, square.clamp_min(0.0).sqrt(), 0.0)
    ambiguous = small & (square.abs() <= 64.0 * scaled.ratios.numel() * EPSILON * size)
    points = torch.where(
        small[:, None], moved + radius[:, None] * direction, _move(scaled, torch.where(small, 1.0, w), scaled.starts)
    )
    return points, radius, ambiguous


def _direction(starts: Tensor, top: Tensor, choice: Tensor) -> Tensor:
    """(B, p) unit vectors along the top component of the start, however small.

    Along +- the first top axis where it is 0.
    """
    tops = torch.where(top, starts, 0.0)
    size = tops.abs().amax(1, keepdim=True)
    first = torch.nn.functional.one_hot(top.to(torch.int8).argmax(), top.numel()).to(tops)
    direction = tops / torch.where(size > 0.0, size, 1.0)
    direction = direction / torch.linalg.vector_norm(direction, dim=1, keepdim=True).clamp_min(1.0)
    return torch.where(size > 0.0, direction, choice[:, None] * first)


def _lower_bounds(scaled: _Scaled, w: Tensor, points: Tensor) -> Tensor:
    """sqrt of the dual value (R - sum_j r_j start_j^2 q_j) / (k + w), its rounding error subtracted; see the module.

    Where no multiplier exists (k = w = 0: b = 0 and no positive eigenvalue), every feasible point vanishes where a_j <
    0, and the bound is the norm of the start there.
    """
    inverse = 1.0 / (scaled.gaps + w[:, None])
    finite = torch.where(torch.isfinite(inverse) & (scaled.starts.abs() > _NEGLIGIBLE), inverse, 0.0)
    squares = scaled.starts.square()
    pulled = (scaled.ratios.square() * squares * finite).sum(1)
    size = scaled.targets.abs() + (scaled.ratios.abs() * squares).sum(1) + pulled
    rounding = (2.0 * scaled.ratios.numel() + 16.0) * EPSILON * size
    value = (scaled.residuals - pulled - rounding) / (scaled.shift + w)
    forced = (points - scaled.starts).square().sum(1) * (1.0 - rounding)
    value = torch.where(scaled.shift + w > 0.0, value, forced)
    return value.clamp_min(0.0).sqrt()

"""The secular equation of one quadratic constraint, solved for a batch of starts to full double precision.

Minimizing ||theta - start||^2 subject to theta^T A theta >= b (or = b) is a generalised trust-region problem. By the
S-lemma (More 1993, "Generalizations of the trust region problem", Theorem 3.2), a feasible theta is a *global*
minimizer if and only if some l (l >= 0 for >=) has (I - l A) theta = start, I - l A positive semidefinite and l (theta^T A theta
- b) = 0. In the eigenbasis of A, with eigenvalues a_j, theta_j = start_j / (1 - l a_j).

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
        points, radius = _move(scaled, w), torch.zeros_like(w)
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
    zero = torch.zeros_like(norms)
    reachable = _increase(scaled, rest, zero)[0] <= scaled.residuals
    small = tiny & reachable if scaled.shift else scaled.targets >= 0.0
    low, high, offset = _bracket(scaled, rest, torch.where(tiny, 0.0, norms))
    w = _newton(scaled, rest, low, high, offset, small)
    return torch.where(small, 0.0, w), small


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


def _newton(scaled: _Scaled, starts: Tensor, low: Tensor, high: Tensor, offset: Tensor, skip: Tensor) -> Tensor:
    """Newton's method for log increase = log residual in log(w + offset), kept inside the bracket."""
    low, high = torch.where(skip, 1.0, low), torch.where(skip, 1.0, high)
    offset = torch.where(skip, 1.0, offset)
    w = torch.where(skip, 1.0, _middle(low, high, offset))
    done = skip
    for _ in range(_MAX_ITERATIONS):
        value, slope = _increase(scaled, starts, w)
        low, high = torch.where(value >= scaled.residuals, w, low), torch.where(value <= scaled.residuals, w, high)
        ratio = torch.log(value / scaled.residuals) * value / slope
        following = w + (w + offset) * torch.expm1(-ratio / (w + offset))
        inside = (following >= low) & (following <= high)
        following = torch.where(inside, following, _middle(low, high, offset))
        step = (following - w).abs()
        w = torch.where(done, w, following)
        done = done | (step <= 2.0 * EPSILON * (w + offset)) | (high - low <= 2.0 * EPSILON * (low + offset))
        if bool(done.all()):
            break
    return w


def _middle(low: Tensor, high: Tensor, offset: Tensor) -> Tensor:
    """The point of the bracket whose sum with the offset is the geometric mean of the ends'."""
    middle = torch.sqrt(low + offset) * torch.sqrt(high + offset) - offset
    return torch.minimum(torch.maximum(middle, low), high)


def _move(scaled: _Scaled, w: Tensor) -> Tensor:
    """start_j (k + w) / (g_j + w), 0 where start_j is; the limit start_j where r_j = 0 and w = 0."""
    factor = (scaled.shift + w[:, None]) / (scaled.gaps + w[:, None])
    factor = torch.where((scaled.ratios == 0.0) & ~torch.isfinite(factor), 1.0, factor)
    return torch.where(scaled.starts == 0.0, 0.0, scaled.starts * factor)


def _free_component(scaled: _Scaled, w: Tensor, small: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points (B, p) with the top component of rows with w = 0 filled in; its norm; whether rounding decides it."""
    rest = torch.where(scaled.top, 0.0, scaled.starts)
    moved = torch.where(small[:, None], rest / torch.where(scaled.top, 1.0, scaled.gaps), 0.0)
    contributions = scaled.ratios * moved.square()
    square = scaled.targets - contributions.sum(1)
    size = scaled.targets.abs() + contributions.abs().sum(1)
    radius = torch.where(small, square.clamp_min(0.0).sqrt(), 0.0)
    ambiguous = small & (square.abs() <= 64.0 * scaled.ratios.numel() * EPSILON * size)
    points = torch.where(small[:, None], moved + radius[:, None] * direction, _move(scaled, torch.where(small, 1.0, w)))
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

"""Bound jets: for every intermediate tensor of a network, bounds on its norm and on its first two derivatives.

For a tensor v(theta) of one sample, theta in the ball B_R(theta*), and the parameter tensors theta_1, ..., theta_K:
||v||_F <= norm, |v_j| <= largest, ||D_k v|| <= first[k], ||D_k v_j|| <= first_entry[k], ||D_k D_l v|| <= second[k, l],
all suprema over the ball, operator norms from the Frobenius norms of the parameters to the Frobenius norm of v.
Where v is not differentiable, the derivatives are local Lipschitz constants, block by block; ``second`` bounds those of
the first derivatives wherever v is C^{1,1} on the ball, and ``rough`` marks the samples for which that is not known.

The rules (`norm_rules`, `norm_rules_products`, `norm_rules_elementwise`) are the product and the chain rule. A scalar
function then has the Lipschitz constant ||first||_2, its gradient the Lipschitz constant ||second||_2 (the spectral
norm of a nonnegative matrix), as |<grad f, d>| <= sum_k first[k] ||d_k|| and
|d^T H e| <= sum_kl ||d_k|| second[k, l] ||e_l||.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from margin_projection._arrays import to_numpy

Rough = dict[str, np.ndarray]


@dataclass(frozen=True)
class Jet:
    """Bounds for one tensor; the first axis runs over the samples, or has length 1 where all share one bound.

    Attributes:
        norm, largest: (n,) of the value, in the Frobenius norm and of the largest entry.
        first, first_entry: (n, K) of the first derivatives, of the whole tensor and of its single entries.
        second: (n, K, K) of the second derivatives.
        rough: per obstacle, in words, (n,) whether it may keep the first derivative from being Lipschitz on the ball.
        entries: (n, ...) the derivative's norm for every entry of the tensor, all parameters together; None: unknown.
    """

    norm: np.ndarray
    largest: np.ndarray
    first: np.ndarray
    first_entry: np.ndarray
    second: np.ndarray
    rough: Rough = field(default_factory=dict)
    entries: Tensor | None = None


@dataclass(frozen=True)
class Size:
    """Norm and largest entry, (n,) or (1,), of a tensor at the center."""

    norm: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, value: Tensor, batched: bool) -> Size:
        """The sizes of ``value``, whose first axis runs over the samples where ``batched``."""
        rows = value.reshape(value.shape[0], -1) if batched else value.reshape(1, -1)
        largest = rows.abs().amax(1) if rows.shape[1] else rows.sum(1)
        return cls(to_numpy(rows.norm(dim=1)), to_numpy(largest))


def constant_jet(size: Size, blocks: int) -> Jet:
    """The jet of a tensor that does not depend on the parameters."""
    zero = np.zeros((1, blocks))
    return Jet(size.norm, size.largest, zero, zero, np.zeros((1, blocks, blocks)))


def parameter_jet(size: Size, blocks: int, block: int, radius: float) -> Jet:
    """The jet of parameter tensor number ``block``."""
    first = np.zeros((1, blocks))
    first[0, block] = 1.0
    return Jet(size.norm + radius, size.largest + radius, first, first, np.zeros((1, blocks, blocks)))


def length(first: np.ndarray) -> np.ndarray:
    """(n,) the Lipschitz constant in all parameters together, for constants (n, K) in each of them."""
    return np.sqrt(np.square(first).sum(1))


def outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n, K, K) the products left[k] right[l]."""
    return left[:, :, None] * right[:, None, :]


def symmetric(cross: np.ndarray) -> np.ndarray:
    """cross + its transpose, sample by sample."""
    return cross + cross.transpose(0, 2, 1)


def merged(*jets: Jet) -> Rough:
    """The obstacles of all jets."""
    rough: Rough = {}
    for jet in jets:
        for obstacle, mask in jet.rough.items():
            rough[obstacle] = rough[obstacle] | mask if obstacle in rough else mask
    return rough


def tightened(jet: Jet, center: Size, radius: float) -> Jet:
    """The jet with the values also bounded by center + radius x Lipschitz constant, and entries by the whole."""
    first_entry = np.minimum(jet.first_entry, jet.first)
    norm = np.minimum(jet.norm, center.norm + radius * length(jet.first))
    largest = np.minimum(jet.largest, center.largest + radius * length(first_entry))
    return replace(jet, norm=norm, largest=np.minimum(largest, norm), first_entry=first_entry, entries=None)


def bilinear(left: Jet, right: Jet, strong_left: np.ndarray, strong_right: np.ndarray, cross: np.ndarray) -> Jet:
    """The product rule for B(left, right), up to bounds on its single entries.

    Args:
        strong_left: (n,) with ||B(left, v)|| <= strong_left ||v|| on the ball.
        strong_right: (n,) with ||B(u, right)|| <= strong_right ||u|| on the ball.
        cross: (n, K, K) with ||B(D_k left, D_l right)|| <= cross[k, l].
    """
    norm = np.minimum(strong_right * left.norm, strong_left * right.norm)
    first = strong_right[:, None] * left.first + strong_left[:, None] * right.first
    outside = strong_right[:, None, None] * left.second + strong_left[:, None, None] * right.second
    second = outside + symmetric(cross)
    return Jet(norm, norm, first, first, second, merged(left, right))


def added(jets: list[Jet], factors: list[float], entry_factors: list[float]) -> Jet:
    """The triangle inequality for a sum; the norms of a term are multiplied by a factor and its entries by another."""
    terms = list(zip(jets, factors, entry_factors, strict=True))
    return Jet(
        sum((c * jet.norm for jet, c, _ in terms), np.zeros(1)),
        sum((c * jet.largest for jet, _, c in terms), np.zeros(1)),
        sum((c * jet.first for jet, c, _ in terms), np.zeros((1, 1))),
        sum((c * jet.first_entry for jet, _, c in terms), np.zeros((1, 1))),
        sum((c * jet.second for jet, c, _ in terms), np.zeros((1, 1, 1))),
        merged(*jets),
    )


def joined(jets: list[Jet]) -> Jet:
    """The jet of a tensor made of the entries of several ones, each used once."""

    def root(name: str) -> np.ndarray:
        return np.sqrt(sum((np.square(getattr(jet, name)) for jet in jets), np.zeros(1)))

    def most(name: str) -> np.ndarray:
        arrays = [getattr(jet, name) for jet in jets]
        return np.maximum.reduce(np.broadcast_arrays(*arrays))

    return Jet(root("norm"), most("largest"), root("first"), most("first_entry"), root("second"), merged(*jets))


def composed(argument: Jet, slope: np.ndarray, curvature: np.ndarray, rough: Rough) -> Jet:
    """The chain rule for an elementwise function phi with |phi'| <= slope, |phi''| <= curvature (n,) on the values."""
    mixed = outer(argument.first, argument.first_entry)
    second = slope[:, None, None] * argument.second
    second = second + curvature[:, None, None] * np.minimum(mixed, mixed.transpose(0, 2, 1))
    first, first_entry = slope[:, None] * argument.first, slope[:, None] * argument.first_entry
    unknown = np.full(1, np.inf)
    return Jet(unknown, unknown, first, first_entry, second, rough)

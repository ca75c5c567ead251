"""Bound jets of products: of matrices, of entries, and convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor
from torch.fx import Node

from margin_projection._arrays import to_numpy
from margin_projection.regularity.norm_calculus import Jet, added, bilinear, length, outer
from margin_projection.regularity.norm_rules import Bound, Call, NotCovered, scaled
from margin_projection.regularity.norm_rules_elementwise import rectifier_product, rectifier_slopes
from margin_projection.regularity.spectral_norms import convolution_norm, overlap, patch_norms, spectral_norms


def matrix_product(call: Call) -> Bound:
    """a @ b for vectors, matrices and batches of them: ||u v||_F <= ||u||_F ||v||_2 and ||u||_2 ||v||_F."""
    return _matrix_product(call, call.operand(0), call.operand(1))


def _matrix_product(call: Call, left: Node, right: Node) -> Bound:
    a, b = call.data(left), call.data(right)
    a = a if a.ndim >= 3 else a[:, None, :]
    b = b if b.ndim >= 3 else b[:, :, None]
    operator_left, operator_right = spectral_norms(a), spectral_norms(b)
    row, column = _largest_norm(a, -1), _largest_norm(b, -2)

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        u, v = jets[left], jets[right]
        moved_u, moved_v = radius * length(u.first), radius * length(v.first)
        strong_u, strong_v = np.minimum(operator_left + moved_u, u.norm), np.minimum(operator_right + moved_v, v.norm)
        product = bilinear(u, v, strong_u, strong_v, outer(u.first, v.first))
        rows, columns = np.minimum(row + moved_u, u.norm), np.minimum(column + moved_v, v.norm)
        entry = columns[:, None] * u.first + rows[:, None] * v.first
        return Jet(product.norm, rows * columns, product.first, entry, product.second, product.rough)

    return bound


def _largest_norm(matrices: Tensor, axis: int) -> np.ndarray:
    """(n,) the largest Euclidean norm of a row (axis -1) or column (-2)."""
    norms = matrices.norm(dim=axis).flatten(1)
    return to_numpy(norms.amax(1)) if norms.shape[1] else np.zeros(norms.shape[0])


def product_and_sum(call: Call) -> Bound:
    """addmm and its relatives: constant + a @ b."""
    if call.node.kwargs.get("alpha", 1) != 1 or call.node.kwargs.get("beta", 1) != 1:
        raise NotCovered(f"the operation {call.name} with factors")
    start = call.operand(0)
    product = _matrix_product(call, call.operand(1), call.operand(2))
    spread = math.sqrt(call.shape(call.node).numel() / max(1, call.shape(start).numel()))
    return lambda jets, radius: added([jets[start], product(jets, radius)], [spread, 1.0], [1.0, 1.0])


def entrywise_product(call: Call) -> Bound:
    """a * b, broadcast: ||u b|| <= ||u|| min(sqrt(copies of u) max|b|, ||b||)."""
    left, right = call.node.args[0], call.node.args[1]
    if isinstance(left, Node) and isinstance(right, Node):
        for rectified, other in ((left, right), (right, left)):
            if rectifier_slopes(rectified) is not None and other in (rectified, rectified.args[0]):
                return rectifier_product(call, rectified, other)
        size = call.shape(call.node).numel()
        copies = [math.sqrt(size / max(1, call.shape(node).numel())) for node in (left, right)]
        return lambda jets, radius: entrywise(jets[left], jets[right], copies[0], copies[1])
    node, factor = (left, right) if isinstance(left, Node) else (right, left)
    if not (isinstance(node, Node) and isinstance(factor, int | float)):
        raise NotCovered(f"the operation {call.name} with these arguments")
    return lambda jets, radius: scaled(jets[node], np.full(1, abs(float(factor))))


def entrywise(u: Jet, v: Jet, copies_u: float, copies_v: float) -> Jet:
    """The product rule for u * v, each first repeated ``copies``^2 times by broadcasting."""
    strong_u = np.minimum(copies_v * u.largest, u.norm)
    strong_v = np.minimum(copies_u * v.largest, v.norm)
    one = outer(u.first, np.minimum(copies_u * v.first_entry, v.first))
    other = outer(np.minimum(copies_v * u.first_entry, u.first), v.first)
    product = bilinear(u, v, strong_u, strong_v, np.minimum(one, other))
    entry = v.largest[:, None] * u.first_entry + u.largest[:, None] * v.first_entry
    return Jet(product.norm, u.largest * v.largest, product.first, entry, product.second, product.rough)


def convolution(call: Call) -> Bound:
    """a convolved with the filters w, without bias or with one, in any dimension."""
    arguments = call.arguments
    source, filters, bias = call.operand(0), call.operand(1), arguments[2]
    stride, padding, dilation, transposed, _, groups = arguments[3:9]
    if transposed:
        raise NotCovered("a transposed convolution")
    a, w = call.data(source), call.values[filters].data
    if call.values[filters].batched:
        raise NotCovered("a convolution whose filters depend on the sample")
    if a.ndim != w.ndim + 1:
        raise NotCovered("a convolution without an axis for the batch")
    share = math.sqrt(overlap(tuple(w.shape[2:]), stride, dilation))
    operator = convolution_norm(w, groups, share)
    filter_norm = float(w.flatten(1).norm(dim=1).max())
    patches, largest_patch = patch_norms(a, w, stride, padding, dilation, groups)

    def bound(jets: Mapping[Node, Jet], radius: float) -> Jet:
        u, v = jets[source], jets[filters]
        moved_u, moved_v = radius * length(u.first), radius * length(v.first)
        strong_u = np.minimum(patches + share * moved_u, share * u.norm)
        strong_v = np.minimum(operator + share * moved_v, share * v.norm)
        product = bilinear(u, v, strong_u, strong_v, share * outer(u.first, v.first))
        patch, column = np.minimum(largest_patch + moved_u, u.norm), np.minimum(filter_norm + moved_v, v.norm)
        entry = column[:, None] * u.first + patch[:, None] * v.first
        jet = Jet(product.norm, patch * column, product.first, entry, product.second, product.rough)
        if not isinstance(bias, Node):
            return jet
        return added([jet, jets[bias]], [1.0, spread], [1.0, 1.0])

    shape = call.shape(call.node)
    spread = math.sqrt(shape.numel() / max(1, w.shape[0]))
    return bound


RULES: dict[str, Callable[[Call], Bound]] = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot"), matrix_product),
    **dict.fromkeys(("addmm", "addmv", "baddbmm"), product_and_sum),
    "mul": entrywise_product,
    "convolution": convolution,
}

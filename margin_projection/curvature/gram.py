"""The loss-weighted Gram matrix (1/n) Lambda^{1/2} J J^T Lambda^{1/2}, layer by layer, without the Jacobian.

It is nC x nC and has the nonzero eigenvalues of the generalized Gauss-Newton matrix (1/n) J^T Lambda J, with
multiplicity (Prakash et al. 2026, statement 1): B B^T and B^T B for B = Lambda^{1/2} J / sqrt(n).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import hessian, vmap

from margin_projection._validation import InputError
from margin_projection.curvature.layer_calls import LayerCalls
from margin_projection.curvature.problem import CurvatureProblem


def loss_weighted_gram(problem: CurvatureProblem) -> Tensor:
    """The loss-weighted Gram matrix, (n C, n C), rows ordered by sample, then output.

    Args:
        problem: its loss must be convex in the outputs of one sample; outputs are (n,) or (n, C).

    Raises:
        InputError: outputs of another shape, or a loss that is not convex at them.
    """
    X = torch.cat([X for X, _ in problem.batches])
    y = torch.cat([y for _, y in problem.batches])
    calls = LayerCalls.of(problem.module, problem.parameters, X)
    roots = _roots(problem, calls.outputs.detach(), y)
    count, width = roots.shape[0], roots.shape[1]
    gram = calls.gram().reshape(count, width, count, width)
    weighted = torch.einsum("iab,iajc,jcd->ibjd", roots, gram, roots)
    result = weighted.reshape(count * width, count * width) / count
    return (result + result.T) / 2.0


def _roots(problem: CurvatureProblem, outputs: Tensor, targets: Tensor) -> Tensor:
    """(n, C, C) symmetric roots of the Hessians of each sample's loss by its outputs."""

    flat = targets.ndim == 1 and targets.is_floating_point()  # outputs are (n,), not (n, C)

    def one(output: Tensor, target: Tensor) -> Tensor:
        return problem.loss(output if flat else output[None], target[None])

    curvature = vmap(hessian(one))(outputs, targets)
    values, vectors = torch.linalg.eigh(curvature)
    if bool((values < -1e-10 * values.abs().amax(-1, keepdim=True)).any()):
        raise InputError("loss", float(values.min()), "convex in the outputs (its Hessian is indefinite)")
    return torch.einsum("iab,ib,icb->iac", vectors, values.clamp_min(0.0).sqrt(), vectors)

"""Symmetric matrices that are only applied: Hessian and generalized Gauss-Newton matrix of a risk (curvlinops)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from curvlinops import GGNLinearOperator, HessianLinearOperator
from torch import Tensor

from margin_projection._validation import InputError
from margin_projection.curvature.decomposed_norms import ElementaryNorms
from margin_projection.curvature.problem import CurvatureProblem


@dataclass(frozen=True)
class SymmetricOperator:
    """A symmetric matrix A of ``size`` rows, known by its products.

    Attributes:
        apply: V (size, k) -> A V.
        size: p. dtype, device: of its products.
        name: what it is, in words.
    """

    apply: Callable[[Tensor], Tensor]
    size: int
    dtype: torch.dtype
    device: torch.device
    name: str


def hessian_operator(problem: CurvatureProblem) -> SymmetricOperator:
    """The Hessian of the risk by the parameters, p x p.

    With one batch the gradient's graph is kept and differentiated for all vectors at once; with several it is built
    anew for each (curvlinops), so that memory does not grow with their number.
    """
    if len(problem.batches) > 1:
        return _operator(HessianLinearOperator, problem, "Hessian")
    found = _wrapped(_kept_graph(problem), problem, "Hessian")
    _check_symmetry(found)
    return found


def ggn_operator(problem: CurvatureProblem) -> SymmetricOperator:
    """The generalized Gauss-Newton matrix (1/n) J^T Lambda J of the risk, p x p, positive semidefinite."""
    return _operator(GGNLinearOperator, problem, "generalized Gauss-Newton matrix")


def matrix_operator(matrix: Tensor) -> SymmetricOperator:
    """A symmetric matrix as an operator.

    Raises:
        InputError: it is not square, not finite or not symmetric.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InputError("matrix", matrix, "square and not empty")
    if not torch.isfinite(matrix).all() or not torch.allclose(matrix, matrix.T):
        raise InputError("matrix", matrix, "finite and symmetric")
    return SymmetricOperator(lambda V: matrix @ V, len(matrix), matrix.dtype, matrix.device, "matrix")


def _operator(kind: type, problem: CurvatureProblem, name: str) -> SymmetricOperator:
    operator = kind(
        ElementaryNorms(problem.module),
        problem.loss,
        list(problem.parameters),
        list(problem.batches),
        check_deterministic=False,  # the batches are held in memory: the same every time
        num_data=problem.num_samples,
    )
    found = _wrapped(lambda V: operator @ V, problem, name)
    _check_symmetry(found)
    return found


def _wrapped(apply: Callable[[Tensor], Tensor], problem: CurvatureProblem, name: str) -> SymmetricOperator:
    first = problem.parameters[0]
    return SymmetricOperator(apply, problem.num_parameters, first.dtype, first.device, name)


def _kept_graph(problem: CurvatureProblem) -> Callable[[Tensor], Tensor]:
    """V -> H V by one backward pass through the gradient's graph, vectorized over the columns of V."""
    ((X, y),) = problem.batches
    with torch.enable_grad():
        risk = problem.loss(ElementaryNorms(problem.module)(X), y)
        slopes = torch.autograd.grad(risk, problem.parameters, create_graph=True, materialize_grads=True)
    gradient = torch.cat([slope.reshape(-1) for slope in slopes])
    if not gradient.requires_grad:  # the risk is linear in the parameters
        return torch.zeros_like

    def apply(V: Tensor) -> Tensor:
        columns = V.reshape(len(gradient), -1).T
        products = torch.autograd.grad(
            gradient, problem.parameters, columns, retain_graph=True, is_grads_batched=True, materialize_grads=True
        )
        flat = torch.cat([product.reshape(len(columns), -1) for product in products], dim=1)
        return flat.T.reshape(V.shape)

    return apply


def _check_symmetry(operator: SymmetricOperator) -> None:
    """One product with two vectors: derivatives of fused operations can be wrong under vectorization."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(operator.size, 2, generator=generator, dtype=torch.float64)
    pair = drawn.to(device=operator.device, dtype=operator.dtype)
    cross = pair.T @ operator.apply(pair)
    tolerance = operator.size * torch.finfo(operator.dtype).eps ** 0.75 * cross.abs().max().clamp_min(1e-30)
    if not bool(torch.isfinite(cross).all()):
        raise ArithmeticError(f"products with the {operator.name} are not finite")
    if bool((cross[0, 1] - cross[1, 0]).abs() > tolerance):
        raise ArithmeticError(
            f"the {operator.name} is not symmetric ({cross[0, 1]:.6g} and {cross[1, 0]:.6g}): "
            "second derivatives of an operation in this module are wrong"
        )

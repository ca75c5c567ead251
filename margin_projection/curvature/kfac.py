"""K-FAC: a layer's GGN block as a Kronecker product A (x) S of input and output-derivative covariances (curvlinops).

Exact for one sample of a layer that is used once; an approximation else. Rank and entropy-based effective rank are
multiplicative over the factors (`prakash2026/kfac`); note that A's effective rank is that of the features' squared
singular values, not of the singular values that the ER objective takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from curvlinops import KFACLinearOperator
from torch import Tensor, nn

from margin_projection._validation import InputError
from margin_projection.curvature.problem import CurvatureProblem
from margin_projection.curvature.ranks import effective_rank


@dataclass(frozen=True)
class KroneckerBlock:
    """The approximate GGN block of one layer.

    Attributes:
        layer: its name in the module.
        A: (d_in [+ 1], d_in [+ 1]) uncentered covariance of the inputs, with a 1 for the bias.
        S: (d_out, d_out) loss-weighted covariance of the output derivatives.
    """

    layer: str
    A: Tensor
    S: Tensor

    def eigenvalues(self) -> Tensor:
        """All products of eigenvalues, descending."""
        products = torch.outer(torch.linalg.eigvalsh(self.A), torch.linalg.eigvalsh(self.S))
        return products.flatten().sort(descending=True).values

    def effective_rank(self) -> float:
        """exp of the entropy of the eigenvalues: the product of the factors' effective ranks."""
        return float(effective_rank(self.A) * effective_rank(self.S))


def kronecker_blocks(problem: CurvatureProblem) -> tuple[KroneckerBlock, ...]:
    """The K-FAC factors of every linear and convolutional layer, in the module's order; expectations over labels exact.

    Args:
        problem: all of its parameters belong to such layers.

    Raises:
        InputError: a parameter belongs to another kind of layer.
    """
    layers = {name: layer for name, layer in problem.module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    covered = {id(parameter) for layer in layers.values() for parameter in layer.parameters(recurse=False)}
    if strangers := [each for each in problem.parameters if id(each) not in covered]:
        raise InputError("problem", strangers[0], "one whose parameters all belong to linear or convolutional layers")
    operator = KFACLinearOperator(
        problem.module,
        problem.loss,
        list(problem.parameters),
        list(problem.batches),
        fisher_type="type-2",
        separate_weight_and_bias=False,
        check_deterministic=False,
        num_data=problem.num_samples,
    )
    operator.compute_kronecker_factors()
    state = operator.state_dict()
    inputs, outputs = state["input_covariances"], state["gradient_covariances"]
    return tuple(KroneckerBlock(name, inputs[name], outputs[name]) for name in layers if name in inputs)

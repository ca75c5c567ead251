"""Linearization of a traced module by automatic differentiation: the Jacobian is formed in chunks, or not at all."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from margin_projection.networks.factored_gram import gram_of_factors
from margin_projection.networks.linearization import Kinks, Linearization
from margin_projection.networks.module_pass import Curvature, ModulePass

MEMORY = 2e8  # bytes of Jacobian held at once
EXPLICIT = 2e6  # numbers in a Jacobian up to which products use it


class ModuleLinearization(Linearization):
    """Rows of a `ModuleModel`: the outputs at n samples and, behind them, the preactivations ``extra``.

    The Jacobian is used where it is small (2e6 numbers). Beyond, J^T u is one backward pass and J v one backward pass
    through it; the Gram matrix takes factors of per-sample gradients where these are smaller (`FactoredGram`), else the
    gradients themselves in chunks of 2e8 bytes. A Hessian-vector product runs through the samples of nonzero weight.

    Args:
        forward: the traced evaluation at theta.
        extra: preactivations appended as rows (none where None).
    """

    def __init__(self, forward: ModulePass, extra: Kinks | None = None) -> None:
        self._pass, self._count = forward, forward.X.shape[0]
        self.num_parameters = forward.theta.numel()
        self._extra = Kinks.none(forward.values) if extra is None else extra
        outputs = torch.arange(self._count, device=forward.values.device)
        appended = forward.listing.index(self._extra.samples, self._extra.layers, self._extra.units)
        self._rows = torch.cat([outputs, self._count + appended])
        self.values = forward.values[self._rows]
        self._is_explicit = self._rows.numel() * self.num_parameters <= EXPLICIT
        self._curvature: tuple[Tensor, Curvature] | None = None

    @cached_property
    def _jacobian(self) -> Tensor:
        return self._pass.gradients(self._rows)

    def jacobian(self) -> Tensor:
        return self._jacobian if self._is_explicit else self._pass.gradients(self._rows)

    def apply(self, vector: Tensor) -> Tensor:
        return self._jacobian @ vector if self._is_explicit else self._pass.apply(vector)[self._rows]

    def adjoint(self, weights: Tensor) -> Tensor:
        return weights @ self._jacobian if self._is_explicit else self._pass.adjoint(self._spread(weights))

    def _spread(self, weights: Tensor) -> Tensor:
        """The weights of these rows as weights of all values of the pass."""
        return torch.zeros_like(self._pass.values).index_add_(0, self._rows, weights)

    def gram(self) -> Tensor:
        if self._is_explicit:
            return self._jacobian @ self._jacobian.T
        rows = self.values.numel()
        if self._pass.model.vectorized:
            factored = self._pass.model.factored_gram
            numbers = rows * max(factored.num_explicit, rows * factored.num_positions**2)
            if numbers <= min(rows * self.num_parameters, MEMORY / 8):
                return self._factored_gram()
        size = max(1, int(MEMORY / (8 * self.num_parameters)))
        return self._gram_of_chunks(size if size >= rows else max(1, size // 2))

    def _gram_of_chunks(self, size: int) -> Tensor:
        rows = self.values.numel()
        chunks = torch.arange(rows, device=self.values.device).split(size)
        gram = self.values.new_zeros((rows, rows))
        for position, chunk in enumerate(chunks):
            left = self._pass.gradients(self._rows[chunk])
            for other in chunks[position:]:
                right = left if other is chunk else self._pass.gradients(self._rows[other])
                gram[chunk[0] : chunk[-1] + 1, other[0] : other[-1] + 1] = left @ right.T
        return gram.triu() + gram.triu(1).T

    def _factored_gram(self) -> Tensor:
        forward, factored = self._pass, self._pass.model.factored_gram
        return gram_of_factors(factored.factors(forward.theta.detach(), *forward.entries(self._rows)))

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        if self._curvature is None or not torch.equal(self._curvature[0], weights):
            self._curvature = weights.clone(), Curvature(self._pass, self._spread(weights))
        return self._curvature[1].product(vector)

    def kinks(self) -> Kinks:
        """Every rectifier preactivation, layer by layer (calls in execution order), sample by sample, unit by unit."""
        forward = self._pass
        samples, layers, units = forward.listing.everything()
        sides = self.values.new_tensor(forward.model.rectifiers.slopes).reshape(-1, 2)
        jumps = (sides[:, 1] - sides[:, 0])[layers]
        return Kinks(samples, layers, units, self.preactivations(), jumps * forward.feature_slopes)

    def preactivations(self) -> Tensor:
        return self._pass.values[self._count :]

    def with_fractions(self, index: Tensor, fractions: Tensor) -> Linearization:
        forward = self._pass.with_fractions(index, fractions)
        return self if forward is self._pass else ModuleLinearization(forward, self._extra)

    def kink_changes(self, vector: Tensor) -> Tensor:
        return self._pass.apply(vector)[self._count :]

    def with_kinks(self, kinks: Kinks) -> Linearization:
        return ModuleLinearization(self._pass, self._extra.followed_by(kinks)) if len(kinks) else self

"""Linearization of a traced module by automatic differentiation: the Jacobian is formed in chunks, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from margin_projection.networks.factored_gram import gram_of_factors
from margin_projection.networks.linearization import Kinks, Linearization

if TYPE_CHECKING:
    from margin_projection.networks.module import ModuleModel

MEMORY = 2e8
EXACT_NORMS = 64
EXACT_NUMBERS = 2e7
DIRECTIONS = 32


class ModuleLinearization(Linearization):
    """Rows of a `ModuleModel`: the outputs at n samples and, behind them, the preactivations ``extra``.

    J^T u is one backward pass and J v one backward pass through it; the Gram matrix takes per-sample gradients where
    they fit in 2e8 bytes, else factors of them (`FactoredGram`), else pairs of chunks; a Hessian-vector product runs
    through the samples of nonzero weight alone.

    Args:
        model: the traced module.
        theta: (p,) on the device to work on.
        X: (n, *input_shape).
        extra: preactivations appended as rows (none where None).
    """

    def __init__(self, model: ModuleModel, theta: Tensor, X: Tensor, extra: Kinks | None = None) -> None:
        self._model, self._X = model, X
        self._theta = theta.detach().clone().requires_grad_()
        self.num_parameters = int(theta.numel())
        self._samples = torch.arange(X.shape[0], device=theta.device)
        self._extra = Kinks.none(self._theta.detach()) if extra is None else extra
        self._rows = self._evaluate(self._theta, self._samples, self._extra)
        self._pullback: tuple[Tensor, Tensor] | None = None
        self.values = self._rows.detach()

    def _evaluate(self, theta: Tensor, samples: Tensor, extra: Kinks) -> Tensor:
        """Outputs at ``samples`` (sorted) and the preactivations ``extra`` (of those samples)."""
        outputs, preactivations = self._model.trace(theta, self._X[samples])
        if not len(extra):
            return outputs
        positions = torch.searchsorted(samples, extra.samples)
        picked = torch.zeros(len(extra), dtype=theta.dtype, device=theta.device)
        for layer, values in enumerate(preactivations):
            mask = extra.layers == layer
            picked = picked.index_put((mask.nonzero()[:, 0],), values[positions[mask], extra.units[mask]])
        return torch.cat([outputs, picked])

    def apply(self, vector: Tensor) -> Tensor:
        if self._pullback is None:
            weights = torch.zeros_like(self.values, requires_grad=True)
            self._pullback = weights, _gradient(self._rows, self._theta, weights, create_graph=True)
        weights, gradient = self._pullback
        return _gradient(gradient, weights, vector, retain_graph=True)

    def adjoint(self, weights: Tensor) -> Tensor:
        return _gradient(self._rows, self._theta, weights, retain_graph=True)

    def jacobian(self) -> Tensor:
        return self._row_gradients(torch.arange(self.values.numel(), device=self._theta.device))

    def gram(self) -> Tensor:
        size, rows = self._chunk(), self.values.numel()
        if size < rows and self._model.vectorized:
            factored = self._model.factored_gram
            numbers = rows * max(factored.num_explicit, rows * factored.num_positions**2)
            if 8 * numbers <= MEMORY:
                return self._factored_gram()
        chunks = torch.arange(rows, device=self._theta.device).split(size if size >= rows else max(1, size // 2))
        gram = torch.zeros((rows, rows), dtype=self.values.dtype, device=self.values.device)
        for position, chunk in enumerate(chunks):
            left = self._row_gradients(chunk)
            for other in chunks[position:]:
                right = left if other is chunk else self._row_gradients(other)
                gram[chunk[0] : chunk[-1] + 1, other[0] : other[-1] + 1] = left @ right.T
        return gram.triu() + gram.triu(1).T

    def _factored_gram(self) -> Tensor:
        extra, theta, factored = self._extra, self._theta.detach(), self._model.factored_gram
        groups, order = [factored.factors(theta, self._X)], [self._samples]
        for layer in extra.layers.unique().tolist():
            chosen = (extra.layers == layer).nonzero()[:, 0]
            groups.append(factored.factors(theta, self._X[extra.samples[chosen]], layer, extra.units[chosen]))
            order.append(chosen + self._samples.numel())
        inverse = torch.cat(order).argsort()
        return gram_of_factors(groups)[inverse][:, inverse]

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        count = self._samples.numel()
        active = weights[count:].nonzero()[:, 0]
        extra = self._extra.select(active)
        samples = torch.cat([weights[:count].nonzero()[:, 0], extra.samples]).unique()
        if not samples.numel():
            return torch.zeros_like(vector)
        theta = self._theta.detach().clone().requires_grad_()
        rows = self._evaluate(theta, samples, extra)
        gradient = _gradient(rows, theta, torch.cat([weights[samples], weights[count:][active]]), create_graph=True)
        return _gradient(gradient, theta, vector)

    def kinks(self) -> Kinks:
        """Every rectifier preactivation, layer by layer (calls in execution order), sample by sample, unit by unit.

        The gradient norms are exact for at least the 64 kinks (more where 2e7 / p is larger) that are nearest by the
        estimated distance |z| / norm; for the others, where there are more, they are estimated as the root mean square
        of <dz/dtheta, v> over 32 Gaussian directions v with a fixed seed: relative standard error about 1/8.
        """
        layers = self._model.rectifiers
        if not layers:
            return Kinks.none(self.values)
        count, device = self._X.shape[0], self._theta.device
        probes = [torch.zeros((count, units), dtype=self.values.dtype, device=device) for units in layers.units]
        probes = [probe.requires_grad_() for probe in probes]
        outputs, preactivations = self._model.trace(self._theta, self._X, probes)
        slopes = torch.autograd.grad(outputs.sum(), probes, retain_graph=True, materialize_grads=True)
        jumps = [(right - left) * slope for slope, (left, right) in zip(slopes, layers.slopes, strict=True)]
        samples, numbers, units = _positions(count, layers.units, device)
        values = torch.cat([z.reshape(-1) for z in preactivations])
        kinks = Kinks(
            samples, numbers, units, values.detach(), torch.cat([jump.reshape(-1) for jump in jumps]),
            torch.zeros_like(values.detach()),
        )
        return self._with_norms(kinks, values)

    def _with_norms(self, kinks: Kinks, values: Tensor) -> Kinks:
        norms = kinks.gradient_norms
        exact = torch.arange(len(kinks), device=values.device)
        budget = max(EXACT_NORMS, int(EXACT_NUMBERS / self.num_parameters))
        if len(kinks) > budget:
            norms.copy_(self._estimated_norms(values))
            exact = (kinks.values.abs() / norms.clamp(min=1e-300)).argsort()[:budget]
        for chunk in exact.split(self._chunk()):
            norms[chunk] = torch.linalg.vector_norm(self._kink_gradients(kinks.select(chunk)), dim=1)
        return kinks

    def _estimated_norms(self, values: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        weights = torch.zeros_like(values, requires_grad=True)
        gradient = _gradient(values, self._theta, weights, create_graph=True)
        squares = torch.zeros_like(values.detach())
        for _ in range(DIRECTIONS):
            direction = torch.randn(self.num_parameters, generator=generator, dtype=values.dtype).to(values.device)
            squares += _gradient(gradient, weights, direction, retain_graph=True) ** 2
        return (squares / DIRECTIONS).sqrt()

    def with_kinks(self, kinks: Kinks) -> Linearization:
        if not len(kinks):
            return self
        return ModuleLinearization(self._model, self._theta, self._X, _joined(self._extra, kinks))

    def _chunk(self) -> int:
        """Rows of J within the memory budget, at least 1."""
        return max(1, int(MEMORY / (8 * self.num_parameters)))

    def _row_gradients(self, rows: Tensor) -> Tensor:
        """J[rows] for increasing ``rows``: outputs first."""
        count = self._samples.numel()
        outputs, extra = rows[rows < count], self._extra.select(rows[rows >= count] - count)
        return torch.cat(list(self._blocks(outputs, extra)))

    def _blocks(self, outputs: Tensor, extra: Kinks) -> Iterator[Tensor]:
        if outputs.numel():
            yield self._model.sample_gradients(self._theta.detach(), self._X[outputs])
        if len(extra) or not outputs.numel():
            yield self._kink_gradients(extra)

    def _kink_gradients(self, kinks: Kinks) -> Tensor:
        """(k, p) gradients of preactivations."""
        gradients = torch.zeros((len(kinks), self.num_parameters), dtype=self.values.dtype, device=self.values.device)
        for layer in kinks.layers.unique().tolist():
            mask = kinks.layers == layer
            inputs, units = self._X[kinks.samples[mask]], kinks.units[mask]
            gradients[mask] = self._model.sample_gradients(self._theta.detach(), inputs, layer, units)
        return gradients


def _gradient(
    outputs: Tensor, inputs: Tensor, weights: Tensor, *, create_graph: bool = False, retain_graph: bool | None = None
) -> Tensor:
    """(d outputs / d inputs)^T weights, zero where the outputs do not depend on the inputs."""
    if not outputs.requires_grad:
        return torch.zeros_like(inputs)
    (gradient,) = torch.autograd.grad(
        outputs, inputs, weights, create_graph=create_graph, retain_graph=retain_graph, materialize_grads=True
    )
    return gradient


def _positions(count: int, units: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(samples, layers, units) of all preactivations, layer by layer, sample by sample."""
    grids = [
        torch.cartesian_prod(
            torch.tensor([layer], device=device), torch.arange(count, device=device), torch.arange(size, device=device)
        )
        for layer, size in enumerate(units)
    ]
    layers, samples, numbers = torch.cat(grids).unbind(1)
    return samples, layers, numbers


def _joined(first: Kinks, second: Kinks) -> Kinks:
    fields = first.__dataclass_fields__
    return Kinks(*(torch.cat([getattr(first, name), getattr(second, name)]) for name in fields))

"""One traced evaluation of a module at fixed parameters, shared by all linearizations there."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from margin_projection.networks.kink_listing import KinkListing

if TYPE_CHECKING:
    from margin_projection.networks.module import ModuleModel

KEPT = 64e6  # bytes of gradients that a pass keeps


class ModulePass:
    """The outputs at n samples and all rectifier preactivations z, numbered 0, ..., n - 1 and from n on.

    Evaluated once; each derivative is prepared when it is first asked for.

    Args:
        model: the traced module.
        theta: (p,) on the device to work on.
        X: (n, *input_shape).
        plain: the pass at the same theta whose slopes ``changes`` are relative to (None: this is that pass).
        changes: added to the rectifiers' slopes, one a preactivation in their order; values stay as they are.

    Attributes:
        listing: the order of the preactivations.
        values: (n + K,) outputs and preactivations.
    """

    def __init__(
        self,
        model: ModuleModel,
        theta: Tensor,
        X: Tensor,
        plain: ModulePass | None = None,
        changes: Tensor | None = None,
    ) -> None:
        self.model, self.X = model, X
        self.theta = theta.detach().clone().requires_grad_()
        self.listing = KinkListing(X.shape[0], model.rectifiers.units, theta.device)
        self._changes = None if changes is None else self.by_layer(changes)
        self.plain = self if plain is None else plain
        self.values: Tensor = self._rows.detach() if plain is None else plain.values
        self._places = torch.full_like(self.values, -1, dtype=torch.int64)
        self._gradients = self.theta.new_zeros((0, theta.numel()))

    def with_fractions(self, index: Tensor, fractions: Tensor) -> ModulePass:
        """The same values with the slope (1 - fraction) left + fraction right at the preactivations ``index``."""
        if not index.numel():
            return self.plain
        z = self.values[self.X.shape[0] :]
        sides = self.theta.new_tensor(self.model.rectifiers.slopes)[self.listing.locate(index)[1]]
        changes = torch.zeros_like(z)
        changes[index] = (fractions - (z[index] > 0).to(z.dtype)) * (sides[:, 1] - sides[:, 0])
        return ModulePass(self.model, self.theta, self.X, self.plain, changes)

    def by_layer(self, numbers: Tensor) -> list[Tensor]:
        """(n, units) per layer, from one number a preactivation."""
        parts = zip(numbers.split(self.listing.sizes), self.model.rectifiers.units, strict=True)
        return [part.reshape(self.X.shape[0], units) for part, units in parts]

    @cached_property
    def _probes(self) -> list[Tensor]:
        """Zeros added to the rectifiers' outputs h, to take derivatives by."""
        return [part.clone().requires_grad_() for part in self.by_layer(self.theta.new_zeros(len(self.listing)))]

    @cached_property
    def _rows(self) -> Tensor:
        """`values` with their graph."""
        with torch.enable_grad():
            outputs, preactivations = self.model.trace(self.theta, self.X, self._probes, self._changes)
            return torch.cat([outputs, *(z.reshape(-1) for z in preactivations)])

    @cached_property
    def feature_slopes(self) -> Tensor:
        """(K,) df/dh, h the output of the rectifier at each preactivation."""
        if not len(self.listing):
            return self.values.new_zeros(0)
        total = self._rows[: self.X.shape[0]].sum()
        if not total.requires_grad:
            return self.values.new_zeros(len(self.listing))
        slopes = torch.autograd.grad(total, self._probes, retain_graph=True, materialize_grads=True)
        return torch.cat([slope.reshape(-1) for slope in slopes])

    @cached_property
    def _pullback(self) -> tuple[Tensor, Tensor]:
        weights = torch.zeros_like(self.values, requires_grad=True)
        return weights, gradient(self._rows, self.theta, weights, create_graph=True)

    def apply(self, vector: Tensor) -> Tensor:
        """(n + K,) directional derivatives of all values along ``vector`` (p,)."""
        weights, pulled = self._pullback
        return gradient(pulled, weights, vector)

    def adjoint(self, weights: Tensor) -> Tensor:
        """(p,) the gradient of the sum of all values with ``weights`` (n + K,)."""
        return gradient(self._rows, self.theta, weights)

    def gradients(self, rows: Tensor) -> Tensor:
        """(m, p) the gradients of these values (m,), each computed once as long as all that were asked for fit."""
        missing = rows[self._places[rows] < 0].unique()
        known = self._gradients.shape[0]
        if 8 * (known + missing.numel()) * self._gradients.shape[1] > KEPT:
            return self._compute_gradients(rows)
        if missing.numel():
            self._gradients = torch.cat([self._gradients, self._compute_gradients(missing)])
            self._places[missing] = torch.arange(known, known + missing.numel(), device=rows.device)
        return self._gradients[self._places[rows]]

    def _compute_gradients(self, rows: Tensor) -> Tensor:
        return self.model.sample_gradients(self.theta.detach(), *self.entries(rows))

    def entries(self, rows: Tensor) -> tuple[Tensor, Tensor, list[Tensor] | None]:
        """X, entries and changes of these values (m,), as `ModuleModel.sample_gradients` takes them."""
        kinks = rows >= self.X.shape[0]
        samples, entries = rows.clone(), torch.zeros_like(rows)
        samples[kinks], layers, units = self.listing.locate(rows[kinks] - self.X.shape[0])
        entries[kinks] = 1 + self.listing.firsts[layers] + units
        changes = None if self._changes is None else [layer[samples] for layer in self._changes]
        return self.X[samples], entries, changes


class Curvature:
    """Products with a weighted sum of Hessians, through the samples that carry weight alone.

    What does not depend on the vector is computed once.
    """

    def __init__(self, forward: ModulePass, weights: Tensor) -> None:
        count = forward.X.shape[0]
        outputs, layers = weights[:count], forward.by_layer(weights[count:])
        carried = outputs != 0
        for layer in layers:
            carried = carried | (layer != 0).any(1)
        samples = torch.nonzero(carried).squeeze(1)
        self._theta = forward.theta.detach().clone().requires_grad_()
        with torch.enable_grad():
            X, _, changes = forward.entries(samples)
            traced, preactivations = forward.model.trace(self._theta, X, None, changes)
            total = (traced * outputs[samples]).sum()
            for z, layer in zip(preactivations, layers, strict=True):
                total = total + (z * layer[samples]).sum()
        self._gradient = gradient(total, self._theta, None, create_graph=True)

    def product(self, vector: Tensor) -> Tensor:
        """The weighted Hessians times ``vector`` (p,): (p,)."""
        return gradient(self._gradient, self._theta, vector)


def gradient(outputs: Tensor, inputs: Tensor, weights: Tensor | None, *, create_graph: bool = False) -> Tensor:
    """(d outputs / d inputs)^T weights, zero where the outputs do not depend on the inputs; the graph is kept."""
    if not outputs.requires_grad:
        return torch.zeros_like(inputs)
    (found,) = torch.autograd.grad(
        outputs, inputs, weights, create_graph=create_graph, retain_graph=True, materialize_grads=True
    )
    return found

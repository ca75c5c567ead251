"""First- and second-order information of a model at one parameter vector, without forming the Jacobian."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kinks:
    """Preactivations z of rectifier units, listed one per (sample, unit) pair, at which f may change its piece.

    Attributes:
        samples: (k,) int64, the sample each preactivation belongs to.
        layers, units: (k,) int64, the position of the unit inside the model (a convolutional unit's index runs over
            channels and positions).
        values: (k,) the preactivations z at theta.
        coefficients: (k,) the jump of df/dz across z = 0, that is (right slope - left slope) * df/dh with h the unit's
            output. The kink is concave for the constraint s f >= b exactly where ``s * coefficient < 0``.
    """

    samples: Tensor
    layers: Tensor
    units: Tensor
    values: Tensor
    coefficients: Tensor

    def __len__(self) -> int:
        return int(self.samples.numel())

    def select(self, mask: Tensor) -> Kinks:
        """The kinks at which the boolean (or integer) index ``mask`` points."""
        return Kinks(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    def followed_by(self, other: Kinks) -> Kinks:
        """Both lists, one behind the other."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return Kinks(*(torch.cat(pair) for pair in pairs))

    @staticmethod
    def none(like: Tensor) -> Kinks:
        """No kinks, on the device of ``like``."""
        whole = torch.zeros(0, dtype=torch.int64, device=like.device)
        real = torch.zeros(0, dtype=like.dtype, device=like.device)
        return Kinks(whole, whole, whole, real, real)


class Linearization(ABC):
    """Values and derivative products of m scalar rows at a fixed theta: the n model outputs, perhaps kinks behind them.

    Row r has value ``values[r]`` and gradient J[r] in R^p, never formed unless `jacobian` is called. A row's Hessian is
    the one of the smooth piece that theta lies on: a rectifier at z > 0 uses its right slope, at z <= 0 its left one.
    """

    values: Tensor
    num_parameters: int

    @abstractmethod
    def apply(self, vector: Tensor) -> Tensor:
        """J v for ``vector`` (p,): returns (m,)."""

    def apply_rows(self, vector: Tensor, rows: Tensor) -> Tensor:
        """(J v)[rows] for ``rows`` (r,): cheaper than all rows where the model allows it."""
        return self.apply(vector)[rows]

    def row_gradients(self, rows: Tensor) -> Tensor | None:
        """J[rows] (r, p) where the model can form single rows cheaply, else None."""
        return None

    @abstractmethod
    def adjoint(self, weights: Tensor) -> Tensor:
        """J^T u for ``weights`` (m,): returns (p,). Rows of weight zero cost nothing where the model allows it."""

    @abstractmethod
    def gram(self) -> Tensor:
        """J J^T, (m, m)."""

    @abstractmethod
    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        """(sum_r weights[r] * Hessian of row r) v: returns (p,). Rows of weight zero cost nothing."""

    def jacobian(self) -> Tensor:
        """J itself, (m, p): only for small problems and tests."""
        identity = torch.eye(self.values.numel(), dtype=self.values.dtype, device=self.values.device)
        return torch.stack([self.adjoint(row) for row in identity])

    def kinks(self) -> Kinks:
        """Every rectifier preactivation of the model at every sample (none for smooth models)."""
        return Kinks.none(self.values)

    def preactivations(self) -> Tensor:
        """The preactivations that `kinks` lists, in its order, without the derivatives."""
        return self.kinks().values

    def breaks(self) -> tuple[Tensor, Tensor]:
        """Preactivations at whose zero a first or second derivative jumps, (K,) values and the sample of each.

        Where f is not twice differentiable the kinks come first, in the order of `kinks`.
        """
        kinks = self.kinks()
        return kinks.values, kinks.samples

    def with_fractions(self, index: Tensor, fractions: Tensor) -> Linearization:
        """The same rows with generalized gradients: slope (1 - fraction) left + fraction right at the listed kinks.

        Args:
            index: (k,) distinct positions in the order of `kinks`.
            fractions: (k,) in [0, 1]; elsewhere the fraction is 1 at z > 0 and 0 at z <= 0, whatever it was before.
        """
        return _WithFractions(self, index, fractions) if index.numel() else self

    def kink_changes(self, vector: Tensor) -> Tensor:
        """The directional derivative of every preactivation that `kinks` lists, along ``vector`` (p,), in its order."""
        kinks = self.kinks()
        return self.with_kinks(kinks).apply(vector)[self.values.numel() :] if len(kinks) else kinks.values

    def with_kinks(self, kinks: Kinks) -> Linearization:
        """The same linearization with the preactivations ``kinks`` appended as further rows."""
        if len(kinks):
            raise ValueError("this model has no kinks, so none can be appended as rows")
        return self


class _WithFractions(Linearization):
    """Generalized gradients by adding kink rows, exact where no listed kink lies behind another one.

    Row i becomes J[i] + sum_k (fraction_k - side_k) coefficient_k dz_k over the listed kinks k of sample i. Its Hessian
    leaves out the coefficients' own derivatives, which vanish between directions along which the listed z stay put.
    """

    def __init__(self, plain: Linearization, index: Tensor, fractions: Tensor, appended: Kinks | None = None) -> None:
        self._plain, self._index, self._fractions = plain, index, fractions
        self._all = plain.kinks()
        listed = self._all.select(index)
        self._listed = listed
        self._appended = Kinks.none(plain.values) if appended is None else appended
        self._rows = plain.with_kinks(listed.followed_by(self._appended))
        self._outputs = plain.values.numel()
        self._shifts = (fractions - (listed.values > 0).to(fractions.dtype)) * listed.coefficients
        self.values = torch.cat([plain.values, self._appended.values])
        self.num_parameters = plain.num_parameters

    def _expand(self, weights: Tensor) -> Tensor:
        """Weights on the rows of ``_rows`` for weights on this linearization's rows."""
        outputs, appended = weights[: self._outputs], weights[self._outputs :]
        return torch.cat([outputs, outputs[self._listed.samples] * self._shifts, appended])

    def apply(self, vector: Tensor) -> Tensor:
        product = self._rows.apply(vector)
        outputs, listed = product[: self._outputs], product[self._outputs : self._outputs + len(self._listed)]
        outputs = outputs.index_add(0, self._listed.samples, self._shifts * listed)
        return torch.cat([outputs, product[self._outputs + len(self._listed) :]])

    def adjoint(self, weights: Tensor) -> Tensor:
        return self._rows.adjoint(self._expand(weights))

    def gram(self) -> Tensor:
        identity = torch.eye(self.values.numel(), dtype=self.values.dtype, device=self.values.device)
        table = torch.stack([self._expand(row) for row in identity])
        return table @ self._rows.gram() @ table.T

    def hessian_vector(self, weights: Tensor, vector: Tensor) -> Tensor:
        return self._rows.hessian_vector(self._expand(weights), vector)

    def kinks(self) -> Kinks:
        return self._all

    def kink_changes(self, vector: Tensor) -> Tensor:
        return self._plain.kink_changes(vector)

    def with_fractions(self, index: Tensor, fractions: Tensor) -> Linearization:
        return _WithFractions(self._plain, index, fractions, self._appended)

    def with_kinks(self, kinks: Kinks) -> Linearization:
        appended = self._appended.followed_by(kinks)
        return _WithFractions(self._plain, self._index, self._fractions, appended) if len(kinks) else self

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
        gradient_norms: (k,) Euclidean norms of dz/dtheta, or lower bounds on them: |z| / norm is then the first-order
            distance to the kink, or an upper bound on it.
    """

    samples: Tensor
    layers: Tensor
    units: Tensor
    values: Tensor
    coefficients: Tensor
    gradient_norms: Tensor

    def __len__(self) -> int:
        return int(self.samples.numel())

    def select(self, mask: Tensor) -> Kinks:
        """The kinks at which the boolean (or integer) index ``mask`` points."""
        return Kinks(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @staticmethod
    def none(like: Tensor) -> Kinks:
        """No kinks, on the device of ``like``."""
        whole = torch.zeros(0, dtype=torch.int64, device=like.device)
        real = torch.zeros(0, dtype=like.dtype, device=like.device)
        return Kinks(whole, whole, whole, real, real, real)


class Linearization(ABC):
    """Values and derivative products of m scalar rows at a fixed theta (the n model outputs, perhaps kinks behind them).

    Row r has value ``values[r]`` and gradient J[r] in R^p, never formed unless `jacobian` is called. A row's Hessian is
    the one of the smooth piece that theta lies on: a rectifier at z > 0 uses its right slope, at z <= 0 its left one.
    """

    values: Tensor
    num_parameters: int

    @abstractmethod
    def apply(self, vector: Tensor) -> Tensor:
        """J v for ``vector`` (p,): returns (m,)."""

    @abstractmethod
    def adjoint(self, weights: Tensor) -> Tensor:
        """J^T u for ``weights`` (m,): returns (p,)."""

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

    def kink_changes(self, vector: Tensor) -> Tensor:
        """The directional derivative of every preactivation that `kinks` lists, along ``vector`` (p,), in its order."""
        kinks = self.kinks()
        return self.with_kinks(kinks).apply(vector)[self.values.numel() :] if len(kinks) else kinks.values

    def with_kinks(self, kinks: Kinks) -> Linearization:
        """The same linearization with the preactivations ``kinks`` appended as further rows."""
        if len(kinks):
            raise ValueError("this model has no kinks, so none can be appended as rows")
        return self

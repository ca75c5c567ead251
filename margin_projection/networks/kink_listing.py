"""The order in which a layered model lists its rectifier preactivations, and what each position stands for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class KinkListing:
    """Preactivations layer by layer, inside a layer sample by sample, inside a sample unit by unit.

    Args:
        count: n, the number of samples.
        units: per layer, the number of preactivations of one sample.
        device: where indices live.

    Attributes:
        firsts: per layer, the number of preactivations of one sample in the layers before it.

    >>> listing = KinkListing(2, (3, 1), torch.device("cpu"))
    >>> [part.tolist() for part in listing.locate(torch.tensor([4, 7]))]
    [[1, 1], [0, 1], [1, 0]]
    """

    def __init__(self, count: int, units: Sequence[int], device: torch.device) -> None:
        self.sizes = [count * size for size in units]
        self.units = torch.tensor([*units, 0], device=device)
        self.firsts = torch.cumsum(torch.tensor([0, *units], device=device), 0)
        self.bounds = torch.cumsum(torch.tensor([0, *self.sizes], device=device), 0)

    def __len__(self) -> int:
        return sum(self.sizes)

    def locate(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(samples, layers, units), (k,) each, at these positions (k,)."""
        layers = torch.searchsorted(self.bounds, index, right=True) - 1
        inside, width = index - self.bounds[layers], self.units[layers]
        return inside // width, layers, inside % width

    def everything(self) -> tuple[Tensor, Tensor, Tensor]:
        """`locate` of all positions."""
        return self.locate(torch.arange(len(self), device=self.bounds.device))

    def index(self, samples: Tensor, layers: Tensor, units: Tensor) -> Tensor:
        """The inverse of `locate`."""
        return self.bounds[layers] + samples * self.units[layers] + units

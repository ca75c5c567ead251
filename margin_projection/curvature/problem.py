"""A network, a loss and data: what the curvature is of."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from margin_projection._validation import InputError, check_choice

Batch = tuple[Tensor, Tensor]
_DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class CurvatureProblem:
    """The empirical risk of a module on some batches, checked and fixed; made by `CurvatureProblem.of`.

    Attributes:
        module: a copy in evaluation mode, in the chosen precision; the given module is left alone.
        loss: averages over the samples of a batch (``reduction="mean"``).
        batches: inputs and targets, in the chosen precision.
        parameters: those that ask for gradients, in the module's order.
    """

    module: nn.Module
    loss: nn.Module
    batches: tuple[Batch, ...]
    parameters: tuple[nn.Parameter, ...]

    @classmethod
    def of(
        cls, module: nn.Module, loss: nn.Module, data: Batch | Iterable[Batch], *, dtype: str = "float64"
    ) -> CurvatureProblem:
        """Check and copy.

        Args:
            module: any torch module; its parameters that ask for gradients are the variables.
            loss: ``nn.CrossEntropyLoss``, ``nn.MSELoss`` or ``nn.BCEWithLogitsLoss``, with ``reduction="mean"``.
            data: one batch (X, y) of tensors, or batches, such as a ``DataLoader`` that yields the same every time.
            dtype: "float64" (default) or "float32".

        Raises:
            InputError: nothing asks for gradients, the loss is not finite, not averaged or weighted, or there are no
                samples.
        """
        precision = _DTYPES[check_choice("dtype", dtype, _DTYPES)]
        if getattr(loss, "reduction", "mean") != "mean":
            raise InputError("loss.reduction", getattr(loss, "reduction", None), "'mean': the risk is an average")
        if getattr(loss, "weight", None) is not None:
            raise InputError("loss.weight", loss.weight, "None: every sample counts the same")
        own = copy.deepcopy(module).to(precision).eval()
        parameters = tuple(parameter for parameter in own.parameters() if parameter.requires_grad)
        if not parameters:
            raise InputError("module", type(module).__name__, "a module with parameters that ask for gradients")
        batches = _batches(data, precision)
        problem = cls(own, loss, batches, parameters)
        risk = problem.risk()
        if not torch.isfinite(torch.tensor(risk)):
            raise InputError("loss", risk, "finite on the data at the module's parameters")
        return problem

    @property
    def num_parameters(self) -> int:
        """p, the number of variables."""
        return sum(parameter.numel() for parameter in self.parameters)

    @property
    def num_samples(self) -> int:
        """n, over all batches."""
        return sum(len(X) for X, _ in self.batches)

    def risk(self) -> float:
        """The mean loss over all samples."""
        with torch.no_grad():
            total = sum(float(self.loss(self.module(X), y)) * len(X) for X, y in self.batches)
        return total / self.num_samples


def _batches(data: Batch | Iterable[Batch], precision: torch.dtype) -> tuple[Batch, ...]:
    one = isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, Tensor) for part in data)
    given: list[Any] = [data] if one else list(data)
    batches = []
    for batch in given:
        pair = isinstance(batch, tuple | list) and len(batch) == 2
        if not pair or not all(isinstance(part, Tensor) for part in batch):
            raise InputError("data", batch, "a batch (X, y) of tensors, or batches of these")
        X, y = batch
        if len(X) != len(y):
            raise InputError("data", X, f"as many inputs as targets ({len(X)} and {len(y)})")
        batches.append((X.to(precision), y.to(precision) if y.is_floating_point() else y))
    kept = tuple(batch for batch in batches if len(batch[0]))
    if not kept:
        raise InputError("data", data, "at least one sample")
    return kept

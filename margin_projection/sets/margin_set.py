"""Margin sets C_m and their intersections, as systems of constraints on theta."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor, restore, to_numpy
from margin_projection._validation import InputError
from margin_projection.networks.base import Model, Structure
from margin_projection.sets.rows import row_norms
from margin_projection.tasks.task import Task


class ConstraintSystem:
    """The set {theta : c_i(theta) >= 0 (inequalities), = 0 (equalities)} with c_i = signs_i f(x_i; theta) - offsets_i.

    A classification sample has sign y_i and offset 1 and is an inequality (8); a regression sample has sign 1 and
    offset y_i and is an equality (10). A system is fixed once it is made: what is derived from its arrays is kept.

    Attributes:
        model: the network.
        X: (n, *input_shape) samples of all tasks, stacked.
        signs, offsets: (n,).
        is_equality: (n,) bool.
        task_index: (n,) int, which of ``tasks`` each sample belongs to.
        tasks: the tasks that were stacked.
    """

    def __init__(self, model: Model, tasks: Sequence[Task]) -> None:
        if not isinstance(model, Model):
            raise InputError("model", model, "a margin_projection model (see networks.from_module for torch modules)")
        if not tasks:
            raise InputError("tasks", tasks, "at least one task")
        for task in tasks:
            if not isinstance(task, Task):
                raise InputError("task", task, "a margin_projection.Task")
            if task.X.shape[1:] != model.input_shape:
                shape = ", ".join(map(str, model.input_shape))
                raise InputError("task.X", task.X, f"of shape (n, {shape}) for {model!r}")
        self.model, self.tasks = model, tuple(tasks)
        self.X = np.concatenate([task.X for task in tasks])
        labels = np.concatenate([task.y for task in tasks])
        self.is_equality = np.concatenate([np.full(task.num_samples, task.kind == "regression") for task in tasks])
        self.signs = np.where(self.is_equality, 1.0, labels)
        self.offsets = np.where(self.is_equality, labels, 1.0)
        self.task_index = np.repeat(np.arange(len(tasks)), [task.num_samples for task in tasks])
        self._has_equalities = bool(self.is_equality.any())
        self._tensors: dict[torch.device, tuple[Tensor, Tensor, Tensor, Tensor]] = {}

    @property
    def num_constraints(self) -> int:
        """n, the number of samples over all tasks."""
        return int(self.signs.size)

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(X, signs, offsets, is_equality) as tensors on ``device``, kept for the next call."""
        if device not in self._tensors:
            arrays = (self.X, self.signs, self.offsets, self.is_equality)
            self._tensors[device] = tuple(torch.as_tensor(array, device=device) for array in arrays)  # type: ignore[assignment]
        return self._tensors[device]

    @cached_property
    def rows(self) -> np.ndarray:
        """signs_i times the model's coefficients: A (n, p) with c(theta) = A theta - offsets for LINEAR models.

        Raises:
            TypeError: the model's structure has no coefficients.
        """
        coefficients = to_numpy(self.model.coefficients(torch.as_tensor(self.X)))
        return self.signs.reshape(-1, *[1] * (coefficients.ndim - 1)) * coefficients

    @cached_property
    def row_norms(self) -> np.ndarray:
        """(n,) norms of `rows`, for LINEAR models."""
        return row_norms(self.rows)

    @cached_property
    def unit_rows(self) -> np.ndarray:
        """(n, p) `rows` divided by their norms, for LINEAR models; rows of zeros stay as they are."""
        norms = self.row_norms
        return np.ascontiguousarray(self.rows * (1.0 / np.where(norms > 0.0, norms, 1.0))[:, None])

    def constraints(self, theta: Array) -> Any:
        """c(theta): (n,) for theta (p,), (B, n) for a batch (B, p)."""
        tensor = parameters_to_tensor("theta", theta, self.model.num_parameters)
        return restore(self.constraint_values(tensor), theta)

    def constraint_values(self, theta: Tensor) -> Tensor:
        """Unchecked `constraints` on tensors."""
        X, signs, offsets, _ = self.tensors(theta.device)
        return signs * self.model.forward(theta, X) - offsets

    def violations(self, theta: Array) -> Any:
        """(n,) or (B, n): [-c_i]_+ for inequalities, |c_i| for equalities."""
        tensor = parameters_to_tensor("theta", theta, self.model.num_parameters)
        return restore(self.violation_values(self.constraint_values(tensor)), theta)

    def violation_values(self, constraints: Tensor) -> Tensor:
        """Violations of constraint values c (..., n)."""
        is_equality = self.tensors(constraints.device)[3]
        return torch.where(is_equality, constraints.abs(), (-constraints).clamp_min(0.0))

    def constraint_array(self, theta: Tensor) -> np.ndarray:
        """`constraint_values` as a numpy array, from `rows` for LINEAR models."""
        if self.model.structure is Structure.LINEAR:
            return np.asarray(self.rows @ to_numpy(theta) - self.offsets)
        outputs = to_numpy(self.model.forward(theta, self.tensors(theta.device)[0]))
        return np.asarray(self.signs * outputs - self.offsets)

    def violation_array(self, constraints: np.ndarray) -> np.ndarray:
        """`violation_values` of a numpy array (..., n)."""
        violations = np.maximum(-constraints, 0.0)
        return np.where(self.is_equality, np.abs(constraints), violations) if self._has_equalities else violations

    def violation(self, theta: Array) -> float:
        """The largest violation at theta (p,); 0 exactly on the set."""
        return float(self.violations(theta).max())

    def contains(self, theta: Array, tolerance: float = 1e-9) -> bool:
        """Whether theta (p,) satisfies every constraint up to ``tolerance`` (default 1e-9)."""
        return self.violation(theta) <= tolerance

    def forgetting(self, theta: Array) -> Any:
        """F_m(theta), one a task: max_i [1 - y_i f_i]_+ (classification) or max_i (f_i - y_i)^2 (regression, (12)).

        (M,) for theta (p,), (B, M) for a batch.
        """
        tensor = parameters_to_tensor("theta", theta, self.model.num_parameters)
        violations = self.violation_values(self.constraint_values(tensor))
        columns = []
        for index, task in enumerate(self.tasks):
            worst = violations[..., torch.as_tensor(self.task_index == index, device=tensor.device)].amax(-1)
            columns.append(worst**2 if task.kind == "regression" else worst)
        return restore(torch.stack(columns, -1), theta)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, {list(self.tasks)!r})"


class MarginSet(ConstraintSystem):
    """C_m = {theta : y_i f(x_i; theta) >= 1 for every i} (8), or {theta : f(x_i; theta) = y_i for every i} (10).

    Args:
        model: the network.
        task: its samples must have the model's input shape.

    Raises:
        InputError: the model is none, or the task's samples do not fit it.
    """

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, (task,))
        self.task = task


def intersection(sets: Sequence[ConstraintSystem]) -> ConstraintSystem:
    """The intersection of sets over one model, C* where all tasks are given.

    Raises:
        InputError: no set, or sets of different models.
    """
    if not sets:
        raise InputError("sets", sets, "at least one set")
    model = sets[0].model
    if any(each.model is not model for each in sets):
        raise InputError("sets", sets, "sets over one and the same model")
    if len(sets) == 1:
        return sets[0]
    return ConstraintSystem(model, [task for each in sets for task in each.tasks])

"""Algorithm 1 for vanishing regularization, followed in s = log(1/lambda): the driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor, to_numpy
from margin_projection._validation import InputError, check_array, check_choice, check_integer, check_real
from margin_projection.networks.base import Model
from margin_projection.networks.reparametrized import Reparametrized
from margin_projection.projections.project import METHODS
from margin_projection.projections.result import Status
from margin_projection.regularization.branches import StepSetting
from margin_projection.regularization.expansion import Expansion
from margin_projection.regularization.limit import ExpansionStatus
from margin_projection.regularization.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from margin_projection.regularization.path import RegularizedPath, RegularizedPathError
from margin_projection.regularization.record import StepRecord, record_step, stack, to_theta
from margin_projection.regularization.step import StepResult, take_step
from margin_projection.regularization.weights import weighted_models
from margin_projection.sets.margin_set import MarginSet
from margin_projection.tasks.orderings import Ordering, as_ordering
from margin_projection.tasks.task import Task

SMALLEST = 0.1  # the least s
LARGEST = 1e9  # the largest: there s (m - 1) has one digit left beside m
_DEFAULT_GRID = (1.0, 1e6, 40)
_OPTIONS = ("max_steps", "method", "starts")


def regularized_path(
    model: Model,
    tasks: Sequence[Task],
    ordering: str | Sequence[int] | np.ndarray | Ordering = "cyclic",
    log_inverse_lambda: Any = None,
    *,
    num_steps: int,
    start: Array | None = None,
    loss: str | None = None,
    weights: Any = None,
    seed: int = 0,
    max_branches: int = 8,
    tolerance: float = 1e-10,
    progress: Callable[[int, int], None] | None = None,
    throw: bool = True,
    **projection_options: Any,
) -> RegularizedPath:
    """Algorithm 1, Theta_t a minimizer of L_{tau(t)}(Theta) + lambda ||Theta - Theta_{t-1}||^2_{B_t}, for many lambda.

    L_m = (1/n_m) sum_i loss(y_i f). The problem is solved for the scaled iterate Theta / s^{1/r}, s = log(1/lambda), in
    the log domain, so that s may be far beyond the point where lambda itself underflows. Every minimizer of the
    projection that the step tends to (Theorems 1 and 13) is followed from the largest s down, and for small s descent
    looks for others; the iterate is the lowest. See docs/vanishing_regularization.md for the expansion and its proof.

    Args:
        model: the network, r-positively homogeneous.
        tasks: M >= 1 tasks, all for classification or all for regression.
        ordering: as in `sequential_projections`.
        log_inverse_lambda: (S,) s, strictly increasing in [0.1, 1e9] (default: 40 values from 1 to 1e6, geometric).
        num_steps: T >= 1.
        start: (p,) the *scaled* start Thetabar_0, Theta_0 = s^{1/r} Thetabar_0 (Remark 8); default 0.
        loss: "logistic" (default) or "exponential" for classification, "squared" (default) for regression.
        weights: B_t, one array or a list of one a step: (p,) positive or (p, p) symmetric positive definite; default I.
        seed: of the ordering where it is random, of the projections and of descent's initial points (default 0).
        max_branches: at most so many minimizers of a projection are followed (default 8).
        tolerance: bound on the relaxed KKT residual, in [1e-13, 1e-4] (default 1e-10).
        progress: called as progress(step, num_steps) after each step (default None: silent).
        throw: whether to raise where no stationary point is found at some s (default True); else it is STALLED there.
        **projection_options: starts, max_steps and method of `project`.

    Returns:
        The path, in float64 numpy arrays.

    Raises:
        InputError: an argument is out of its range or does not fit.
        ProjectionError: a set C_m is empty, or no feasible stationary point of it was found.
        RegularizedPathError: with ``throw``, no stationary point was found at some s.

    Theorem 5's first step in closed form: with b = 1 - eps the error tends to -log(1/b) / (2 sqrt(b) s):

    >>> from margin_projection.networks import SquaredLinear
    >>> from margin_projection.tasks import catastrophic_pair
    >>> path = regularized_path(SquaredLinear(2), catastrophic_pair(0.005), num_steps=1, log_inverse_lambda=[1e3, 1e6])
    >>> bool(abs(path.betas[0, 1] + np.log(1 / 0.995) / (2 * 0.995**0.5)) < 1e-12), path.statuses.tolist()
    (True, [['GLOBAL', 'GLOBAL']])
    """
    kind = _check_tasks(model, tasks)
    chosen_loss = _check_loss(kind, loss)
    grid = _check_grid(log_inverse_lambda)
    steps = check_integer("num_steps", num_steps, 1)
    indices = as_ordering(ordering, check_integer("seed", seed, 0)).indices(len(tasks), steps)
    check_integer("max_branches", max_branches, 1)
    check_real("tolerance", tolerance, 1e-13, 1e-4)
    first = torch.zeros(model.num_parameters, dtype=torch.float64)
    if start is not None:
        first = parameters_to_tensor("start", start, model.num_parameters, batched=False).clone()
    models = weighted_models(model, weights, steps)
    options = _check_options(projection_options)
    run = _Run(model, tasks, chosen_loss, grid, indices, first, weights is not None)
    for step, (index, each) in enumerate(zip(indices, models, strict=True)):
        setting = run.setting(each, int(index), tolerance, seed)
        result = take_step(setting, run.expansion_for(each), max_branches, options)
        if throw:
            _require_found(run, result, step, grid)
        run.append(setting, result)
        if progress is not None:
            progress(step + 1, steps)
    return run.to_path()


def _check_tasks(model: Model, tasks: Any) -> str:
    """The tasks' common kind."""
    if isinstance(tasks, str) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError("tasks", tasks, "a nonempty sequence of tasks")
    for task in tasks:
        MarginSet(model, task)
    kinds = sorted({task.kind for task in tasks})
    if len(kinds) > 1:
        raise InputError("tasks", kinds, "all for classification or all for regression")
    return str(kinds[0])


def _check_loss(kind: str, loss: str | None) -> str:
    allowed = CLASSIFICATION_LOSSES if kind == "classification" else REGRESSION_LOSSES
    if loss is None:
        return allowed[-1]
    if loss not in allowed:
        raise InputError("loss", loss, f"one of {', '.join(map(repr, allowed))} for {kind} tasks")
    return loss


def _check_grid(values: Any) -> np.ndarray:
    if values is None:
        return np.geomspace(*_DEFAULT_GRID)
    grid = check_array("log_inverse_lambda", values, ndim=1)
    increasing = grid.size > 0 and bool((np.diff(grid) > 0).all())
    if not increasing or grid[0] < SMALLEST or grid[-1] > LARGEST:
        raise InputError("log_inverse_lambda", values, f"strictly increasing numbers in [{SMALLEST}, {LARGEST:g}]")
    return grid


def _check_options(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        check_choice("projection option", name, _OPTIONS)
    if "method" in options:
        check_choice("method", options["method"], METHODS)
    for name in ("max_steps", "starts"):
        if name in options:
            check_integer(name, options[name], 1)
    return options


def _require_found(run: _Run, result: StepResult, step: int, grid: np.ndarray) -> None:
    for s, certificate in zip(grid, result.certificates, strict=True):
        if certificate.status is Status.STALLED:
            raise RegularizedPathError(run.to_path() if step else None, step, float(s))


class _Run:
    """The steps so far, in the coordinates of theta."""

    def __init__(
        self,
        model: Model,
        tasks: Sequence[Task],
        loss: str,
        grid: np.ndarray,
        indices: np.ndarray,
        start: Tensor,
        weighted: bool,
    ) -> None:
        self.model, self.tasks, self.loss, self.grid, self.indices = model, tasks, loss, grid, indices
        self.first, self.weighted = start, weighted
        self.points, self.limit = start.expand(grid.size, -1).clone(), start
        self.expansion = Expansion.zero(start)
        self.records: list[StepRecord] = []

    def setting(self, model: Model, index: int, tolerance: float, seed: int) -> StepSetting:
        """The next step, in the coordinates of ``model``."""
        inner = model.from_theta if isinstance(model, Reparametrized) else _same
        return StepSetting(
            system=MarginSet(model, self.tasks[index]),
            loss=self.loss,
            degree=float(model.degree),
            grid=self.grid.tolist(),
            hats=inner(self.points),
            start=inner(self.limit),
            tolerance=tolerance,
            seed=seed,
        )

    def expansion_for(self, model: Model) -> Expansion:
        """The last step's expansion in the coordinates of ``model``."""
        return self.expansion.mapped(model.from_theta) if isinstance(model, Reparametrized) else self.expansion

    def append(self, setting: StepSetting, result: StepResult) -> None:
        """Record a step and go on from it."""
        model = setting.system.model
        self.records.append(record_step(setting, result))
        self.points = to_theta(model, result.points)
        if result.limit is None:
            self.limit = self.points[-1]
            self.expansion = Expansion.zero(self.limit, ExpansionStatus.NOT_FOLLOWED)
        else:
            self.limit = to_theta(model, result.limit.limit.theta)
            self.expansion = result.limit.expansion.mapped(lambda each: to_theta(model, each))

    def to_path(self) -> RegularizedPath:
        """The result so far."""
        return RegularizedPath(
            model_name=repr(self.model),
            task_names=tuple(task.name for task in self.tasks),
            loss=self.loss,
            weighted=self.weighted,
            laws=tuple(record.law for record in self.records),
            log_inverse_lambda=self.grid,
            degree=np.array(float(self.model.degree)),
            indices=self.indices[: len(self.records)],
            start=to_numpy(self.first).copy(),
            **stack(self.records),
        )


def _same(points: Tensor) -> Tensor:
    return points

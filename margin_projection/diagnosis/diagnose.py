"""`diagnose`: one call that finds the degrees, scales the parameters onto C* and judges every hypothesis there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from margin_projection._arrays import Array, parameters_to_tensor, to_numpy
from margin_projection._validation import InputError, check_integer, check_real
from margin_projection.diagnosis import conditions as judged
from margin_projection.diagnosis.advice import collect_advice
from margin_projection.diagnosis.condition import Condition
from margin_projection.diagnosis.degree_groups import Homogeneity
from margin_projection.diagnosis.diagnosis import Diagnosis
from margin_projection.diagnosis.separation import Separation, SeparationStatus, projected, separate
from margin_projection.diagnosis.subject import Subject, make_subject
from margin_projection.diagnosis.weighted import weighted_conditions
from margin_projection.networks.base import Model
from margin_projection.projections import Status
from margin_projection.projections import project as project_onto
from margin_projection.projections.contradictions import find_contradiction
from margin_projection.rates.predicted import PredictedRate, predicted_rate
from margin_projection.regularity import RegularityReport, regularity
from margin_projection.sets.margin_set import MarginSet, intersection
from margin_projection.tasks.task import Task

RADIUS = 0.01  # of the ball, relative to ||theta*||
ORDERINGS = ("cyclic", "random")
RATES = (("theorem", "global"), ("theorem", "ball"), ("sharp", "ball"), ("limit", "limit"))
Tell = Callable[[str], None]


def diagnose(
    module: nn.Module | Model,
    tasks: Sequence[Task],
    theta: Array | None = None,
    *,
    radius: float | None = None,
    start: Array | None = None,
    project: bool = False,
    draws: int = 0,
    seed: int = 0,
    progress: Tell | None = None,
) -> Diagnosis:
    """Which hypotheses of Schliserman et al. 2026 hold for a network and its tasks, the rates granted, what to change.

    The degrees of homogeneity are found by groups of parameters; theta is scaled until its least margin is 1, so that
    it lies on the boundary of C*; there every condition is measured and proved as far as that goes (`regularity`).

    Args:
        module: a torch module as for `networks.from_module`, or a model.
        tasks: M >= 1 tasks over one input shape; X (n, *input_shape).
        theta: (p,) parameters in the order of ``named_parameters`` (default: those that the module holds); needed for a
            model.
        radius: of the ball around the point theta* of C*, in (0, ||theta*||) (default 0.01 ||theta*||).
        start: (p,) a start, whose distance to theta* is held against the granted basin (default None).
        project: whether theta* is a projection onto C*: that of theta, scaled to a least margin of 1/2 first where it
            solves the tasks. Several constraints are active there, as at limits of training (default False: theta* is
            theta scaled; a theta that does not solve the tasks is reported as such).
        draws: points of the ball at which distances to the sets are compared by projections, which takes long (default
            0; see `regularity`).
        seed: of the random points and searches (default 0).
        progress: called with a sentence now and then (default None: silent).

    Returns:
        The diagnosis. A network that is not homogeneous, or parameters that do not solve the tasks, are results.

    Raises:
        InputError: no trainable parameters, outputs that are no scalars, a theta or start of wrong length, a radius out
            of range, or tasks that do not fit the module.

    >>> module = nn.Sequential(nn.Linear(2, 1, bias=False)).double()
    >>> tasks = [Task([[1.0, 0.0]], [1]), Task([[0.0, 1.0]], [1])]
    >>> found = diagnose(module, tasks, [2.0, 4.0])
    >>> found.separation.factor, found.condition("MFCQ with margin").verdict.name
    (0.5, 'HOLDS')
    """
    X = _samples(tasks)
    check_integer("seed", seed, 0)
    check_integer("draws", draws, 0)
    if radius is not None:
        check_real("radius", radius, 0.0, open_below=True)
    how = _How(radius, project, draws, seed, progress if progress is not None else lambda sentence: None)
    how.tell("degrees of homogeneity")
    subject = make_subject(module, X, theta, seed)
    if start is not None:
        parameters_to_tensor("start", start, subject.function.num_parameters, batched=False)
    return _diagnose(subject, tasks, start, how)


@dataclass(frozen=True)
class _How:
    """Options."""

    radius: float | None
    project: bool
    draws: int
    seed: int
    tell: Tell


def _samples(tasks: Any) -> np.ndarray:
    """All samples, (n, *input_shape)."""
    if isinstance(tasks, Task | str) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError("tasks", tasks, "a nonempty sequence of tasks")
    for task in tasks:
        if not isinstance(task, Task):
            raise InputError("task", task, "a margin_projection.Task")
    shapes = {task.X.shape[1:] for task in tasks}
    if len(shapes) > 1:
        raise InputError("tasks", sorted(shapes), "tasks over one input shape")
    kinds = {task.kind for task in tasks}
    if len(kinds) > 1:
        raise InputError("tasks", sorted(kinds), "tasks of one kind")
    return np.concatenate([task.X for task in tasks])


def _diagnose(subject: Subject, tasks: Sequence[Task], start: Array | None, how: _How) -> Diagnosis:
    how.tell("scaling onto C*")
    groups = subject.groups
    separation = separate(subject.function.outputs, tasks, subject.theta, subject.powers, groups.degree or 1.0)
    if how.project and subject.model is not None:
        separation = _projected(subject, subject.model, tasks, separation, how)
    elif not separation.status.is_success and subject.model is not None:
        separation = _contradicted(subject.model, tasks, separation)
    report = None
    if separation.theta_star is not None and subject.model is not None:
        report = _regularity(subject.model, tasks, separation.theta_star, how)
    found = [judged.homogeneity(groups), *judged.nonempty(separation)]
    found += _at_the_point(subject, tasks, separation, report)
    if report is not None and start is not None:
        begin = parameters_to_tensor("start", start, len(report.theta_star), batched=False)
        distance = float(np.linalg.norm(to_numpy(begin) - report.theta_star))
        found.append(judged.start_condition(report, distance))
    restricted = _restricted(subject, tasks, separation, how)
    return Diagnosis(
        name=subject.name,
        num_parameters=subject.function.num_parameters,
        num_samples=sum(task.num_samples for task in tasks),
        num_tasks=len(tasks),
        groups=groups,
        separation=separation,
        conditions=tuple(found),
        report=report,
        rates={} if report is None else _rates(report),
        advice=collect_advice(groups, separation, report),
        restricted=restricted,
        notes=(*_undone(subject, how), *(() if report is None else (report.state.value, *report.notes))),
    )


def _undone(subject: Subject, how: _How) -> tuple[str, ...]:
    """What was asked for and could not be done."""
    if how.project and subject.model is None:
        return ("nothing was projected: projections onto C* need a homogeneous network",)
    return ()


def _contradicted(model: Model, tasks: Sequence[Task], separation: Separation) -> Separation:
    """The same, with C* known to be empty where equal samples have labels that exclude each other."""
    found = find_contradiction(intersection([MarginSet(model, task) for task in tasks]))
    return separation if found is None else replace(separation, status=SeparationStatus.EMPTY)


def _projected(subject: Subject, model: Model, tasks: Sequence[Task], separation: Separation, how: _How) -> Separation:
    how.tell("projecting onto C*")
    begin = to_numpy(subject.theta)
    if separation.theta_star is not None and tasks[0].kind == "classification":
        begin = 0.5 ** (1.0 / model.degree) * separation.theta_star
    sets = [MarginSet(model, task) for task in tasks]
    for starts in (1, 4):
        found = project_onto(begin, sets, starts=starts, seed=how.seed, throw=False, progress=how.tell)
        if found.status.is_success or found.status is Status.INFEASIBLE:
            break
    if found.status.is_success and tasks[0].kind == "classification":
        found = replace(found, point=_onto_the_boundary(model, tasks, np.array(found.point)))
    return projected(separation, found)


def _onto_the_boundary(model: Model, tasks: Sequence[Task], point: np.ndarray) -> np.ndarray:
    """``point`` scaled to a least margin of 1: a local solver may stop a little inside of C*, where nothing is active.

    Its complementarity compares multipliers times constraints with its tolerance, so that a constraint with a small
    multiplier need not be met to the last digits.
    """
    least = min(float((task.y * model(point, task.X)).min()) for task in tasks)
    return point * least ** (-1.0 / model.degree)


def _regularity(model: Model, tasks: Sequence[Task], theta_star: np.ndarray, how: _How) -> RegularityReport:
    norm = float(np.linalg.norm(theta_star))
    if how.radius is not None and not how.radius < norm:
        raise InputError("radius", how.radius, f"below ||theta*|| = {norm:.6g}, so that the ball does not reach 0")
    size = RADIUS * norm if how.radius is None else how.radius
    return regularity(model, tasks, theta_star, size, seed=how.seed, draws=how.draws, progress=how.tell)


def _at_the_point(
    subject: Subject, tasks: Sequence[Task], separation: Separation, report: RegularityReport | None
) -> list[Condition]:
    if report is not None:
        own = [*judged.global_conditions(report), *judged.local_conditions(report)]
        return [*own, judged.basin_condition(report)]
    if separation.theta_star is None:
        return judged.undecided("there is no point of C* to look at")
    powers, degree = subject.powers, subject.groups.degree
    if powers is None or degree is None or separation.status is not SeparationStatus.SCALED:
        return judged.undecided("no scaling of the parameters by groups is known")
    return weighted_conditions(subject.function, tasks, torch.from_numpy(separation.theta_star), powers, degree)


def _rates(report: RegularityReport) -> dict[str, PredictedRate]:
    """By "ordering, bound, constants"."""
    return {
        f"{ordering}, {bound}, {constants}": predicted_rate(report, ordering, bound, constants=constants)
        for ordering in ORDERINGS
        for bound, constants in RATES
    }


def _restricted(subject: Subject, tasks: Sequence[Task], separation: Separation, how: _How) -> Diagnosis | None:
    """The same with the groups of weight 0 frozen, at theta*."""
    if subject.groups.kind is not Homogeneity.PARTIAL or separation.theta_star is None:
        return None
    how.tell("the same with groups frozen")
    frozen = subject.without_fixed_groups(torch.from_numpy(separation.theta_star))
    inner = make_subject(frozen, _samples(tasks), None, how.seed)
    if inner.groups.kind in (Homogeneity.PARTIAL, Homogeneity.NONE):
        return None
    limit = None if how.radius is None else min(how.radius, 0.5 * float(inner.theta.norm()))
    return _diagnose(inner, tasks, None, replace(how, radius=limit))

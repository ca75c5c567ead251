"""Jointly separable tasks for any model: a teacher theta* labels random samples and is itself a point of C*."""

from __future__ import annotations

import numpy as np

from margin_projection._validation import InputError, check_choice, check_integer, check_real
from margin_projection.networks.base import Model
from margin_projection.tasks.task import KINDS, Task

_POOL = 8  # candidates drawn for each sample kept
_ATTEMPTS = 32  # teachers tried before a model counts as one that separates nothing
_SMALL = 0.25  # candidates with |f| below this fraction of the median nonzero |f| are not kept
_SLACK = 1e-9  # relative excess of the teacher's smallest margin, against rounding


def teacher_tasks(
    model: Model,
    num_tasks: int = 2,
    samples: int = 10,
    seed: int = 0,
    kind: str = "classification",
    margin: float = 1.0,
) -> tuple[list[Task], np.ndarray]:
    """Tasks whose joint set C* contains a known point, the teacher theta* (Assumption A holds by construction).

    The samples are standard normal, each task's chosen from 8 times as many candidates so that no |f(x; theta*)| is
    tiny and both labels occur about equally often where the candidates allow it; a model with outputs of one sign gets
    one label. theta* is then scaled by its degree r, f(x; c theta*) = c^r f(x; theta*), to reach the margin.

    Args:
        model: any `Model`.
        num_tasks: M >= 1 (default 2).
        samples: n >= 1 for each task (default 10).
        seed: a nonnegative integer (default 0). The teacher is not ``model.initialize(seed)``, so that a student may
            start there.
        kind: "classification" (default; y = sign f(x; theta*)) or "regression" (y = f(x; theta*) exactly).
        margin: > 0 (default 1): the smallest |f(x; theta*)| over all samples, met to a relative 1e-9 from above.

    Returns:
        (tasks, theta*), theta* of shape (p,), with y f(x; theta*) >= margin on every sample for classification.
        A margin of at least 1 puts theta* in C* of (8); below 1 a multiple of theta* is there.

    Raises:
        InputError: an argument is out of range, or the model is zero (or not finite) on almost all samples.

    >>> from margin_projection.networks import SquaredLinear
    >>> model = SquaredLinear(3)
    >>> tasks, teacher = teacher_tasks(model, num_tasks=2, samples=5, seed=1)
    >>> bool(min((task.y * model(teacher, task.X)).min() for task in tasks) >= 1)
    True
    """
    if not isinstance(model, Model):
        raise InputError("model", model, "a margin_projection model (see networks.from_module for torch modules)")
    check_integer("num_tasks", num_tasks, 1)
    check_integer("samples", samples, 1)
    check_integer("seed", seed, 0)
    check_choice("kind", kind, KINDS)
    check_real("margin", margin, 0.0, open_below=True)
    for attempt in range(_ATTEMPTS):
        drawn = _draw(model, num_tasks, samples, (seed, attempt))
        if drawn is not None:
            teacher, inputs = drawn
            return _label(model, teacher, inputs, kind, margin)
    raise InputError("model", model, f"nonzero and finite on random samples ({_ATTEMPTS} random teachers tried)")


def _draw(
    model: Model, num_tasks: int, samples: int, key: tuple[int, int]
) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """A teacher and each task's inputs (samples, ...), or None where too few candidates have a usable output."""
    teacher_key, inputs_key = np.random.SeedSequence(key).spawn(2)
    teacher = model.initialize(int(teacher_key.generate_state(1)[0]))
    generator = np.random.default_rng(inputs_key)
    inputs = []
    for _ in range(num_tasks):
        candidates = generator.standard_normal((_POOL * samples, *model.input_shape))
        kept = _choose(np.asarray(model(teacher, candidates)), samples)
        if kept is None:
            return None
        inputs.append(candidates[kept])
    return teacher, inputs


def _choose(outputs: np.ndarray, samples: int) -> np.ndarray | None:
    """Numbers of the first ``samples`` candidates with |output| not small, the two signs in turn while both last."""
    usable = np.isfinite(outputs) & (outputs != 0)
    if usable.any():
        usable &= np.abs(outputs) >= _SMALL * np.median(np.abs(outputs[usable]))
    positive, negative = np.flatnonzero(usable & (outputs > 0)), np.flatnonzero(usable & (outputs < 0))
    if positive.size + negative.size < samples:
        return None
    rank = np.concatenate([np.arange(positive.size), np.arange(negative.size)])
    return np.concatenate([positive, negative])[np.argsort(rank, kind="stable")[:samples]]


def _label(
    model: Model, teacher: np.ndarray, inputs: list[np.ndarray], kind: str, margin: float
) -> tuple[list[Task], np.ndarray]:
    """Scale the teacher to the margin, then read the labels off its outputs."""
    smallest = min(float(np.abs(model(teacher, X)).min()) for X in inputs)
    teacher = teacher * (margin * (1 + _SLACK) / smallest) ** (1 / model.degree)
    outputs = [np.asarray(model(teacher, X)) for X in inputs]
    if not all((np.abs(f) >= margin).all() for f in outputs):
        raise InputError("model", model, f"positively homogeneous of its degree {model.degree}")
    labels = [np.sign(f) for f in outputs] if kind == "classification" else outputs
    tasks = [Task(X, y, kind, f"teacher {m}") for m, (X, y) in enumerate(zip(inputs, labels, strict=True), start=1)]
    return tasks, teacher

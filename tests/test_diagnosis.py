"""Diagnoses end to end, against closed forms and quotients of differences."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from user_modules import Function, SquaredReLU, linear

import margin_projection as mp
from margin_projection._validation import InputError
from margin_projection.diagnosis import Diagnosis, Homogeneity, SeparationStatus, Verdict, degree_groups, diagnose
from margin_projection.regularity import PointState
from margin_projection.tasks import Task

EXACT = 1e-12
QUOTIENT = 1e-5  # of central differences
ORTHOGONAL = [Task([[1.0, 0.0]], [1]), Task([[0.0, 1.0]], [1])]
RATES = {"cyclic, theorem, global", "cyclic, sharp, ball", "random, limit, limit"}


class Shortcut(nn.Module):
    """head(h + outer relu(inner h)), h = stem(x)."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.outer, self.head = linear(3, 4), linear(4, 4), linear(4, 4), linear(4, 1)

    def forward(self, x):
        hidden = self.stem(x)
        return self.head(hidden + self.outer(torch.relu(self.inner(hidden))))


def separated(module: nn.Module, samples: int = 6, tasks: int = 2, inputs: int = 3) -> tuple[nn.Module, list[Task]]:
    """The module in float64, and tasks whose labels are the signs of its own outputs, those near 0 left out."""
    module = module.double()
    generator = np.random.default_rng(3)
    found = []
    for number in range(tasks):
        X = generator.standard_normal((8 * samples, inputs))
        with torch.no_grad():
            outputs = module(torch.from_numpy(X)).numpy().reshape(-1)
        kept = np.argsort(-np.abs(outputs))[:samples]
        found.append(Task(X[kept], np.sign(outputs[kept]), name=f"task {number}"))
    return module, found


def mlp(bias: bool = False, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    torch.manual_seed(2)
    layers = [nn.Linear(3, 5, bias), activation(), nn.Linear(5, 4, bias), activation(), nn.Linear(4, 1, bias)]
    return nn.Sequential(*layers)


def least_margin(found: Diagnosis, module: nn.Module, tasks: list[Task]) -> float:
    """min y f at theta*, by the module itself."""
    vector = torch.from_numpy(found.separation.theta_star)
    torch.nn.utils.vector_to_parameters(vector, [value for value in module.parameters() if value.requires_grad])
    with torch.no_grad():
        outputs = [task.y * module(torch.tensor(task.X)).numpy().reshape(-1) for task in tasks]
    return float(np.concatenate(outputs).min())


def test_two_orthogonal_halfplanes() -> None:
    """theta = (2, 4) scales to (1/2) theta = (1, 2): the first constraint is active, with margin 1 along its sample."""
    found = diagnose(nn.Linear(2, 1, bias=False), ORTHOGONAL, [2.0, 4.0])
    assert found.separation.status is SeparationStatus.SCALED and abs(found.separation.factor - 0.5) < EXACT
    np.testing.assert_allclose(found.separation.theta_star, [1.0, 2.0], rtol=EXACT)
    assert found.separation.margins == (2.0, 4.0) and found.groups.degree == 1.0
    margin = found.condition("MFCQ with margin")
    assert margin.verdict is Verdict.HOLDS and abs(margin.numbers["margin at least"] - 1.0) < 1e-9
    assert abs(margin.numbers["paper's r / ||theta*||"] - 5.0**-0.5) < EXACT
    assert found.report is not None and set(found.rates) >= RATES
    assert found.condition("f globally G-Lipschitz, as printed").verdict is Verdict.HOLDS
    assert any("multiply the parameters by 0.5" in sentence for sentence in found.advice)


def test_a_projection_has_both_constraints_active() -> None:
    """(0.5, 1), of least margin 1/2, onto {theta >= 1}: (1, 1), where the margin is 1 / sqrt(2) and kappa sqrt(2)."""
    found = diagnose(nn.Linear(2, 1, bias=False), ORTHOGONAL, [0.2, 0.4], project=True)
    assert found.separation.status is SeparationStatus.PROJECTED
    np.testing.assert_allclose(found.separation.theta_star, [1.0, 1.0], rtol=1e-9)
    assert found.condition("theta solves the tasks after scaling").verdict is Verdict.HOLDS
    assert found.report is not None and found.report.mfcq_best.contains(0.5**0.5, 1e-9)
    assert found.report.kappa.contains(2.0**0.5, 1e-6)


@pytest.mark.parametrize("activation", [nn.ReLU, SquaredReLU])
def test_a_homogeneous_network_is_scaled_to_the_boundary(activation: type[nn.Module]) -> None:
    module, tasks = separated(mlp(activation=activation))
    found = diagnose(module, tasks)
    r = 7.0 if activation is SquaredReLU else 3.0
    assert found.groups.kind is Homogeneity.COMMON and found.groups.degree == r
    assert abs(found.separation.factor - min(found.separation.margins) ** (-1 / r)) < 1e-10 * found.separation.factor
    assert 1.0 <= least_margin(found, module, tasks) < 1.0 + 1e-12
    for name in ("positive homogeneity", "C* nonempty", "MFCQ with margin", "metric regularity of C*"):
        assert found.condition(name).verdict is Verdict.HOLDS, name
    for name in ("f globally G-Lipschitz, as printed", "f globally beta-smooth, as printed"):
        assert found.condition(name).verdict is Verdict.FAILS, name
    assert found.restricted is None


def test_biases_are_scaled_by_their_own_powers() -> None:
    """Quasi-homogeneous: theta* on the boundary, and the slope of every active margin along (w_g theta_g) is d."""
    module, tasks = separated(mlp(bias=True))
    found = diagnose(module, tasks)
    assert found.groups.kind is Homogeneity.QUASI and found.separation.status is SeparationStatus.SCALED
    assert 1.0 <= least_margin(found, module, tasks) < 1.0 + 1e-12
    assert found.condition("positive homogeneity").verdict is Verdict.FAILS
    margin = found.condition("MFCQ with margin")
    assert margin.verdict is Verdict.HOLDS and found.report is None and not found.rates
    weights = np.repeat([g.weight for g in found.groups.groups], [g.size for g in found.groups.groups])
    point = found.separation.theta_star
    direction = weights * point
    assert abs(margin.numbers["margin at least"] - found.groups.degree / np.linalg.norm(direction)) < 1e-9
    outputs = []
    for step in (1e-6, -1e-6):
        vector = torch.from_numpy(point + step * direction)
        torch.nn.utils.vector_to_parameters(vector, module.parameters())
        with torch.no_grad():
            outputs.append([task.y * module(torch.tensor(task.X)).numpy().reshape(-1) for task in tasks])
    slopes = (np.concatenate(outputs[0]) - np.concatenate(outputs[1])) / 2e-6
    middle = (np.concatenate(outputs[0]) + np.concatenate(outputs[1])) / 2
    np.testing.assert_allclose(slopes, found.groups.degree * middle, rtol=QUOTIENT)


def test_a_shortcut_is_diagnosed_with_its_branch_frozen() -> None:
    module, tasks = separated(Shortcut())
    found = diagnose(module, tasks)
    assert found.groups.kind is Homogeneity.PARTIAL and found.groups.fixed == ("inner.weight", "outer.weight")
    assert found.condition("f globally G-Lipschitz, as printed").verdict is Verdict.FAILS  # f grows like ||theta||^2
    assert found.condition("f globally beta-smooth, as printed").verdict is Verdict.UNDECIDED
    inner = found.restricted
    assert inner is not None and inner.groups.kind is Homogeneity.COMMON and inner.groups.degree == 2.0
    assert inner.num_parameters == 16 and inner.report is not None
    assert abs(min(inner.separation.margins) - 1.0) < 1e-10
    assert any("or freeze 'inner.weight', 'outer.weight'" in sentence for sentence in found.advice)


def test_parameters_that_do_not_separate() -> None:
    module, tasks = separated(mlp())
    wrong = [Task(tasks[0].X, -tasks[0].y), tasks[1]]
    found = diagnose(module, wrong)
    assert found.separation.status is SeparationStatus.NOT_SEPARATING and found.separation.theta_star is None
    assert found.condition("theta solves the tasks after scaling").verdict is Verdict.FAILS
    assert found.condition("C* nonempty").verdict is Verdict.UNDECIDED
    assert found.condition("MFCQ with margin").verdict is Verdict.UNDECIDED
    assert found.separation.status.value in found.advice


@pytest.mark.parametrize("project", [False, True])
def test_contradictory_tasks_are_proved_empty(project: bool) -> None:
    X = [[1.0, 2.0, 3.0]]
    found = diagnose(mlp(), [Task(X, [1]), Task(X, [-1])], project=project)
    assert found.separation.status is SeparationStatus.EMPTY
    assert found.condition("C* nonempty").verdict is Verdict.FAILS
    assert found.condition("every C_m nonempty").verdict is not Verdict.FAILS


def test_a_network_without_any_scaling_is_looked_at_as_it_is() -> None:
    def output(w, x):
        return torch.sinh(x @ w)

    module = Function(output).double()
    inside = diagnose(module, [Task([[1.0, 0.0, 0.0]], [1])])  # sinh(1) > 1
    assert inside.separation.status is SeparationStatus.INSIDE and inside.groups.kind is Homogeneity.NONE
    assert inside.condition("C* nonempty").verdict is Verdict.HOLDS
    below = diagnose(module, [Task([[0.5, 0.0, 0.0]], [1])])
    assert below.separation.status is SeparationStatus.BELOW_MARGIN
    assert below.condition("MFCQ with margin").verdict is Verdict.UNDECIDED


def test_regression() -> None:
    """<x, theta> = y: met by theta = (1, 2), missed by (1, 3), and met by the projection of that one, (1, 2)."""
    tasks = [Task([[1.0, 0.0]], [1.0], "regression"), Task([[0.0, 1.0]], [2.0], "regression")]
    module = nn.Linear(2, 1, bias=False)
    fits = diagnose(module, tasks, [1.0, 2.0])
    assert fits.separation.status is SeparationStatus.FITS
    assert all(margin <= 0.0 and str(margin) != "-0.0" for margin in fits.separation.margins)
    assert fits.condition("metric regularity of C*").verdict is Verdict.HOLDS
    assert fits.report is not None and fits.report.least_singular_value.contains(1.0, 1e-9)
    missed = diagnose(module, tasks, [1.0, 3.0])
    assert missed.separation.status is SeparationStatus.NOT_FITTING and missed.separation.margins == (0.0, -1.0)
    projected = diagnose(module, tasks, [1.0, 3.0], project=True)
    assert projected.separation.status is SeparationStatus.PROJECTED
    np.testing.assert_allclose(projected.separation.theta_star, [1.0, 2.0], atol=1e-9)


def test_a_start_is_held_against_the_basin() -> None:
    module = nn.Linear(2, 1, bias=False)
    near = diagnose(module, ORTHOGONAL, [1.0, 1.0], start=[1.0, 1.0])
    assert near.condition("the start lies in the basin").verdict is Verdict.HOLDS
    far = diagnose(module, ORTHOGONAL, [1.0, 1.0], start=[-9.0, 1.0])
    assert far.condition("the start lies in the basin").verdict is Verdict.UNDECIDED
    assert far.condition("the start lies in the basin").numbers["distance to theta*"] == 10.0


def test_models_are_diagnosed_like_modules() -> None:
    """f = <u^2 - v^2, x>: degree 2, smooth with beta = 2 max |x_j|, no global G."""
    task = Task([[1.0, 0.5]], [1])
    found = diagnose(mp.networks.SquaredLinear(2), [task], [1.0, 0.0, 0.0, 0.0])
    assert found.groups.degree == 2.0 and found.report is not None
    smooth = found.condition("f globally beta-smooth, as printed")
    assert smooth.verdict is Verdict.HOLDS and smooth.numbers["constant at most"] == pytest.approx(2.0, rel=1e-8)
    assert found.condition("f globally G-Lipschitz, as printed").verdict is Verdict.FAILS


def test_a_diagnosis_can_be_read_and_stored() -> None:
    module, tasks = separated(Shortcut())
    found = diagnose(module, tasks)
    text = str(found)
    for word in ("DEGREE", "CONDITIONS", "WHAT TO CHANGE", "GROUPS FROZEN", "GRANTED RATES", "FAILS", "HOLDS"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 130
    stored = json.loads(json.dumps(found.to_dict()))
    assert stored["restricted"]["degrees"]["degree"] == 2.0
    assert [each["name"] for each in stored["conditions"]] == [each.name for each in found.conditions]
    assert sum(found.count(verdict) for verdict in Verdict) == len(found.conditions)
    with pytest.raises(KeyError):
        found.condition("no such condition")


def test_progress_is_told_and_the_module_is_left_alone() -> None:
    module, tasks = separated(mlp(bias=True))
    before = [value.clone() for value in module.parameters()]
    told: list[str] = []
    diagnose(module, tasks, progress=told.append)
    assert told[0] == "degrees of homogeneity" and "scaling onto C*" in told
    assert all(torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))


BAD = {
    "no tasks": ({"tasks": []}, "tasks must be"),
    "one task": ({"tasks": ORTHOGONAL[0]}, "a nonempty sequence"),
    "no task": ({"tasks": [1]}, "a margin_projection.Task"),
    "two shapes": ({"tasks": [*ORTHOGONAL, Task([[1.0, 2.0, 3.0]], [1])]}, "one input shape"),
    "two kinds": ({"tasks": [*ORTHOGONAL, Task([[1.0, 2.0]], [1], "regression")]}, "one kind"),
    "tasks that do not fit": ({"tasks": [Task([[1.0, 2.0, 3.0]], [1])]}, "accepts X of shape"),
    "length": ({"theta": [1.0, 2.0, 3.0]}, "theta must be of shape"),
    "nan": ({"theta": [1.0, np.nan]}, "finite"),
    "start": ({"start": [1.0]}, "start must be of shape"),
    "radius 0": ({"radius": 0.0}, "radius must be"),
    "radius too large": ({"theta": [1.0, 1.0], "radius": 3.0}, "the ball does not reach 0"),
    "overflow": ({"module": mp.networks.SquaredLinear(2), "theta": [1e200, 0.0, 0.0, 0.0]}, "every output is finite"),
    "seed": ({"seed": -1}, "seed must be"),
    "draws": ({"draws": -1}, "draws must be"),
    "vector outputs": ({"module": nn.Linear(2, 2, bias=False)}, "one output a sample"),
    "no parameters": ({"module": nn.Flatten()}, "trainable parameters"),
    "no module": ({"module": 3}, "torch.nn.Module"),
    "model without theta": ({"module": mp.networks.Linear(2), "theta": None}, "theta must be given"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    changed, message = BAD[name]
    arguments = {"module": nn.Linear(2, 1, bias=False), "tasks": ORTHOGONAL, "theta": [1.0, 1.0]} | changed
    with pytest.raises(InputError, match=message):
        diagnose(**arguments)


def test_degree_groups_serve_the_diagnosis() -> None:
    module, tasks = separated(mlp(bias=True))
    alone = degree_groups(module, X=np.concatenate([task.X for task in tasks]))
    assert [g.weight for g in diagnose(module, tasks).groups.groups] == [g.weight for g in alone.groups]


def test_projected_points_lie_on_the_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A local solver that stops 1e-7 inside of C* leaves no interior point behind."""
    module = importlib.import_module("margin_projection.diagnosis.diagnose")
    exact = module.project_onto

    def a_little_inside(*arguments: object, **options: object) -> mp.Projection:
        found = exact(*arguments, **options)  # type: ignore[arg-type]
        return replace(found, point=np.array(found.point) * (1.0 + 1e-6))

    monkeypatch.setattr(module, "project_onto", a_little_inside)
    found = diagnose(nn.Linear(2, 1, bias=False), ORTHOGONAL, [0.2, 0.4], project=True)
    assert found.report is not None and abs(found.report.constraint_values.min()) < 1e-15
    assert found.report.state is not PointState.INTERIOR

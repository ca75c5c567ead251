"""The bridge: bounds of docs/bridge.md on random networks, a closed form, and the sequence of tasks."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch

from margin_projection import InputError, Task
from margin_projection.bridge import BridgeSettings, bridge, plot_bridge, run_bridge, run_bridges
from margin_projection.curvature import CurvatureProblem, loss_weighted_gram
from margin_projection.networks import FullyConnected, Linear


def task_of(seed, samples=6, inputs=4):
    rng = np.random.default_rng(seed)
    return Task(rng.standard_normal((samples, inputs)), rng.choice([-1.0, 1.0], samples))


@pytest.mark.parametrize("seed", range(12))
def test_bounds_and_an_independent_margin(seed):
    model, task = FullyConnected((4, 5, 1), "relu"), task_of(seed)
    theta = model.initialize(seed)
    found = bridge(model, theta, task)
    count = len(task.y)
    point = torch.tensor(theta)
    X = torch.tensor(np.array(task.X))
    J = torch.func.jacrev(lambda t: model.forward(t, X))(point).numpy()
    signed = np.array(task.y)[:, None] * J
    lower, upper = found.margin
    assert found.least_singular / np.sqrt(count) <= upper * (1 + 1e-9)
    assert lower <= np.linalg.norm(J.T @ np.array(task.y)) / count * (1 + 1e-9)
    # an independent route: nonnegative least squares for the nearest point of the hull
    weight = 1e3
    system = np.vstack([signed.T, weight * np.ones(count)])
    weights, _ = scipy.optimize.nnls(system, np.append(np.zeros(signed.shape[1]), weight))
    exact = np.linalg.norm(signed.T @ (weights / weights.sum()))
    assert upper == pytest.approx(exact, abs=2e-5)
    assert upper - lower <= 1e-6 * max(upper, 1e-3)


def test_eigenvalues_are_those_of_the_weighted_gram_matrix():
    model, task = FullyConnected((4, 5, 1), "relu"), task_of(3)
    theta = model.initialize(3)
    module = model.to_module(theta)
    data = (torch.tensor(np.array(task.X)), torch.tensor(np.array(task.y)))
    gram = loss_weighted_gram(CurvatureProblem.of(module, torch.nn.MSELoss(), data))
    expected = torch.linalg.eigvalsh(gram).flip(0).numpy() / 2.0  # the mean of (f - y)^2, not of half of it
    np.testing.assert_allclose(bridge(model, theta, task).eigenvalues, expected, atol=1e-12 * expected[0])


def test_two_linear_tasks_in_closed_form():
    """Samples (1, 0) and (3/5, 4/5): sigma = 1, margin 1, cos = 3/5."""
    first, second = Task([[1.0, 0.0]], [1.0]), Task([[0.6, 0.8]], [1.0])
    found = bridge(Linear(2), np.zeros(2), second, previous=first)
    assert found.least_singular == pytest.approx(1.0)
    assert found.margin == pytest.approx((1.0, 1.0))
    assert found.cycle_rate == pytest.approx(0.36)
    assert found.angle == pytest.approx(np.arccos(0.6))


def test_opposite_labels_of_one_sample_have_no_margin():
    found = bridge(Linear(2), np.zeros(2), Task([[1.0, 0.0], [1.0, 0.0]], [1.0, -1.0]))
    assert found.margin[1] == pytest.approx(0.0, abs=1e-9) and found.least_singular == pytest.approx(0.0, abs=1e-9)


def test_a_short_sequence(tmp_path):
    settings = BridgeSettings(num_tasks=3, samples=8, hidden=6, steps=20)
    rows = run_bridges(settings, ["bp", "reset"], [0, 1])
    assert len(rows) == 12 and rows == run_bridges(settings, ["bp", "reset"], [0, 1])
    assert [row["cycle_rate"] is None for row in rows[:3]] == [True, False, False]
    plot_bridge(rows, tmp_path / "bridge.svg")
    assert (tmp_path / "bridge.svg").stat().st_size > 1000


def test_bad_input():
    with pytest.raises(InputError, match="eps"):
        bridge(Linear(2), np.zeros(2), Task([[1.0, 0.0]], [1.0]), eps=0.0)
    with pytest.raises(InputError, match="method"):
        run_bridge(BridgeSettings(num_tasks=1), "magic", 0)
    with pytest.raises(InputError, match="samples"):
        BridgeSettings(samples=0)

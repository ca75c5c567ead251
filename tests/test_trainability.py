"""Trainability of the linearized network, dead units, thresholds: against simulation and definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from margin_projection import InputError
from margin_projection.curvature import (
    CurvatureProblem,
    dead_unit_rank_bound,
    dead_units,
    dormant_units,
    hessian_operator,
    linearized_training,
    persistence_margin,
    readiness,
    trainability_threshold,
)


@pytest.mark.parametrize("seed", range(20))
def test_bounds_of_the_linearized_network_hold_along_gradient_descent(seed):
    rng = np.random.default_rng(seed)
    J, r = rng.standard_normal((6, 4)), rng.standard_normal(6)
    K = J @ J.T / 6
    rate, eps, steps = 1.0 / np.linalg.eigvalsh(K)[-1], float(rng.uniform(0.01, 0.5)), int(rng.integers(0, 30))
    residual = r.copy()
    for _ in range(steps):
        residual = residual - rate * K @ residual
    found = linearized_training(K, r, rate=rate, steps=steps, eps=eps)
    assert found.loss == pytest.approx(residual @ residual / 12, rel=1e-9, abs=1e-14)
    assert found.lower <= found.loss * (1 + 1e-9) + 1e-14 and found.loss <= found.upper * (1 + 1e-9) + 1e-14
    assert found.epsilon_rank == int((np.linalg.eigvalsh(K) > eps).sum())


def test_outside_the_stable_steps_nothing_is_promised():
    found = linearized_training(np.diag([3.0, 0.1]), np.ones(2), rate=1.0, steps=3, eps=2.0)
    assert found.lower == 0.0 and found.upper == np.inf
    with pytest.raises(InputError, match="positive semidefinite"):
        linearized_training(np.diag([-1.0, 1.0]), np.ones(2), rate=0.1, steps=1, eps=0.1)


def test_dead_units_bound_the_rank_of_the_hessian():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    X, y = torch.randn(40, 3, dtype=torch.float64), torch.randint(0, 2, (40,))
    with torch.no_grad():
        net[0].bias[:2] = -50.0
    features = torch.relu(net[0](X)).detach()
    assert dead_units(features).tolist() == [True, True, False, False, False, False]
    assert dormant_units(features, 0.0).tolist() == dead_units(features).tolist()
    operator = hessian_operator(CurvatureProblem.of(net, nn.CrossEntropyLoss(), (X, y)))
    hessian = operator.apply(torch.eye(operator.size, dtype=torch.float64))
    bound = dead_unit_rank_bound(operator.size, 2, fan_in=3, fan_out=2)
    assert bound == 38 - 12
    assert int(torch.linalg.matrix_rank(hessian, hermitian=True)) <= bound


def test_persistence_margin_is_sharp():
    w, b, X = np.array([3.0, 4.0]), -10.0, np.array([[0.0, 0.0], [1.0, 0.0]])
    margin = persistence_margin(w, b, X)
    assert margin == pytest.approx(7.0 / 5.0)
    worst = X[1] + margin * w / 5.0  # the nearest point at which the unit is not strictly inactive
    assert w @ worst + b == pytest.approx(0.0, abs=1e-12)
    assert persistence_margin(np.zeros(2), -1.0, X) == np.inf and persistence_margin(w, 1.0, X) < 0


def test_thresholds_of_separable_and_of_useless_measurements():
    rng = np.random.default_rng(0)
    good = rng.random(200) < 0.5
    separable = trainability_threshold(np.where(good, 1.0, 0.0) + 0.1 * rng.random(200), good)
    assert separable.area == 1.0 and 0.1 < separable.threshold <= 1.1
    assert separable.sensitivity == separable.specificity == 1.0
    useless = trainability_threshold(rng.random(200), good)
    assert useless.area_interval[0] < 0.5 < useless.area_interval[1]
    with pytest.raises(InputError, match="successes and failures"):
        trainability_threshold(np.ones(3), np.ones(3, dtype=bool))


def test_readiness_of_equal_and_of_opposite_minibatches():
    net, X = nn.Linear(2, 1).double(), torch.randn(8, 2, dtype=torch.float64)
    with torch.no_grad():
        net.weight.zero_(), net.bias.zero_()
    twice = CurvatureProblem.of(net, nn.MSELoss(), (torch.cat([X, X]), torch.ones(16, 1)))
    assert readiness(twice, batch_size=8).agreement == pytest.approx(1.0)
    signs = torch.cat([torch.ones(8, 1), -torch.ones(8, 1)])
    opposite = CurvatureProblem.of(net, nn.MSELoss(), (torch.cat([X, X]), signs))
    assert readiness(opposite, batch_size=8).agreement == pytest.approx(0.0, abs=1e-12)

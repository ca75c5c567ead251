"""Spectra, epsilon-ranks and Gram matrices against dense linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from margin_projection import InputError, curvature
from margin_projection.curvature import (
    CurvatureProblem,
    approximate_rank,
    effective_rank,
    epsilon_rank,
    extreme_eigenvalues,
    ggn_operator,
    hessian_operator,
    loss_weighted_gram,
    matrix_operator,
    smoothed_epsilon_rank,
    spectral_measure,
    stable_rank,
)

SAMPLES = 24
NETWORKS = {
    "relu, cross-entropy": (
        lambda: nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4)), nn.CrossEntropyLoss(), (6,), 4
    ),
    "layer norm": (
        lambda: nn.Sequential(nn.Linear(6, 9), nn.LayerNorm(9), nn.Tanh(), nn.Linear(9, 3)),
        nn.CrossEntropyLoss(), (6,), 3,
    ),
    "group norm, convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 2)
        ), nn.MSELoss(), (1, 4, 4), 2,
    ),
    "logistic, one output": (
        lambda: nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0)),
        nn.BCEWithLogitsLoss(), (6,), 0,
    ),
}  # fmt: skip


@pytest.fixture(params=NETWORKS, ids=list(NETWORKS))
def problem(request: pytest.FixtureRequest) -> CurvatureProblem:
    torch.manual_seed(0)
    build, loss, shape, classes = NETWORKS[request.param]
    X = torch.randn(SAMPLES, *shape)
    if isinstance(loss, nn.CrossEntropyLoss):
        y = torch.randint(0, classes, (SAMPLES,))
    else:
        y = torch.rand(SAMPLES, classes).round() if classes else torch.rand(SAMPLES).round()
    return CurvatureProblem.of(build(), loss, [(X[:10], y[:10]), (X[10:], y[10:])])


def dense(operator) -> torch.Tensor:
    return operator.apply(torch.eye(operator.size, dtype=operator.dtype))


def by_double_backward(problem: CurvatureProblem) -> torch.Tensor:
    """The Hessian row by row, without vectorization."""
    X, y = (torch.cat(parts) for parts in zip(*problem.batches, strict=True))
    gradients = torch.autograd.grad(problem.loss(problem.module(X), y), problem.parameters, create_graph=True)
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    rows = [torch.autograd.grad(entry, problem.parameters, retain_graph=True) for entry in flat]
    return torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows])


def random_symmetric(rng: np.random.Generator, eigenvalues: np.ndarray) -> torch.Tensor:
    basis, _ = np.linalg.qr(rng.standard_normal((eigenvalues.size,) * 2))
    matrix = torch.as_tensor((basis * eigenvalues) @ basis.T)
    return (matrix + matrix.T) / 2.0


def test_hessian_is_that_of_double_backward(problem):
    expected = by_double_backward(problem)
    assert torch.allclose(dense(hessian_operator(problem)), expected, atol=1e-12 * float(expected.abs().max()))


def test_gram_has_the_spectrum_of_the_ggn(problem):
    gram, ggn = loss_weighted_gram(problem), dense(ggn_operator(problem))
    ours, theirs = (torch.linalg.eigvalsh(matrix).flip(0) for matrix in (gram, ggn))
    common = min(len(ours), len(theirs))
    assert float((ours[:common] - theirs[:common]).abs().max() / theirs[0]) < 1e-10
    rest = torch.cat([ours[common:], theirs[common:]])
    assert not len(rest) or float(rest.abs().max() / theirs[0]) < 1e-10


def test_moments_are_those_of_the_dense_matrix(problem):
    operator = hessian_operator(problem)
    eigenvalues = torch.linalg.eigvalsh(dense(operator)).numpy()
    estimates, errors = spectral_measure(operator, order=40, probes=60, seed=1).moments(5)
    exact = np.array([np.mean(eigenvalues**power) for power in range(5)])
    assert (np.abs(estimates - exact) <= 4.5 * errors + 1e-12).all()


def test_quadrature_is_exact_for_its_own_probe():
    rng = np.random.default_rng(3)
    matrix = random_symmetric(rng, rng.standard_normal(40))
    measure = spectral_measure(matrix_operator(matrix), order=8, probes=2, seed=5)
    starts = torch.randn(40, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    for probe in range(2):
        unit = starts[:, probe] / starts[:, probe].norm()
        for power in range(16):  # degree 2 m - 1
            exact = float(unit @ torch.linalg.matrix_power(matrix, power) @ unit)
            assert measure.weights[probe] @ measure.nodes[probe] ** power == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_mass_bounds_hold_at_every_point():
    rng = np.random.default_rng(4)
    values = np.concatenate([np.zeros(10), rng.standard_normal(30)])
    matrix = random_symmetric(rng, values)
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    starts = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shares = (vectors.T @ (starts / starts.norm(dim=0))).square().numpy()
    measure = spectral_measure(matrix_operator(matrix), order=9, probes=3, seed=0)
    for point in np.linspace(-3.0, 3.0, 61):
        low, high = measure.mass_bounds(point)
        exact = shares[eigenvalues.numpy() < point].sum(0)
        assert (low <= exact + 1e-10).all() and (exact <= high + 1e-10).all()


def test_epsilon_rank_is_inside_its_interval():
    """At least 93 % of 200 cases (the interval is made for 95 %, conservatively)."""
    rng, inside = np.random.default_rng(0), 0
    for case in range(200):
        size = int(rng.integers(20, 120))
        rank = int(rng.integers(0, size + 1))
        values = np.concatenate([np.zeros(size - rank), rng.standard_normal(rank) * 10.0 ** rng.integers(-3, 1)])
        operator = matrix_operator(random_symmetric(rng, values))
        measure = spectral_measure(operator, order=int(rng.integers(3, 40)), probes=int(rng.integers(1, 8)), seed=case)
        found = epsilon_rank(measure, 0.01)
        inside += found.lower <= int((np.abs(values) > 0.01).sum()) <= found.upper
    assert inside >= 186


def test_more_work_narrows_the_interval():
    rng = np.random.default_rng(1)
    operator = matrix_operator(random_symmetric(rng, np.concatenate([np.zeros(60), rng.uniform(1.0, 2.0, 40)])))
    widths = []
    for probes in (1, 10, 100):
        found = epsilon_rank(spectral_measure(operator, order=30, probes=probes), 0.5)
        widths.append(found.upper - found.lower)
        assert found.resolution < 1e-6
    assert widths[0] > widths[1] > widths[2] and widths[2] <= 5  # of 100


def test_smoothing_alone_moves_the_published_statistic():
    """All eigenvalues but one are 0; only the largest one changes, and the true epsilon-rank does not."""
    shares = []
    for largest in (1.0, 10.0, 100.0, 1000.0):
        values = np.zeros(200)
        values[0] = largest
        measure = spectral_measure(matrix_operator(torch.diag(torch.as_tensor(values))), order=3, probes=4)
        smoothed = smoothed_epsilon_rank(measure, 0.01)
        assert epsilon_rank(measure, 0.01).lower <= 1 <= epsilon_rank(measure, 0.01).upper
        assert smoothed.leak == pytest.approx(math.erfc(0.01 / (smoothed.width * math.sqrt(2.0))))
        shares.append(smoothed.share)
    assert shares[0] < 0.05 and shares[1] > 0.2 and shares[2] > 0.7
    assert smoothed.spacing > 0.01 and shares[3] < smoothed.leak - 0.2  # the grid misses the peak


def test_extreme_eigenvalues(problem):
    operator = hessian_operator(problem)
    found, exact = extreme_eigenvalues(operator), torch.linalg.eigvalsh(dense(operator))
    scale = float(exact.abs().max())
    assert abs(found.smallest[0] - float(exact[0])) <= 1e-6 * scale
    assert abs(found.largest[0] - float(exact[-1])) <= 1e-6 * scale


def test_ranks_of_known_matrices():
    assert float(effective_rank(torch.eye(5))) == pytest.approx(5.0)
    assert float(effective_rank(torch.zeros(3, 4))) == 0.0
    assert float(stable_rank(torch.diag(torch.tensor([2.0, 1.0, 1.0])))) == pytest.approx(1.5)
    assert approximate_rank(torch.diag(torch.tensor([98.0, 1.0, 0.5, 0.5]))) == 2
    assert approximate_rank(torch.zeros(2, 2)) == 0


def test_bad_input_is_refused():
    net, X, y = nn.Linear(3, 2), torch.randn(4, 3), torch.tensor([0, 1, 0, 1])
    frozen = nn.Linear(3, 2).requires_grad_(False)
    for module, loss, data, said in (
        (frozen, nn.CrossEntropyLoss(), (X, y), "ask for gradients"),
        (net, nn.CrossEntropyLoss(), (X * torch.inf, y), "finite"),
        (net, nn.CrossEntropyLoss(reduction="sum"), (X, y), "mean"),
        (net, nn.CrossEntropyLoss(weight=torch.ones(2)), (X, y), "loss.weight"),
        (net, nn.CrossEntropyLoss(), [], "at least one sample"),
        (net, nn.CrossEntropyLoss(), (X, y[:2]), "as many inputs as targets"),
    ):
        with pytest.raises(InputError, match=said):
            CurvatureProblem.of(module, loss, data)
    measure = spectral_measure(matrix_operator(torch.eye(4, dtype=torch.float64)), order=2, probes=1)
    for eps in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="eps"):
            epsilon_rank(measure, eps)
    with pytest.raises(InputError, match="symmetric"):
        matrix_operator(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    with pytest.raises(InputError, match="order"):
        spectral_measure(matrix_operator(torch.eye(4)), order=0)


def test_kronecker_blocks_are_exact_for_one_sample():
    """The eigenvalues of a layer's dense GGN block; several samples: the trace of each block at least."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    X, y = torch.randn(1, 3, dtype=torch.float64), torch.tensor([2])
    problem = curvature.CurvatureProblem.of(module, nn.CrossEntropyLoss(), (X, y))
    dense = curvature.ggn_operator(problem).apply(torch.eye(problem.num_parameters, dtype=torch.float64))
    first, second = curvature.kronecker_blocks(problem)
    assert (first.layer, second.layer) == ("0", "2")
    for block, part in ((first, dense[:16, :16]), (second, dense[16:, 16:])):
        torch.testing.assert_close(block.eigenvalues(), torch.linalg.eigvalsh(part).flip(0), atol=1e-12, rtol=0.0)
        product = torch.kron(block.S, block.A)
        assert block.effective_rank() == pytest.approx(float(curvature.effective_rank(product)), rel=1e-9)


def test_kronecker_blocks_refuse_other_layers():
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).double()
    data = (torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1]))
    with pytest.raises(InputError, match="linear or convolutional"):
        curvature.kronecker_blocks(curvature.CurvatureProblem.of(module, nn.CrossEntropyLoss(), data))

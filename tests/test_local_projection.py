"""The general solver against closed forms, global solvers, peers, and conditions recomputed by differentiation."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear, minimize

import margin_projection as mp
from margin_projection.projections.newton import solve_locally
from margin_projection.projections.problem import ProjectionProblem, without_point
from margin_projection.projections.result import Counts
from margin_projection.projections.verification import infeasibility_holds

KKT = 1e-9
SAME_DISTANCE = 1e-7
DIGITS = mp.tasks.digits(((0, 1),), 40, 0)[0]
REGRESSION = mp.tasks.digits(((0, 1),), 16, 0, "regression")[0]
SMOOTH = [((64, 20, 1), "squared_relu"), ((64, 8, 1), "relu^3"), ((64, 8, 8, 1), "identity"), ((64, 6, 1), "power^2")]
KINKED = [((64, 16, 1), "relu"), ((64, 16, 12, 1), "relu"), ((64, 10, 8, 8, 1), "leaky_relu")]


def jacobian(model, theta, X):
    return torch.func.jacrev(model.forward)(torch.tensor(theta), torch.tensor(X)).numpy()


def least_clarke_residual(model, point, start, task):
    """The least ||point - start - sum_i lambda_i g_i|| over multipliers and Clarke gradients of one hidden layer.

    For sample i with kinks K on it the generalized gradients are g_i + sum_k a_k coefficient_k dz_k, a_k in [0, 1];
    with nu_k = lambda_i a_k this is a linear least-squares problem with bounds, solved for the given set of kinks.
    """
    hidden, outer = (weight.numpy() for weight in model.weights(torch.as_tensor(point)))
    z = task.X @ hidden.T
    outputs = np.where(z > 1e-8, z, 0.0) @ outer[0]
    carried = np.flatnonzero(task.y * outputs - 1 < 1e-7)
    columns, bounds = [], []
    for i in carried:
        firm = (z[i] > 1e-8).astype(float)
        gradient = np.concatenate([np.outer(outer[0] * firm, task.X[i]).ravel(), firm * z[i]])
        columns.append(task.y[i] * gradient)
        bounds.append((0.0, np.inf))
        for j in np.flatnonzero((np.abs(z[i]) <= 1e-8) & (task.y[i] * outer[0] < 0)):
            kink = np.zeros_like(gradient)
            kink[j * 64 : (j + 1) * 64] = task.y[i] * outer[0, j] * task.X[i]
            columns.append(kink)
            bounds.append((0.0, np.inf))
    low, high = zip(*bounds, strict=True)
    solution = lsq_linear(np.array(columns).T, point - start, (low, high), tol=1e-14)
    return np.linalg.norm(np.array(columns).T @ solution.x - (point - start))


@pytest.mark.parametrize(("widths", "activation"), SMOOTH)
def test_smooth_models_meet_the_kkt_conditions(widths, activation):
    model = mp.networks.FullyConnected(widths, activation)
    start = model.initialize(1, "he", 0.5)
    result = mp.project(start, mp.MarginSet(model, DIGITS), starts=1)
    assert result.status is mp.Status.LOCAL and result.certificate.verified
    outputs, gradients = model(result.point, DIGITS.X), jacobian(model, result.point, DIGITS.X)
    slack = DIGITS.y * outputs - 1
    assert slack.min() >= -KKT and result.multipliers.min() >= -KKT
    assert np.abs(result.multipliers * slack).max() <= KKT
    stationarity = result.point - start - (DIGITS.y * result.multipliers) @ gradients
    assert np.linalg.norm(stationarity) <= KKT
    assert result.certificate.lower_bound <= result.distance


@pytest.mark.parametrize(("widths", "activation"), SMOOTH[1:])
def test_convergence_is_quadratic_on_smooth_models(widths, activation):
    model = mp.networks.FullyConnected(widths, activation)
    start = torch.as_tensor(model.initialize(3, "he", 0.5))
    run = solve_locally(mp.MarginSet(model, DIGITS), start, start, 1e-11, 200)
    errors = [max(violation, stationarity) for violation, stationarity, _ in run.history]
    late = [(before, after) for before, after in pairwise(errors) if 1e-5 < before < 3e-3]
    assert late and all(after <= 300.0 * before**2 for before, after in late)


@pytest.mark.parametrize(("widths", "activation"), KINKED)
@pytest.mark.parametrize("task", [DIGITS, REGRESSION], ids=["classification", "regression"])
def test_kinked_models_end_at_clarke_stationary_points(widths, activation, task):
    model = mp.networks.FullyConnected(widths, activation)
    start = model.initialize(2, "he", 0.5)
    result = mp.project(start, mp.MarginSet(model, task), starts=1)
    assert result.status in (mp.Status.LOCAL, mp.Status.STATIONARY) and result.certificate.verified
    assert max(result.residuals.feasibility, result.residuals.stationarity) <= 1e-8
    assert result.certificate.evidence["stuck_kinks"] > 0


@pytest.mark.parametrize("seed", range(4))
def test_kinked_stationarity_holds_by_an_independent_least_squares_fit(seed):
    model = mp.networks.FullyConnected((64, 16, 1), "relu")
    start = model.initialize(seed, "he", 0.5)
    result = mp.project(start, mp.MarginSet(model, DIGITS), starts=1)
    assert least_clarke_residual(model, result.point, start, DIGITS) <= 1e-7


@pytest.mark.parametrize("seed", range(3))
def test_no_nearby_feasible_point_of_a_kinked_model_is_closer(seed):
    """Random directions, made feasible by scaling theta up (homogeneity), never come nearer to the start."""
    model = mp.networks.FullyConnected((64, 8, 1), "relu")
    start = model.initialize(seed, "he", 0.5)
    system = mp.MarginSet(model, DIGITS)
    result = mp.project(start, system, starts=1)
    generator = np.random.default_rng(seed)
    for size in (1e-2, 1e-4):
        steps = size * generator.standard_normal((200, model.num_parameters)) / np.sqrt(model.num_parameters)
        margins = (DIGITS.y * model(result.point + steps, DIGITS.X)).min(1)
        scales = np.maximum(1.0, 1.0 / margins) ** (1.0 / model.degree)
        points = scales[:, None] * (result.point + steps)
        assert (np.linalg.norm(points - start, axis=1) >= result.distance - 1e-12).all()


def test_distances_are_on_average_no_worse_than_slsqp():
    model, gaps = mp.networks.FullyConnected((64, 4, 1), "squared_relu"), []
    task = mp.tasks.digits(((0, 1),), 16, 1)[0]
    system = mp.MarginSet(model, task)
    for seed in range(4):
        start = model.initialize(seed, "he", 0.5)
        peer = minimize(
            lambda theta, start=start: 0.5 * ((theta - start) ** 2).sum(),
            start,
            jac=lambda theta, start=start: theta - start,
            constraints={
                "type": "ineq",
                "fun": lambda theta: task.y * model(theta, task.X) - 1,
                "jac": lambda theta: task.y[:, None] * jacobian(model, theta, task.X),
            },
            options={"maxiter": 200, "ftol": 1e-12},
        )
        ours = mp.project(start, system)
        if not peer.success:
            continue
        gaps.append(ours.distance - np.linalg.norm(peer.x - start))
        assert ours.certificate.lower_bound <= np.linalg.norm(peer.x - start) + 1e-9
    assert len(gaps) >= 2 and np.mean(gaps) <= SAME_DISTANCE


@pytest.mark.parametrize("seed", range(6))
def test_the_local_solver_agrees_with_global_ones(seed):
    generator = np.random.default_rng(seed)
    linear = mp.networks.Linear(5)
    task = mp.Task(generator.standard_normal((4, 5)), np.sign(generator.standard_normal(4)))
    start = generator.standard_normal(5)
    exact, local = (mp.project(start, mp.MarginSet(linear, task), method=each) for each in ("auto", "local"))
    assert np.allclose(exact.point, local.point, atol=1e-9) and local.status is mp.Status.LOCAL
    squared = mp.networks.SquaredLinear(3)
    tasks, _ = mp.tasks.teacher_tasks(squared, 2, 3, seed)
    sets = [mp.MarginSet(squared, each) for each in tasks]
    start = generator.standard_normal(6)
    exact, local = (mp.project(start, sets, method=each) for each in ("auto", "local"))
    assert local.distance >= exact.certificate.lower_bound - 1e-9
    assert local.distance <= exact.distance * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_piecewise_linear_models_are_never_nearer_than_the_global_minimum(seed):
    generator = np.random.default_rng(100 + seed)
    model = mp.networks.SimplifiedReLU(3, dimension=2, output_signs=(1, 1, -1))
    task = mp.Task(generator.standard_normal((4, 2)), [1, 1, 1, -1])
    start = 0.3 * generator.standard_normal(6)
    exact = mp.project(start, mp.MarginSet(model, task), throw=False)
    local = mp.project(start, mp.MarginSet(model, task), method="local", starts=8, throw=False)
    if exact.status is mp.Status.GLOBAL and local.status.is_success:
        assert local.distance >= exact.certificate.lower_bound - 1e-9


def test_a_saddle_point_is_left():
    """f = v w x with x = 1 from (t, t): both coordinates equal is the minimizer; from (t, -t) symmetry must break."""
    model = mp.networks.FullyConnected((1, 1, 1), "identity")
    task = mp.Task([[1.0]], [1])
    for start, expected in (([0.5, 0.5], np.sqrt(0.5)), ([1.0, -1.0], None)):
        target = mp.MarginSet(model, task)
        exact, local = (mp.project(np.array(start), target, method=each) for each in ("auto", "local"))
        assert local.distance == pytest.approx(exact.distance, rel=1e-9)
        assert expected is None or local.distance == pytest.approx(expected, rel=1e-9)


def test_the_zero_start_of_algorithm_2_is_left_although_every_gradient_vanishes_there():
    model = mp.networks.FullyConnected((2, 3, 1), "relu")
    task = mp.Task([[1.0, 0.0], [0.0, 1.0]], [1, -1])
    result = mp.project(np.zeros(model.num_parameters), mp.MarginSet(model, task), starts=6)
    assert result.status.is_success
    assert result.distance == pytest.approx(2.0, rel=1e-8)  # two units (w, v) with |w| = |v| = 1, one a sample


def test_an_unreachable_label_is_reported_as_not_found_with_its_violation():
    model = mp.networks.FullyConnected((2, 3, 1), "power^2")
    task = mp.Task([[1.0, 0.0], [-1.0, 0.0]], [1, -1])  # f is even in x
    start = model.initialize(0)
    with pytest.raises(mp.ProjectionError) as error:
        mp.project(start, mp.MarginSet(model, task), starts=2, max_steps=60)
    projection = error.value.projection
    assert projection.status in (mp.Status.NOT_FOUND, mp.Status.STEP_LIMIT)
    assert projection.residuals.feasibility >= 1.0 - 1e-9  # f >= 1 and -f >= 1: one is violated by 1 or more
    assert projection.certificate.kind.name == "NONE"


def test_torch_starts_keep_their_container_and_feasible_starts_stay():
    model = mp.networks.FullyConnected((64, 6, 1), "squared_relu")
    system = mp.MarginSet(model, DIGITS)
    result = mp.project(torch.as_tensor(model.initialize(0)), system, starts=1)
    assert isinstance(result.point, torch.Tensor) and isinstance(result.multipliers, torch.Tensor)
    inside = 1.01 * result.point
    again = mp.project(inside, system)
    assert torch.equal(again.point, inside) and again.distance == 0.0 and again.status is mp.Status.GLOBAL


def test_the_same_seed_gives_the_same_projection():
    model = mp.networks.FullyConnected((64, 8, 1), "relu")
    first, second = (mp.project(model.initialize(5), mp.MarginSet(model, DIGITS), starts=3, seed=4) for _ in range(2))
    assert np.array_equal(first.point, second.point) and first.counts == second.counts


def test_duplicated_samples_change_nothing():
    model = mp.networks.FullyConnected((64, 8, 1), "relu")
    start = model.initialize(1, "he", 0.5)
    doubled = mp.Task(np.concatenate([DIGITS.X, DIGITS.X]), np.concatenate([DIGITS.y, DIGITS.y]))
    once, twice = (mp.project(start, mp.MarginSet(model, task), starts=1) for task in (DIGITS, doubled))
    assert np.array_equal(twice.point, once.point)
    assert np.array_equal(twice.multipliers, np.concatenate([once.multipliers, np.zeros(40)]))


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_contradictory_samples_prove_the_set_empty(kind):
    model = mp.networks.FullyConnected((2, 3, 1), "relu")
    task = mp.Task([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0]], [1, 1, -1], kind)
    projection = mp.project(model.initialize(0), mp.MarginSet(model, task), throw=False)
    assert projection.status is mp.Status.INFEASIBLE and projection.certificate.lower_bound == np.inf
    assert sorted(projection.certificate.evidence["samples"]) == [0, 2]
    zero = mp.Task([[1.0, 2.0], [0.0, 0.0]], [1, -1], kind)
    projection = mp.project(model.initialize(0), mp.MarginSet(model, zero), throw=False)
    assert projection.status is mp.Status.INFEASIBLE and projection.certificate.evidence["samples"] == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be"),
        ({"starts": 0}, "starts must be"),
        ({"seed": -1}, "seed must be"),
        ({"method": "magic"}, "method must be one of"),
        ({"max_steps": 1.5}, "max_steps must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    model = mp.networks.Linear(2)
    with pytest.raises(mp.InputError, match=message):
        mp.project([0.0, 0.0], mp.MarginSet(model, mp.Task([[1.0, 0.0]], [1])), **arguments)


def test_bad_starts_and_sets_are_named():
    model = mp.networks.Linear(2)
    system = mp.MarginSet(model, mp.Task([[1.0, 0.0]], [1]))
    for start, message in (([0.0], "theta must be of shape"), ([0.0, np.nan], "theta must be finite")):
        with pytest.raises(mp.InputError, match=message):
            mp.project(start, system)
    with pytest.raises(mp.InputError, match="sets must be"):
        mp.project([0.0, 0.0], "sets")
    with pytest.raises(mp.InputError, match="one and the same model"):
        mp.project([0.0, 0.0], [system, mp.MarginSet(mp.networks.Linear(2), system.task)])


class MaximumDifference(torch.nn.Module):
    """max_j a_j x - max_j c_j x: breaks that no linearization lists."""

    def __init__(self):
        super().__init__()
        self.a, self.c = (torch.nn.Linear(1, 2, bias=False) for _ in range(2))

    def forward(self, x):
        return self.a(x).amax(1) - self.c(x).amax(1)


@pytest.mark.parametrize(
    ("model", "sample", "start"),
    [
        (
            mp.networks.FullyConnected((2, 2, 1), "relu"),
            [-2.711250706492828, -0.7868706205445375],
            [0, 0, 0.12202848342415323, -0.9474591586387305, 0, -0.3842631103856891],
        ),
        (mp.networks.FullyConnected((1, 2, 1), "squared_relu"), [1.0], [0.5, 0, 0.5, 10]),
        (mp.networks.from_module(MaximumDifference(), (1,)), [1.0], [0, 0, 0, 0]),
    ],
    ids=["dead unit", "jumping second derivative", "maximum"],
)
def test_a_stationary_point_where_smoothness_breaks_is_not_called_a_local_minimizer(model, sample, start):
    """In each case points nearer to the start exist in every neighbourhood of the point found."""
    result = mp.project(np.array(start, dtype=float), mp.MarginSet(model, mp.Task([sample], [1])), starts=1)
    assert result.status is mp.Status.STATIONARY


def test_multipliers_of_dependent_quadratic_constraints_explain_the_point():
    model, generator = mp.networks.FullyConnected((3, 2, 1), "identity"), np.random.default_rng(0)
    for _ in range(10):
        X = generator.standard_normal((3, 3))
        X[:, 2] = 0.0
        task = mp.Task(X, X @ [1.0, -0.5, 0.0], "regression")
        result = mp.project(np.zeros(8), mp.MarginSet(model, task), throw=False)
        if result.status is mp.Status.GLOBAL:
            assert result.residuals.stationarity <= 1e-6


@pytest.mark.parametrize("forged", [{"samples": [0, 1]}, {"samples": [0]}, {"farkas": ["1", "1", "0", "0"]}])
def test_a_forged_proof_of_emptiness_is_refused(forged):
    system = mp.MarginSet(mp.networks.SquaredLinear(1), mp.Task([[1.0], [2.0]], [1, 1]))
    problem = ProjectionProblem(torch.zeros(2, dtype=torch.float64), system)
    claim = without_point(problem, problem.start, "forged", proof="forged", evidence=forged, counts=Counts())
    assert claim.status is mp.Status.INFEASIBLE and not infeasibility_holds(problem, claim)


def test_proofs_of_emptiness_of_quadratic_models_pass_the_second_check():
    for model in (mp.networks.SquaredLinear(1), mp.networks.FullyConnected((1, 2, 1), "identity")):
        system = mp.MarginSet(model, mp.Task([[1.0], [1.0], [2.0]], [1, -1, 1]))
        result = mp.project(model.initialize(0), system, throw=False)
        assert result.status is mp.Status.INFEASIBLE and result.certificate.verified


class _PowerThreeHalves(torch.nn.Module):
    """f = <x, |w|^{3/2}>: no second derivative where a weight is 0."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, x):
        return (x * self.w.abs() ** 1.5).sum(-1)


def test_infinite_second_derivatives_leave_the_second_order_condition_open():
    model = mp.networks.from_module(_PowerThreeHalves(), (2,))
    result = mp.project([0.5, 0.0], mp.MarginSet(model, mp.Task([[1.0, 0.0]], [1])), starts=1)
    assert result.status is mp.Status.STATIONARY and abs(result.point[0] - 1.0) < 1e-9

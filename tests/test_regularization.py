"""Algorithm 1 in the limit, against closed forms, scalar equations and brute force."""

import math

import numpy as np
import pytest
import torch
from mpmath import exp, fdot, findroot, log, mpf, workdps
from scipy.optimize import brentq, minimize

from margin_projection import InputError, MarginSet, ProjectionError, Task, project, sequential_projections
from margin_projection.networks import FullyConnected, Linear, SimplifiedReLU, SquaredLinear
from margin_projection.regularization import RegularizedPath, RegularizedPathError, plot_path, regularized_path, step
from margin_projection.regularization.losses import scaled_loss
from margin_projection.tasks import catastrophic_pair, figure1, teacher_tasks

EPS = 0.005
B = 1.0 - EPS
CLOSED = 1e-13  # against closed forms
SCALAR = 1e-11  # against a bracketed root
THREE_DIGITS = 1e-3
LOWER = 1e-6  # by how much brute force may be lower, relative
GRID = np.geomspace(1.0, 1e6, 15)
FAR = np.geomspace(50.0, 1e6, 14)


def remainder(path: RegularizedPath, step_: int = 0) -> np.ndarray:
    """||iterate - limit - expansion|| at each s."""
    return np.linalg.norm(path.points[step_] - path.limits[step_] - path.predicted_errors()[step_], axis=1)


# -- losses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["logistic", "exponential"])
@pytest.mark.parametrize("s", [0.5, 3.0, 40.0])
@pytest.mark.parametrize("degree", [1.0, 2.0, 3.0])
def test_losses_agree_with_their_definition(name, s, degree):
    slack = torch.linspace(-1.4, 1.4, 8, dtype=torch.float64)
    loss, z = scaled_loss(name, s, degree, 4), s * (1.0 + slack.numpy())
    value, slope = (np.exp(-z), -np.exp(-z)) if name == "exponential" else (np.log1p(np.exp(-z)), -1 / (1 + np.exp(z)))
    dual = loss.from_slack(slack)
    scale = math.exp(s) * s ** (-2.0 / degree) / 4
    assert np.allclose(loss.multipliers(dual).numpy(), -scale * s * slope / 2, rtol=1e-12)
    assert np.allclose(float(loss.penalty(slack)), scale * value.sum(), rtol=1e-12)
    assert np.allclose(loss.level(dual).numpy(), slack.numpy(), atol=1e-9 if name == "logistic" else 1e-12)
    tangents = loss.conjugate(dual, torch.ones(8, dtype=torch.float64)).numpy()
    multipliers = loss.multipliers(dual).numpy()
    lines = tangents[:, None] - 2 * multipliers[:, None] * (1 + slack.numpy()[None])
    assert (lines <= scale * value[None] * (1 + 1e-9) + 1e-9 * multipliers[:, None]).all()
    assert np.allclose(np.diagonal(lines), scale * value, rtol=1e-6)


@pytest.mark.parametrize("name", ["logistic", "exponential"])
def test_nothing_overflows_at_large_s(name):
    loss = scaled_loss(name, 1e8, 3.0, 7)
    dual = torch.tensor([0.0, -1e7, 3.0], dtype=torch.float64)
    assert torch.isfinite(loss.level(dual)).all() and torch.isfinite(loss.stiffness(dual)).all()
    assert torch.allclose(loss.from_slack(loss.level(dual)), dual, atol=1e-6, rtol=1e-6)


# -- Theorem 5's first step, one-dimensional ---------------------------------------------------------------------------


def test_first_step_of_theorem_5_has_its_closed_form():
    grid = np.geomspace(1.0, 1e8, 25)
    path = regularized_path(SquaredLinear(2), catastrophic_pair(EPS), "cyclic", grid, num_steps=1, loss="exponential")
    expected = np.sqrt((1.0 + math.log(B) / grid) / B)
    assert np.abs(np.abs(path.points[0, :, 1]) - expected).max() <= CLOSED
    assert np.abs(path.points[0][:, [0, 2, 3]]).max() <= CLOSED
    assert np.abs(path.multipliers[0, :, 0] - 1.0 / (2.0 * B)).max() <= 1e-7  # conditioned like 1/s at s = 1e8
    assert (path.statuses == "GLOBAL").all() and path.gaps.max() <= 1e-10
    assert path.minimizer_counts[0] == 2 and (path.branches == 0).all()


def test_error_times_s_tends_to_the_expansions_constant():
    path = regularized_path(SquaredLinear(2), catastrophic_pair(EPS), num_steps=1)
    constant = math.log(B) / (2.0 * math.sqrt(B))
    s = path.log_inverse_lambda
    scaled = path.distances[0] * s
    assert abs(path.betas[0, 1]) == pytest.approx(-constant, rel=1e-10)
    assert np.abs(scaled[s >= 100] / -constant - 1.0).max() <= THREE_DIGITS
    assert path.orders[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert path.orders[0, 1] <= 1.0 <= path.orders[0, 2]
    for s_value, point in zip(s, path.points[0], strict=True):  # logistic: b y^2 - 1 = log(b (1 - q)) / s
        share = math.exp(-s_value) / B
        assert abs(abs(point[1]) - math.sqrt((1 + (math.log(B) + math.log1p(-share)) / s_value) / B)) <= SCALAR


def test_lemma_14_is_exact_in_regression():
    grid = np.array([1.0, 3.0, 10.0, 20.0, 40.0, 1e3, 1e6])
    path = regularized_path(SquaredLinear(2), catastrophic_pair(EPS, "regression"), "cyclic", grid, num_steps=1)
    expected = np.sqrt((1.0 - np.exp(-grid) / (2.0 * B)) / B)
    assert np.abs(np.abs(path.points[0, :, 1]) - expected).max() <= CLOSED
    assert (path.statuses == "GLOBAL").all()
    assert abs(path.gammas[0, 1]) == pytest.approx(0.25 * B**-1.5, rel=1e-10)


def test_every_step_of_theorem_5_follows_the_recursion():
    path = regularized_path(SquaredLinear(2), catastrophic_pair(EPS), "cyclic", FAR, num_steps=4)
    run = sequential_projections(SquaredLinear(2), catastrophic_pair(EPS), num_steps=4, measure="none")
    assert np.abs(np.abs(path.limits) - np.abs(run.points[0, 1:])).max() <= 1e-10
    for number in range(4):
        rest = remainder(path, number) * path.log_inverse_lambda**2
        assert rest[-1] <= 3.0 * rest[5] + 1e-2  # O(1/s^2); 1e-2 is rounding at s = 1e6
        assert path.reduced_orders[number, 0] == pytest.approx(1.0, abs=1e-3)
    assert (path.statuses == "GLOBAL").all()


# -- other degrees -----------------------------------------------------------------------------------------------------


def test_linear_model_shows_the_logarithmic_law():
    x = np.array([3.0, 4.0])
    path = regularized_path(Linear(2), [Task([x], [1])], num_steps=1)
    for s, point, status in zip(path.log_inverse_lambda, path.points[0], path.statuses[0], strict=True):
        def equation(m, s=s):  # log of the logistic loss's multiplier, against m / |x|^2
            return math.log(2.0 * m / 25.0) + math.log(s) + np.logaddexp(0.0, s * m) - s

        margin = brentq(equation, 1e-12, 3.0, xtol=1e-15, rtol=1e-14)
        assert np.abs(point - margin * x / 25.0).max() <= SCALAR
        assert status == "GLOBAL"
    assert path.alphas[0] == pytest.approx(-x / 25.0, rel=1e-12)
    assert path.betas[0] == pytest.approx(-math.log(2.0 / 25.0) * x / 25.0, rel=1e-12)
    assert path.fitted_alphas[0] == pytest.approx(path.alphas[0], rel=THREE_DIGITS)
    assert path.reduced_orders[0, 0] == pytest.approx(1.0, abs=1e-3)
    assert abs(path.orders[0, 0] - 1.0) > 0.03  # the plain slope is not the order
    assert path.accuracies[0].max() <= 1e-6


@pytest.mark.parametrize("activation", ["identity", "squared_relu"])
def test_depth_three_has_its_own_law(activation):
    model = FullyConnected((1, 1, 1, 1), activation)
    r, x = model.degree, 2.0
    start = np.array([0.9, 0.8, 1.1]) * 0.6
    path = regularized_path(model, [Task([[x]], [1])], "cyclic", FAR, num_steps=1, start=start)
    assert r == (3 if activation == "identity" else 7)
    assert path.has_expansion(0)
    assert path.fitted_alphas[0] == pytest.approx(path.alphas[0], rel=1e-2)
    assert path.reduced_orders[0, 0] == pytest.approx(1.0, abs=3e-3)
    margins = model(path.points[0], np.array([[x]]))[:, 0] - 1.0
    predicted = ((1 - 2 / r) * np.log(FAR) - np.log(2 * path.multipliers[0, :, 0])) / FAR
    assert np.abs(margins - predicted).max() <= 1e-12


MODELS = {
    "linear": Linear(3),
    "squared": SquaredLinear(2),
    "rectifiers": SimplifiedReLU(3, 3, [1, 1, -1]),
    "relu": FullyConnected((2, 2, 1), "relu"),
    "deep linear": FullyConnected((2, 2, 2, 1), "identity"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_limit_is_the_projection_within_the_next_order(name, kind):
    model = MODELS[name]
    tasks, _ = teacher_tasks(model, 1, 2, 3, kind=kind)
    start = model.initialize(11)
    regression = kind == "regression"
    grid = np.array([10.0, 14.0, 26.0, 100.0, 1e6]) if regression else np.geomspace(100.0, 1e6, 9)
    path = regularized_path(model, tasks, "cyclic", grid, num_steps=1, start=start)
    found = project(start, MarginSet(model, tasks[0]), all_minimizers=True)
    gaps = [np.linalg.norm(path.limits[0] - point) for point in found.minimizers]
    assert min(gaps) <= 1e-8 or np.linalg.norm(path.limits[0] - start) < found.distance
    assert path.has_expansion(0)
    law = np.exp(-2 * grid) if regression else (np.log(grid) / grid) ** 2
    constant = 10.0 * max(remainder(path)[:2] / law[:2]) if regression else 2.0 * max((remainder(path) / law)[1:5])
    assert (remainder(path) <= constant * law + 1e-12)[1:].all()


@pytest.mark.parametrize("name", MODELS)
def test_brute_force_finds_nothing_lower(name):
    model, rng = MODELS[name], np.random.default_rng(5)
    (task,), _ = teacher_tasks(model, 1, 2, 7)
    start = model.initialize(2)
    grid = np.array([3.0, 20.0])
    path = regularized_path(model, [task], "cyclic", np.append(grid, 1e3), num_steps=1, start=start)
    X, y = torch.tensor(task.X), torch.tensor(task.y)
    for s, objective in zip(grid, path.objectives[0], strict=False):
        c = s ** (1.0 / model.degree)
        previous = torch.as_tensor(c * start)

        def unscaled(flat, s=s, previous=previous):
            theta = torch.tensor(flat, requires_grad=True)
            losses = torch.nn.functional.softplus(-y * model.forward(theta, X))
            value = losses.mean() + math.exp(-s) * (theta - previous).square().sum()
            value.backward()
            return float(value.detach()) * math.exp(s), theta.grad.numpy() * math.exp(s)

        starts = [c * start, *(c * start + 2 * rng.standard_normal((5, start.size)))]
        least = min(minimize(unscaled, each, jac=True, method="L-BFGS-B").fun for each in starts) / c**2
        assert objective <= least + LOWER * (1.0 + least)


def test_the_iterates_stay_on_stuck_kinks():
    model = SimplifiedReLU(3, 3, [1, 1, -1])
    (task,), _ = teacher_tasks(model, 1, 4, 1)
    path = regularized_path(model, [task], "cyclic", FAR, num_steps=1, start=model.initialize(1, scale=0.5))
    preactivations = (task.X @ path.points[0].reshape(-1, 3, 3).transpose(0, 2, 1)).reshape(len(FAR), -1)
    held = np.abs(preactivations[-1]) <= 1e-12
    assert held.any() and path.expansion_statuses[0] == "HOLDS"
    assert np.abs(preactivations[FAR > 1e3][:, held]).max() <= 1e-12
    assert path.reduced_orders[0, 0] == pytest.approx(1.0, abs=1e-2)


def test_the_objective_has_the_predicted_first_order_term():
    model = SquaredLinear(2)
    path = regularized_path(model, catastrophic_pair(EPS), "cyclic", FAR, num_steps=2)
    limits = [np.zeros(4), path.limits[0]]
    for number, previous in enumerate(limits):
        square = np.sum((path.limits[number] - previous) ** 2)
        a, b = path.selections[number, 0]
        assert (path.objectives[number, -1] - square) * 1e6 == pytest.approx(a * math.log(1e6) + b, rel=THREE_DIGITS)


# -- states and refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "start", "steps", "expected"),
    [
        ([[1.0, 0.0]], [3.0, 0.0], 1, ["INTERIOR"]),
        ([[1.0, 0.0]], [0.0, 0.0], 2, ["HOLDS", "WEAKLY_ACTIVE"]),
        ([[1.0, 0.0]], [0.0, 0.0], 3, ["HOLDS", "WEAKLY_ACTIVE", "NO_PREDECESSOR"]),
        ([[1.0, 0.0], [1.0, 0.0]], [0.0, 0.0], 1, ["DEPENDENT_GRADIENTS"]),
    ],
)
def test_failing_hypotheses_are_reported(samples, start, steps, expected):
    task = Task(samples, np.ones(len(samples)))
    path = regularized_path(Linear(2), [task], "cyclic", FAR, num_steps=steps, start=np.array(start))
    assert path.expansion_statuses.tolist() == expected
    assert (path.statuses == "GLOBAL").all() and np.isfinite(path.points).all()
    assert path.laws[-1].startswith("no law" if not path.has_expansion(steps - 1) else "error")


def test_a_flat_loss_leaves_the_iterate_at_zero():
    model = FullyConnected((1, 1, 1, 1), "identity")
    path = regularized_path(model, [Task([[0.1]], [1])], "cyclic", [0.5, 1.0, 1e3], num_steps=1)
    assert np.abs(path.points[0, 0]).max() == 0.0 and path.branches[0, 0] == -1
    assert path.branches[0, -1] >= 0


TASK, OTHER = Task([[1.0, 0.0]], [1]), Task([[1.0, 0.0]], [2.0], "regression")


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"log_inverse_lambda": [2.0, 1.0]}, "log_inverse_lambda"),
        ({"log_inverse_lambda": [1e-3, 1.0]}, "log_inverse_lambda"),
        ({"log_inverse_lambda": []}, "log_inverse_lambda"),
        ({"log_inverse_lambda": [1.0, 1e12]}, "log_inverse_lambda"),
        ({"tasks": [TASK, OTHER]}, "tasks"),
        ({"tasks": []}, "tasks"),
        ({"loss": "squared"}, "loss"),
        ({"tasks": [OTHER], "loss": "logistic"}, "loss"),
        ({"weights": np.array([1.0, -1.0])}, "weights"),
        ({"weights": np.array([1.0, 1e-30])}, "weights"),
        ({"weights": np.array([[1.0, 2.0], [2.0, 1.0]])}, "weights"),
        ({"weights": np.array([[1.0, 1.0], [0.0, 1.0]])}, "weights"),
        ({"weights": [np.ones(2), np.ones(2)]}, "weights"),
        ({"start": np.zeros(3)}, "start"),
        ({"num_steps": 0}, "num_steps"),
        ({"max_branches": 0}, "max_branches"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"nonsense": 1}, "projection option"),
    ],
)
def test_bad_input_is_refused(changed, argument):
    arguments = {"tasks": [TASK], "num_steps": 1, **changed}
    with pytest.raises(InputError) as caught:
        regularized_path(Linear(2), **arguments)
    assert caught.value.argument == argument


def test_an_empty_set_is_an_error_as_in_project():
    with pytest.raises(ProjectionError):
        regularized_path(Linear(1), [Task([[1.0], [1.0]], [1, -1])], num_steps=1)


def test_points_that_are_not_found_are_stalled(monkeypatch):
    monkeypatch.setattr(step, "follow_down", lambda setting, limit, expansion: [None] * len(setting.grid))
    monkeypatch.setattr(step, "follow_up", lambda setting, known: [None] * len(setting.grid))
    with pytest.raises(RegularizedPathError) as caught:
        regularized_path(Linear(2), [TASK], num_steps=1)
    assert caught.value.path is None and caught.value.s == 1.0
    path = regularized_path(Linear(2), [TASK], num_steps=1, throw=False)
    assert (path.statuses == "STALLED").all() and path.expansion_statuses[0] == "NOT_FOLLOWED"


def test_save_load_plot(folder):
    tasks, _ = teacher_tasks(Linear(2), 2, 2, 0)
    several = [tasks[0], Task(tasks[1].X[:1], tasks[1].y[:1])]
    seen = []
    path = regularized_path(Linear(2), several, "cyclic", FAR, num_steps=2, progress=lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)] and np.isnan(path.multipliers[1, :, 1]).all()
    path.save("path.npz")
    again = RegularizedPath.load("path.npz")
    for name, value in vars(path).items():
        assert np.array_equal(value, getattr(again, name), equal_nan=np.asarray(value).dtype.kind == "f"), name
    plot_path(again, "path.png")
    assert (folder / "path.png").stat().st_size > 1000
    with pytest.raises(InputError):
        plot_path(path, "path.xyz")
    np.savez("other.npz", a=np.zeros(1))
    with pytest.raises(InputError):
        RegularizedPath.load("other.npz")


def test_runs_are_reproducible():
    model = FullyConnected((2, 2, 1), "relu")
    tasks, _ = teacher_tasks(model, 1, 2, 3)
    arguments = {"log_inverse_lambda": [5.0, 100.0], "num_steps": 1, "seed": 4}
    one, two = (regularized_path(model, tasks, **arguments) for _ in range(2))
    assert np.array_equal(one.points, two.points)


def test_a_start_on_the_boundary_up_to_rounding_is_weakly_active():
    first = catastrophic_pair(EPS)[:1]
    path = regularized_path(SquaredLinear(2), first, "cyclic", [1e3, 1e6], num_steps=2)
    assert path.expansion_statuses.tolist() == ["HOLDS", "WEAKLY_ACTIVE"]
    assert np.abs(path.limits[1] - path.limits[0]).max() <= 1e-12


def test_figure_1a_is_degenerate_from_zero():
    path = regularized_path(Linear(2), [figure1("a")], "cyclic", [1e3, 1e6], num_steps=1)
    assert path.limits[0] == pytest.approx([0.25, 0.25], abs=1e-12)  # (5, -1) is tight there, without a multiplier
    assert path.expansion_statuses[0] == "WEAKLY_ACTIVE" and (path.statuses == "GLOBAL").all()


def test_accuracies_bound_the_distance_to_the_exact_iterate_rounding_included():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, start = np.array([[1.0], [0.1]]) * rng.standard_normal((2, 2))
        path = regularized_path(Linear(2), [Task([x], [1])], "cyclic", [2.0, 8.0, 1e6], num_steps=1, start=start)
        with workdps(60):
            row, first = [mpf(each) for each in x], [mpf(each) for each in start]
            square, initial = fdot(row, row), fdot(row, first)
            for s, point, accuracy in zip((2, 8, 10**6), path.points[0], path.accuracies[0], strict=True):
                scaled = mpf(s)

                def equation(dual, s=scaled, square=square, initial=initial):  # margin initial + mu |x|^2, mu = e^dual
                    return log(2) + dual + log(s) - s + log(1 + exp(s * (initial + exp(dual) * square)))

                guess = log(mpf(float((point - start) @ x / (x @ x))))
                mu = exp(findroot(equation, guess, tol=1e-90))
                gaps = [mpf(each) - other - mu * side for each, other, side in zip(point, first, row, strict=True)]
                assert fdot(gaps, gaps) <= mpf(accuracy) ** 2
                assert accuracy <= 1e-8


@pytest.mark.parametrize("angle", [1e-5, 1e-6])
@pytest.mark.parametrize("grid", [[1e3, 1e6], GRID])
def test_nearly_equal_samples_are_followed_to_the_largest_s(angle, grid):
    task = Task([[1.0, 0.0], [1.0, angle]], [1, 1])
    path = regularized_path(Linear(2), [task], "cyclic", grid, num_steps=1, start=np.array([0.0, -1.0]))
    assert (path.statuses == "GLOBAL").all() and (path.branches == 0).all()
    assert path.limits[0] == pytest.approx([1.0 + angle, angle - 1.0], abs=1e-9)
    assert path.distances[0, -1] <= 1e-4


@pytest.mark.parametrize("distance", [1e3, 1e5])
def test_limits_of_far_starts_lie_in_the_set(distance):
    x = np.array([[1.0, 0.0], [1.0, 1e-8], [1.0 + 1e-9, 1e-9]])  # only the first is active at (1, distance)
    for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0]):
        task = Task(x[order], np.ones(3))
        path = regularized_path(Linear(2), [task], "cyclic", [1e3, 1e6], num_steps=1, start=np.array([0.0, distance]))
        assert path.limits[0] == pytest.approx([1.0, distance], abs=1e-9 + 1e-15 * distance)
        assert (path.statuses == "GLOBAL").all()

"""Global projection onto sets of rectifier sums, against enumeration of all patterns and closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from margin_projection._validation import InputError
from margin_projection.networks.simplified_relu import SimplifiedReLU
from margin_projection.projections.piecewise import project_piecewise
from margin_projection.projections.piecewise_cells import sign_cells
from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.result import CertificateKind, Status
from margin_projection.sets.margin_set import ConstraintSystem, MarginSet
from margin_projection.tasks.task import Task

DISTANCE = 1e-7  # the oracle's own accuracy (nonnegative least squares), relative
EXACT = 1e-12
STATIONARITY = 1e-9


def solve(system, start, **options):
    return project_piecewise(ProjectionProblem(torch.tensor(np.asarray(start, dtype=float)), system, **options))


def least_distance(rows, offsets):
    """min ||x|| s.t. rows x >= offsets by nonnegative least squares (Lawson and Hanson); None where inconsistent."""
    stacked = np.vstack([rows.T, offsets])
    target = np.zeros(stacked.shape[0])
    target[-1] = 1.0
    dual, norm = nnls(stacked, target, maxiter=10_000)
    residual = stacked @ dual - target
    if norm < 1e-6:
        return None
    point = -residual[:-1] / residual[-1]
    return point if (rows @ point - offsets).min() > -1e-7 * (1.0 + np.abs(point).max()) else None


def enumerate_patterns(system, start):
    """Every sign pattern of every preactivation as one polyhedron, sign constraints included."""
    model, X = system.model, system.X
    n, units = X.shape[0], model.units
    found = []
    for signs in itertools.product((1.0, -1.0), repeat=n * units):
        signs = np.array(signs).reshape(n, units)
        slopes = np.where(signs > 0, 1.0, model.slope)
        f_rows = ((model.output_signs * slopes)[:, :, None] * X[:, None, :]).reshape(n, -1)
        blocks = signs[:, :, None, None] * np.eye(units)[None, :, :, None] * X[:, None, None, :]
        equal = np.flatnonzero(system.is_equality)
        rows = np.vstack([system.signs[:, None] * f_rows, -f_rows[equal], blocks.reshape(n * units, -1)])
        offsets = np.concatenate([system.offsets, -system.offsets[equal], np.zeros(n * units)])
        step = least_distance(rows, offsets - rows @ start)
        if step is not None:
            found.append((np.linalg.norm(step), start + step))
    if not found:
        return math.inf, []
    best = min(distance for distance, _ in found)
    minimizers = []
    for distance, point in found:
        if distance <= best + 1e-7 * (1 + best) and all(np.abs(point - known).max() > 1e-4 for known in minimizers):
            minimizers.append(point)
    return best, minimizers


def check_solution(system, start, solution):
    point = solution.points[0].numpy()
    distance = np.linalg.norm(point - start)
    assert system.violation(point) <= 1e-10
    assert solution.lower_bound <= distance * (1 + 1e-12)
    displacement = point - start
    if solution.generalized_gradient is not None:
        assert np.linalg.norm(displacement - solution.generalized_gradient.numpy()) <= STATIONARITY * (1 + distance)
    multipliers = solution.multipliers.numpy()
    assert (multipliers[~system.is_equality] >= -1e-10).all()
    slack = system.constraints(point)
    assert np.abs(multipliers * slack).max() <= 1e-9 * (1 + np.abs(multipliers).max())


def random_case(seed, kind, units, n, d, slope, scale):
    generator = np.random.default_rng(seed)
    signs = np.where(generator.random(units) < 0.5, -1.0, 1.0)
    X = generator.standard_normal((n, d))
    model = SimplifiedReLU(units, d, signs, slope)
    if kind == "mixed" and n > 1:
        outputs = model(generator.standard_normal(units * d), X)
        tasks = [Task(X[:1], np.sign(outputs[:1] + 1e-9)), Task(X[1:], outputs[1:], "regression")]
        system = ConstraintSystem(model, tasks)
    elif kind == "regression":
        system = MarginSet(model, Task(X, model(generator.standard_normal(units * d), X), "regression"))
    else:
        system = MarginSet(model, Task(X, np.where(generator.random(n) < 0.5, -1.0, 1.0)))
    return system, scale * generator.standard_normal(units * d)


SHAPES = [(1, 3, 2), (2, 2, 1), (2, 2, 2), (2, 3, 2), (3, 2, 2), (2, 4, 1)]


@pytest.mark.parametrize("kind", ["classification", "regression", "mixed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_enumeration_of_all_patterns(kind, shape):
    for seed in range(4):
        slope, scale = (0.0, 0.3)[seed % 2], (1.0, 0.0, 3.0, 0.1)[seed]
        system, start = random_case(100 * seed + sum(shape), kind, *shape, slope, scale)
        expected, minimizers = enumerate_patterns(system, start)
        solution = solve(system, start, all_minimizers=True)
        if math.isinf(expected):
            assert solution.status in (Status.INFEASIBLE, Status.NOT_FOUND)
            continue
        assert solution.status is Status.GLOBAL, seed
        check_solution(system, start, solution)
        distance = np.linalg.norm(solution.points[0].numpy() - start)
        assert distance == pytest.approx(expected, rel=DISTANCE, abs=DISTANCE)
        assert solution.complete
        assert len(solution.points) == len(minimizers)
        for point in minimizers:
            assert min(np.abs(point - known.numpy()).max() for known in solution.points) <= 1e-4


THRESHOLD = math.sqrt(2.0) / 4.0


@pytest.mark.parametrize("a", [0.0, 0.1, 0.3, THRESHOLD - 1e-6, THRESHOLD, THRESHOLD + 1e-6, 0.5, 1.0, 10.0])
def test_figure_1b_from_the_symmetry_line(a):
    # Both units on: w1 + w2 = 1/2 at distance sqrt(2) (1/4 + a). One unit on: 1/2 + a. They tie at a = sqrt(2) / 4.
    system = MarginSet(SimplifiedReLU(2), Task([[2.0]], [1]))
    solution = solve(system, [-a, -a], all_minimizers=True)
    expected = []
    if a <= THRESHOLD:
        expected.append((0.25, 0.25))
    if a >= THRESHOLD:
        expected += [(0.5, -a), (-a, 0.5)]
    distance = min(math.sqrt(2.0) * (0.25 + a), 0.5 + a)
    assert solution.status is Status.GLOBAL and solution.complete
    assert solution.lower_bound == pytest.approx(distance, rel=EXACT)
    found = sorted(tuple(point.tolist()) for point in solution.points)
    assert np.allclose(found, sorted(expected), atol=EXACT, rtol=0)
    check_solution(system, np.array([-a, -a]), solution)


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_a_concave_kink_is_a_generalized_stationary_point(flip):
    # One unit with output -1, label +1 and -1 on opposite samples: -[w]_+ >= 1 is empty, while -phi(w) >= 1 with slope
    # 0.5 needs w <= -2; the projection of two units on f = 0 from (1, 1) kinks at w2 = 0.
    model = SimplifiedReLU(2, output_signs=[-1.0, -1.0])
    system = MarginSet(model, Task([[flip]], [0.0], "regression"))
    solution = solve(system, [flip, 2.0 * flip], all_minimizers=True)
    assert solution.status is Status.GLOBAL and len(solution.points) == 1
    assert np.allclose(solution.points[0], 0.0, atol=EXACT)
    check_solution(system, np.array([flip, 2.0 * flip]), solution)


@pytest.mark.parametrize(
    ("model", "task", "word"),
    [
        (SimplifiedReLU(2), Task([[1.0]], [-1]), "nonnegative"),
        (SimplifiedReLU(2, output_signs=[-1, -1]), Task([[1.0]], [1]), "nonpositive"),
        (SimplifiedReLU(2, 2), Task([[0.0, 0.0]], [1]), "zero"),
        (SimplifiedReLU(2, 2, [1, -1]), Task([[1.0, 3.0], [2.0, 6.0]], [1, -1]), "contradict"),
        (SimplifiedReLU(2, 2, [1, -1], 0.2), Task([[1.0, 3.0], [2.0, 6.0]], [1.0, 2.5], "regression"), "contradict"),
    ],
)
def test_empty_sets_are_proved_empty(model, task, word):
    solution = solve(MarginSet(model, task), np.ones(model.num_parameters))
    assert solution.status is Status.INFEASIBLE and solution.kind is CertificateKind.INFEASIBLE
    assert word in solution.evidence["reason"] and math.isinf(solution.lower_bound)


def test_labels_inconsistent_by_rounding_only_are_not_called_empty():
    model = SimplifiedReLU(2, 1, [1, -1])
    task = Task([[1.0], [3.0]], [0.1, 0.3], "regression")  # 3 * 0.1 is not 0.3 in binary
    solution = solve(MarginSet(model, task), [0.0, 0.0])
    assert solution.status is Status.GLOBAL
    assert solution.lower_bound == pytest.approx(0.1, rel=1e-9)


def test_a_set_empty_for_no_simple_reason_is_not_found_and_bounded():
    # A single leaky unit is monotone along x: f(x) and -f(-x) cannot both be positive and negative.
    system = MarginSet(SimplifiedReLU(1, 1, slope=0.5), Task([[1.0], [-1.0]], [1, 1]))
    solution = solve(system, [0.3])
    assert solution.status is Status.NOT_FOUND and solution.kind is CertificateKind.NONE
    assert not math.isinf(solution.lower_bound) and solution.evidence["least_violation"] > 0.5


def test_feasible_start_duplicates_and_padding_dimensions():
    model = SimplifiedReLU(2, 4)
    X = np.array([[1.0, 2.0, 0.0, 0.0]] * 3 + [[0.0, 1.0, 0.0, 0.0]])
    system = MarginSet(model, Task(X, [1, 1, 1, 1]))
    far = np.arange(1.0, 9.0)
    assert torch.equal(solve(system, far).points[0], torch.tensor(far))
    start = -0.1 * np.arange(1.0, 9.0)
    solution = solve(system, start)
    assert solution.status is Status.GLOBAL
    check_solution(system, start, solution)
    moved = solution.points[0].numpy().reshape(2, 4) - start.reshape(2, 4)
    assert np.abs(moved[:, 2:]).max() == 0.0
    single = solve(MarginSet(model, Task(X[2:], [1, 1])), start)
    assert solution.lower_bound == pytest.approx(single.lower_bound, rel=1e-9)


def test_node_limit_gives_a_local_answer_with_a_valid_bound():
    generator = np.random.default_rng(6)
    model = SimplifiedReLU(6, 3, [1, -1] * 3, 0.1)
    X = generator.standard_normal((8, 3))
    system = MarginSet(model, Task(X, np.where(generator.random(8) < 0.5, -1.0, 1.0)))
    start = generator.standard_normal(18)
    problem = ProjectionProblem(torch.tensor(start), system, max_steps=200)
    full = project_piecewise(problem)
    assert full.status is Status.GLOBAL
    cut = project_piecewise(ProjectionProblem(torch.tensor(start), system, max_steps=0))
    assert cut.status in (Status.LOCAL, Status.NOT_FOUND)
    assert cut.lower_bound <= full.lower_bound * (1 + 1e-12)


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_projection_scales_and_permutes(seed, factor):
    # f(x / c; c w) = f(x; w): samples divided by c scale the projection by c; permuting units permutes it.
    generator = np.random.default_rng(seed)
    X, start = generator.standard_normal((3, 2)), generator.standard_normal(6)
    model = SimplifiedReLU(3, 2, [1, 1, -1], 0.1)
    y = np.where(generator.random(3) < 0.5, -1.0, 1.0)
    plain = solve(MarginSet(model, Task(X, y)), start)
    scaled = solve(MarginSet(model, Task(X / factor, y)), factor * start)
    assert plain.status is scaled.status
    if plain.status is Status.GLOBAL:
        assert scaled.lower_bound == pytest.approx(factor * plain.lower_bound, rel=1e-8, abs=1e-10)
        swapped = solve(MarginSet(model, Task(X, y)), start.reshape(3, 2)[[1, 0, 2]].reshape(-1))
        assert swapped.lower_bound == pytest.approx(plain.lower_bound, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 2), (8, 3), (12, 3), (9, 4)])
def test_cells_contain_every_pattern_that_random_vectors_show(n, d):
    generator = np.random.default_rng(n)
    X = np.round(generator.standard_normal((n, d)), 1)
    X[0] = -2.0 * X[-1]
    cells = {row.tobytes() for row in sign_cells(X, 100_000)}
    seen = generator.standard_normal((20_000, d)) @ X.T > 0
    assert {row.tobytes() for row in seen} <= cells


def test_model_values_gradients_kinks_and_state():
    generator = np.random.default_rng(0)
    model = SimplifiedReLU(3, 2, [1, -1, 1], 0.25)
    theta, X = generator.standard_normal(6), generator.standard_normal((4, 2))
    by_hand = [
        sum(g * max(z, 0.25 * z) for g, z in zip([1, -1, 1], theta.reshape(3, 2) @ x, strict=True)) for x in X
    ]
    assert np.allclose(model(theta, X), by_hand, atol=EXACT)
    assert np.allclose(model(np.stack([theta, 2 * theta]), X)[1], 2 * np.array(by_hand), atol=EXACT)
    tensor = torch.tensor(theta)
    linear = model.linearize(tensor, torch.tensor(X))
    autograd = torch.autograd.functional.jacobian(lambda t: model.forward(t, torch.tensor(X)), tensor)
    assert torch.allclose(linear.jacobian(), autograd)
    kinks = linear.kinks()
    extended = linear.with_kinks(kinks.select(torch.tensor([1, 5])))
    assert torch.allclose(extended.values[-2:], kinks.values[[1, 5]])
    assert torch.allclose(extended.apply(tensor)[-2:], kinks.values[[1, 5]])
    assert torch.allclose(kinks.coefficients[:3], 0.75 * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    module = model.to_module(theta)
    assert np.allclose(module(torch.tensor(X)).detach(), by_hand, atol=EXACT)
    assert np.array_equal(model.from_state(module.state_dict()), theta)
    with pytest.raises(InputError):
        model.from_state({})


@pytest.mark.parametrize("arguments", [(0,), (2, 0), (2, 1, [1.0]), (2, 1, [1.0, 0.5]), (2, 1, None, 1.0)])
def test_bad_models_are_rejected(arguments):
    with pytest.raises(InputError):
        SimplifiedReLU(*arguments)


def test_slopes_keep_their_sixteen_digits():
    """Euler's identity <grad f, theta> = f, at a slope that float32 would round."""
    model = SimplifiedReLU(2, 2, slope=0.3)
    theta = torch.tensor([1.0, -2.0, -0.5, 0.25], dtype=torch.float64)
    X = torch.tensor([[1.0, 0.5], [2.0, -1.0]], dtype=torch.float64)
    line = model.linearize(theta, X)
    assert float((line.apply(theta) - line.values).abs().max()) < 1e-15

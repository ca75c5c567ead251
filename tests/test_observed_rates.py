"""Observed rates against exact ones: principal angles, spectral radii, closed-form orbits and power laws."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.linalg

from margin_projection._validation import InputError
from margin_projection.networks import FullyConnected, Linear, SquaredLinear
from margin_projection.rates.fit import Sequence, fit_slope
from margin_projection.rates.observed import ObservedRate, observed_rate
from margin_projection.rates.plot import plot_rates
from margin_projection.rates.status import RateStatus
from margin_projection.tasks import Task, catastrophic_pair
from margin_projection.trajectories import Trajectory, sequential_projections

ROUNDING = 1e-9  # relative, of intervals as narrow as rounding
EXPONENT = 0.02
LIMIT = 1e-3


def regression(X, y) -> Task:
    return Task(X, y, "regression")


def affine_tasks(seed: int, dimension: int, samples: tuple[int, ...]) -> list[Task]:
    """Random regression tasks with one common solution."""
    generator = np.random.default_rng(seed)
    solution = generator.standard_normal(dimension)
    blocks = [generator.standard_normal((count, dimension)) for count in samples]
    return [regression(X, X @ solution) for X in blocks]


def projectors(tasks: list[Task]) -> list[np.ndarray]:
    """Onto the null space of each task's samples, on the span of all samples (the complement of C*'s directions)."""
    span = scipy.linalg.orth(np.concatenate([task.X for task in tasks]).T)
    rows = [scipy.linalg.orth((task.X @ span).T) for task in tasks]
    return [np.eye(span.shape[1]) - Q @ Q.T for Q in rows]


def radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def run_of(tasks, start, num_steps, model=None, ordering="cyclic", seed=0) -> Trajectory:
    model = Linear(tasks[0].X.shape[1]) if model is None else model
    return sequential_projections(model, tasks, ordering, np.asarray(start, float), num_steps=num_steps, seed=seed)


def contains(interval: tuple[float, float], value: float) -> bool:
    return interval[0] * (1.0 - ROUNDING) <= value <= interval[1] * (1.0 + ROUNDING)


def with_distances(distances, certified: bool = True) -> Trajectory:
    """A trajectory of M = 1 with these distances to C*, and iterates that move by them."""
    distances = np.asarray(distances, dtype=float)
    base = run_of([regression([[1.0, 0.0]], [0.0])], [1.0, 0.0], distances.size - 1)
    points = np.zeros((1, distances.size, 2))
    points[0, :, 0] = np.nan_to_num(distances)
    bounds = distances if certified else 0.0 * distances
    return replace(base, points=points, joint_distances=distances[None], joint_lower_bounds=bounds[None])


def known_joint_distances(tasks, solution, num_steps: int, seed: int) -> Trajectory:
    """A run of random order from a fixed start; C* is the one ``solution``."""
    model = Linear(solution.size)
    start = solution + np.arange(1.0, solution.size + 1.0)
    run = sequential_projections(model, tasks, "iid", start, num_steps=num_steps, seed=seed, measure="none")
    distances = np.linalg.norm(run.points - solution, axis=2)
    return replace(run, joint_distances=distances, joint_lower_bounds=distances)


N = np.arange(60.0)
SEQUENCES = {
    "geometric": 0.9**N,
    "two modes": 0.9**N + 5 * 0.8**N,
    "two slow modes": 0.9**N + 5 * 0.88**N,
    "two orthogonal modes": np.sqrt(0.9 ** (2 * N) + 5 * 0.88 ** (2 * N)),
    "three modes": 0.9**N + 5 * 0.85**N + 3 * 0.7**N,
    "complex pair": np.abs(0.9**N * np.cos(N)),
    "complex pair, beating": 0.9**N * np.sqrt(1 + 0.5 * np.cos(2 * N + 0.3)),
    "slow complex pair": 0.9**N * np.sqrt(1 + 0.5 * np.cos(0.06 * N + 0.3)),
    "alternating": 0.9**N * (1 + 0.3 * (-1) ** N),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_interval_contains_the_rate_of_sums_of_modes(name):
    values = SEQUENCES[name]
    fit = fit_slope(Sequence(N, np.log(values), 1e-15 / values), 0.95)
    assert abs(fit.slope - np.log(0.9)) <= fit.half_width < 1e-6


def test_the_interval_covers_noisy_modes():
    missed = 0
    for seed in range(25):
        generator = np.random.default_rng(seed)
        logs = np.log(0.9**N + generator.random() * 0.8**N) + 0.05 * generator.standard_normal(N.size)
        fit = fit_slope(Sequence(N, logs, np.full(N.size, 1e-15)), 0.95)
        missed += abs(fit.slope - np.log(0.9)) > fit.half_width
    assert missed <= 3


@pytest.mark.parametrize("seed", range(4))
def test_two_subspaces_contract_by_the_squared_cosine_of_the_friedrichs_angle(seed):
    tasks = affine_tasks(seed, 6, (2, 3))
    cosine = np.cos(scipy.linalg.subspace_angles(tasks[0].X.T, tasks[1].X.T)).max()
    observed = observed_rate(run_of(tasks, np.random.default_rng(100 + seed).standard_normal(6), 80))
    assert observed.status is RateStatus.LINEAR and observed.certified and observed.steps_per_cycle == 2
    assert contains(observed.rate.per_cycle_interval, cosine**2)
    assert observed.rate.per_cycle == pytest.approx(cosine**2, rel=1e-3)
    assert observed.rate.per_step == pytest.approx(observed.rate.per_cycle**0.5)


@pytest.mark.parametrize("seed", range(4))
def test_several_subspaces_contract_by_the_spectral_radius(seed):
    tasks = affine_tasks(seed, 7, (1, 2, 1, 2)[: 3 + seed % 2])
    exact = radius(np.linalg.multi_dot(projectors(tasks)[::-1]))
    start = np.random.default_rng(100 + seed).standard_normal(7)
    observed = observed_rate(run_of(tasks, start, len(tasks) * 40))
    assert observed.status is RateStatus.LINEAR and contains(observed.rate.per_cycle_interval, exact)


def test_random_orderings_contract_mean_squares_by_the_radius_of_the_mean_map():
    tasks = [regression([[np.cos(angle), np.sin(angle)]], [1.0]) for angle in (0.3, 0.9)]
    maps = projectors(tasks)
    exact = radius(sum(np.kron(P, P) for P in maps) / 2)
    solution = np.linalg.solve(np.concatenate([task.X for task in tasks]), np.ones(2))
    runs = [known_joint_distances(tasks, solution, 60, seed) for seed in range(50)]
    observed = observed_rate(runs)
    assert observed.status is RateStatus.LINEAR and not observed.periodic and observed.num_samples == 50
    assert contains(observed.squared_rate.per_step_interval, exact)
    assert observed.squared_rate.per_step == pytest.approx(exact, abs=0.1)
    assert observed.rate.per_step_interval[0] <= exact**0.5  # Jensen
    assert observed.rate.per_cycle == pytest.approx(observed.rate.per_step**2)


def test_permutations_are_taken_epoch_by_epoch():
    tasks = affine_tasks(3, 4, (1, 1, 1))
    runs = [run_of(tasks, np.ones(4), 90, ordering="without_replacement", seed=seed) for seed in range(3)]
    observed = observed_rate(runs)
    assert not observed.periodic and (np.diff(observed.steps) == 3).all()


def test_one_random_run_has_a_rate_of_its_own():
    observed = observed_rate(run_of(affine_tasks(1, 5, (1, 1, 1)), np.ones(5), 150, ordering="iid", seed=2))
    assert observed.status is RateStatus.LINEAR and observed.squared_rate is None and observed.num_samples == 1


def test_halfspaces_end_in_finite_time():
    tasks = [Task([[1.0, 0.3]], [1.0]), Task([[-0.3, 1.0]], [1.0])]
    observed = observed_rate(run_of(tasks, [-3.0, -4.0], 20))
    assert observed.status is RateStatus.FINITE and observed.reached_step == 2 and observed.rate is None


def test_one_task_ends_in_finite_time_from_a_start_nearby():
    """A local projection's distances are known to 1e-7 only; no trend is needed where the first one ends in C*."""
    model = FullyConnected((2, 2, 1), "relu")
    start = [0.99, 0.0, 0.1, 1.0, 0.99, 0.0]
    run = sequential_projections(model, [Task([[1.0, 0.0]], [1.0])], start=start, num_steps=6)
    observed = observed_rate(run)
    assert 0.0 < run.joint_distances[0, 0] < 0.1 and not observed.certified
    assert observed.status is RateStatus.FINITE and observed.reached_step == 1


def test_a_start_in_the_joint_set_is_reported():
    observed = observed_rate(run_of(affine_tasks(0, 2, (1, 1)), np.random.default_rng(0).standard_normal(2), 10))
    assert observed.status is RateStatus.IN_SET and observed.reached_step == 0


def test_disjoint_halfspaces_give_an_orbit_of_their_nearest_points():
    tasks = [Task([[1.0, 0.0]], [1.0]), Task([[-1.0, 0.0]], [1.0])]
    observed = observed_rate(run_of(tasks, [-3.0, -4.0], 20))
    assert observed.status is RateStatus.CYCLE and observed.cycle.cycles == 1
    assert observed.cycle.points.tolist() == [[1.0, -4.0], [-1.0, -4.0]]
    assert np.isinf(observed.cycle.distances).all() and observed.limit_distance is None


def test_an_orbit_and_the_rate_of_its_approach():
    lines = [regression([row], [value]) for row, value in (([1.0, 0.0], 1.0), ([1.0, 1.0], 3.0), ([-1.0, 2.0], 0.0))]
    maps = [np.eye(2) - np.outer(task.X[0], task.X[0]) / (task.X[0] @ task.X[0]) for task in lines]
    shifts = [task.X[0] * task.y[0] / (task.X[0] @ task.X[0]) for task in lines]
    whole = maps[2] @ maps[1] @ maps[0]
    last = np.linalg.solve(np.eye(2) - whole, maps[2] @ (maps[1] @ shifts[0] + shifts[1]) + shifts[2])
    observed = observed_rate(run_of(lines, [5.0, -7.0], 45))
    assert observed.status is RateStatus.CYCLE and len(observed.cycle.points) == 3
    assert observed.cycle.points[-1] == pytest.approx(last, abs=1e-9) and observed.cycle.remaining < 1e-9
    assert contains(observed.approach.per_cycle_interval, radius(whole))


def test_iterates_that_rest_outside_the_joint_set_are_elsewhere():
    tasks = [regression([[1.0, 0.0]], [1.0]), regression([[0.0, 1.0]], [1.0])]
    observed = observed_rate(run_of(tasks, [-3.0, -4.0], 20, ordering=[0] * 20))
    assert observed.status is RateStatus.ELSEWHERE and observed.limit_distance == pytest.approx(5.0)
    assert observed.cycle.points.tolist() == [[1.0, -4.0]]


def test_theorem_5_drifts_off_without_end():
    eps = 0.005
    observed = observed_rate(run_of(catastrophic_pair(eps), np.zeros(4), 240, SquaredLinear(2)))
    assert observed.status is RateStatus.DRIFTING and observed.distances.min() >= 2.0
    assert observed.limit_distance == pytest.approx((1 / 9 + eps**2) ** -0.5, rel=LIMIT)
    assert observed.growth_exponent == pytest.approx(0.25, abs=EXPONENT)


def test_a_circle_and_its_tangent_are_met_as_one_over_root_k():
    tasks = [regression([[1.0, 1.0]], [1.0]), regression([[0.0, 1.0]], [1.0])]
    observed = observed_rate(run_of(tasks, [0.5, 0.9, 0.0, 0.0], 120, SquaredLinear(2)))
    assert observed.status is RateStatus.SUBLINEAR and observed.rate is None
    assert observed.power_law.exponent == pytest.approx(0.5, abs=EXPONENT)


def test_squared_distances_are_superlinear():
    observed = observed_rate(with_distances([0.5 ** (2.0**n) for n in range(6)] + [0.0, 0.0]))
    assert observed.status is RateStatus.SUPERLINEAR and observed.reached_step == 6


def test_factorials_are_superlinear_and_stretched_exponentials_are_not_linear():
    inverse_factorials = np.append(np.cumprod(1.0 / np.arange(1.0, 16.0)), [0.0, 0.0])
    assert observed_rate(with_distances(inverse_factorials)).status is RateStatus.SUPERLINEAR
    assert observed_rate(with_distances(np.exp(-np.sqrt(np.arange(200.0))))).status is RateStatus.UNDECIDED


@pytest.mark.parametrize("law", [lambda n: (n + 3.0) ** -0.7, lambda n: (n + 1.0) ** -2.0])
def test_power_laws_are_sublinear(law):
    observed = observed_rate(with_distances(law(np.arange(200.0))))
    assert observed.status is RateStatus.SUBLINEAR
    assert observed.power_law.exponent == pytest.approx(-np.log(law(1e6) / law(1e5)) / np.log(10), abs=EXPONENT)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_few_distances_are_too_short(count):
    assert observed_rate(with_distances(0.9 ** np.arange(count))).status in (RateStatus.TOO_SHORT, RateStatus.LINEAR)
    assert observed_rate(with_distances(0.9 ** np.arange(2.0))).status is RateStatus.TOO_SHORT


def test_growing_distances_are_undecided():
    assert observed_rate(with_distances(1.1 ** np.arange(40.0))).status is RateStatus.UNDECIDED


def test_distances_that_level_off_are_not_said_to_converge():
    observed = observed_rate(with_distances(1.0 + 0.5 ** np.arange(40.0)))
    assert observed.status is RateStatus.ELSEWHERE or not observed.status.converges


def test_a_linear_rate_that_ends_in_rounding_is_no_finite_end():
    distances = 0.3 ** np.arange(60.0)
    distances[distances < 1e-13] = 0.0
    observed = observed_rate(with_distances(distances))
    assert observed.status is RateStatus.LINEAR and contains(observed.rate.per_step_interval, 0.3)


def test_unknown_distances_are_left_out():
    distances = 0.8 ** np.arange(60.0)
    distances[40:] = np.nan
    observed = observed_rate(with_distances(distances))
    assert observed.status is RateStatus.LINEAR and observed.missing == 20 and observed.reached_step is None
    assert contains(observed.rate.per_step_interval, 0.8) and observed.steps[-1] == 39
    distances[50:] = 0.0
    assert observed_rate(with_distances(distances)).status is RateStatus.LINEAR  # not FINITE: unknown in between


def test_uncertified_distances_are_upper_bounds_and_say_so():
    distances = np.where(np.arange(60) < 30, 0.6 ** np.arange(60.0), 0.0)
    observed = observed_rate(with_distances(distances, certified=False))
    assert not observed.certified and observed.status is RateStatus.LINEAR and observed.noise_floor >= 1e-7
    assert contains(observed.rate.per_step_interval, 0.6)


def test_a_network_with_local_projections():
    generator = np.random.default_rng(0)
    model = FullyConnected((2, 3, 1), "squared_relu")
    tasks = [regression(generator.standard_normal((1, 2)), [1.0]) for _ in range(2)]
    start = generator.standard_normal(model.num_parameters)
    observed = observed_rate(run_of(tasks, start, 14, model))
    assert not observed.certified and observed.status in (RateStatus.LINEAR, RateStatus.FINITE)


def test_window_run_period_and_confidence():
    tasks = affine_tasks(5, 4, (1, 1))
    run = run_of(tasks, np.random.default_rng(5).standard_normal((2, 4)), 40)
    narrow, wide = (observed_rate(run, run=1, window=(0, 20), confidence=level) for level in (0.5, 0.99))
    assert narrow.rate.window == wide.rate.window == (0, 20)
    spans = [np.ptp(each.rate.per_step_interval) for each in (narrow, wide)]
    assert spans[0] <= spans[1]
    assert observed_rate(run, run=0, period=4).steps.tolist() == list(range(0, 41, 4))
    assert observed_rate(run).num_samples == 1


def test_results_hold_no_nan_and_are_reproducible():
    runs = [run_of(affine_tasks(2, 3, (1, 1)), np.ones(3), 40, ordering="iid", seed=seed) for seed in range(10)]
    first, second = observed_rate(runs, seed=7), observed_rate(runs, seed=7)
    assert first.rate == second.rate and first.squared_rate == second.squared_rate
    numbers = [getattr(first, field.name) for field in fields(ObservedRate)]
    assert not any(np.isnan(each).any() for each in numbers if isinstance(each, float | np.ndarray))
    assert str(first).startswith(first.status.name)


def test_bad_input_is_refused():
    tasks = affine_tasks(2, 3, (1, 1))
    run = run_of(tasks, np.ones(3), 10)
    unmeasured = sequential_projections(Linear(3), tasks, num_steps=4, measure="sets")
    other = run_of(affine_tasks(2, 4, (1, 1)), np.ones(4), 10)
    for bad in (unmeasured, [], "run", [run, other], [run, 3]):
        with pytest.raises(InputError, match="trajectories"):
            observed_rate(bad)
    for argument, value in (
        ("run", 1), ("period", 0), ("period", 11), ("window", (0, 11)), ("window", (5, 2)), ("window", 3),
        ("confidence", 1.0), ("confidence", 0.0), ("seed", -1),
    ):  # fmt: skip
        with pytest.raises(InputError, match=argument):
            observed_rate(run, **{argument: value})


def test_pictures(tmp_path):
    tasks = affine_tasks(2, 3, (1, 1))
    linear = observed_rate(run_of(tasks, np.ones(3), 40))
    several = observed_rate([run_of(tasks, np.ones(3), 40, ordering="iid", seed=seed) for seed in range(9)])
    empty = observed_rate(run_of([Task([[1.0]], [1.0]), Task([[-1.0]], [1.0])], [3.0], 12))
    for index, observed in enumerate((linear, several, empty)):
        target = tmp_path / f"{index}.png"
        plot_rates(observed, target, [("Theorem 15", 0.99), ("exact", 0.9)])
        assert target.read_bytes()[:4] == b"\x89PNG"
    assert len(list(tmp_path.iterdir())) == 3
    for arguments in ((tmp_path / "x.unknown",), (tmp_path / "no" / "x.png",)):
        with pytest.raises(InputError, match="path"):
            plot_rates(linear, *arguments)
    for predicted in ("rate", [("a", 0.0)], [("a", 1.5)], [("a",)]):
        with pytest.raises(InputError, match="predicted"):
            plot_rates(linear, tmp_path / "x.png", predicted)

"""Linear models: kappa, margins and rates against exact polyhedra of the plane and principal angles."""

from __future__ import annotations

import numpy as np
import pytest
from planar_polyhedra import distances, largest_ratio
from scipy.linalg import subspace_angles

import margin_projection as mp
from margin_projection.rates import PredictionStatus, predicted_rate
from margin_projection.regularity import RegularityReport, regularity

INSTANCES = 100  # of each kind
GRID = 1e-3  # relative resolution of the brute-force grid
EXACT = 1e-9


def planar(seed: int) -> tuple[list[mp.Task], np.ndarray]:
    """Two or three tasks in the plane, and a boundary point of C*: a vertex or a point of an edge."""
    generator = np.random.default_rng(seed)
    direction = generator.standard_normal(2)
    tasks = []
    for _ in range(2 + seed % 2):
        X = generator.standard_normal((1 + seed % 3, 2))
        y = np.where(X @ direction >= 0, 1.0, -1.0)
        tasks.append(mp.Task(X, y))
    model = mp.networks.Linear(2)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    return tasks, mp.project(0.3 * generator.standard_normal(2), joint).point


def affine(seed: int, num_tasks: int = 2) -> tuple[list[mp.Task], np.ndarray]:
    """Regression tasks with a common solution in general position."""
    generator = np.random.default_rng(seed)
    dimension = int(generator.integers(4, 9))
    theta = generator.standard_normal(dimension)
    sizes = generator.integers(1, 1 + (dimension - 1) // num_tasks, num_tasks)
    inputs = [generator.standard_normal((int(size), dimension)) for size in sizes]
    return [mp.Task(X, X @ theta, "regression") for X in inputs], theta


def report_of(tasks: list[mp.Task], theta: np.ndarray, share: float = 0.2) -> RegularityReport:
    model = mp.networks.Linear(tasks[0].X.shape[1])
    return regularity(model, tasks, theta, share * float(np.linalg.norm(theta)), draws=0)


@pytest.mark.parametrize("block", range(4))
def test_kappa_contains_the_brute_force_value_in_the_plane(block: int) -> None:
    for seed in range(block, INSTANCES, 4):
        tasks, theta = planar(seed)
        report = report_of(tasks, theta)
        brute = largest_ratio([task.y[:, None] * task.X for task in tasks], theta, report.radius)
        assert brute <= report.kappa.upper * (1.0 + EXACT), seed
        assert report.kappa.lower <= brute * (1.0 + GRID) + EXACT, seed
        assert report.kappa_limit.upper <= report.paper_limit.kappa * (1.0 + EXACT), seed


def test_margin_is_the_distance_to_the_hull_in_the_plane() -> None:
    for seed in range(40):
        tasks, theta = planar(seed)
        report = report_of(tasks, theta)
        gradients = np.vstack([task.y[:, None] * task.X for task in tasks])
        active = gradients[np.abs(report.constraint_values) <= 1e-7]
        weights = np.linspace(0.0, 1.0, 2001)
        pairs = [(a, b) for a in active for b in active]
        brute = min(np.linalg.norm(np.outer(weights, a) + np.outer(1.0 - weights, b), axis=1).min() for a, b in pairs)
        assert report.mfcq_best.lower <= brute * (1.0 + EXACT)
        assert brute <= report.mfcq_best.upper * (1.0 + 1e-5) + 1e-9
        assert report.mfcq_best.lower >= report.mfcq_along_theta.lower * (1.0 - EXACT)


@pytest.mark.parametrize("block", range(4))
def test_bounds_hold_on_planar_trajectories(block: int) -> None:
    """d after every cycle is within the sharp bound, from any start of the granted ball; distances by enumeration."""
    for seed in range(block, INSTANCES // 2, 4):
        tasks, theta = planar(seed)
        report = report_of(tasks, theta)
        prediction = predicted_rate(report, "cyclic", "sharp")
        assert prediction.status in (PredictionStatus.PROVED, PredictionStatus.VACUOUS)
        assert prediction.radius == pytest.approx(report.radius)  # convex sets: the whole ball
        generator = np.random.default_rng(seed)
        angles = generator.uniform(0.0, 2.0 * np.pi, 16)
        start = theta + report.radius * np.stack([np.cos(angles), np.sin(angles)], -1)
        model, cycles = mp.networks.Linear(2), 3
        run = mp.sequential_projections(model, tasks, start=start, num_steps=cycles * len(tasks), measure="none")
        joint = np.vstack([task.y[:, None] * task.X for task in tasks])
        ends = run.points[:, len(tasks) :: len(tasks)]
        d = distances(joint, np.ones(len(joint)), ends.reshape(-1, 2)).reshape(len(start), cycles)
        assert (d[:, 1:] <= prediction.per_cycle * d[:, :-1] + 1e-9).all(), seed


@pytest.mark.parametrize("block", range(4))
def test_two_affine_sets_by_their_friedrichs_angle(block: int) -> None:
    for seed in range(block, INSTANCES, 4):
        tasks, theta = affine(seed)
        report = report_of(tasks, theta)
        angle = float(subspace_angles(tasks[0].X.T, tasks[1].X.T).min())
        kappa = 1.0 / np.sin(angle / 2.0)
        assert report.kappa.upper == pytest.approx(kappa, rel=1e-8)
        assert report.kappa.lower <= kappa * (1.0 + EXACT)
        assert predicted_rate(report, "cyclic", "sharp").per_cycle == pytest.approx(np.cos(angle) ** 2, rel=1e-8)
        sigma = np.sqrt(1.0 - np.cos(angle))
        random = predicted_rate(report, "random", "sharp").per_step
        assert random == pytest.approx(np.sqrt(1.0 - sigma**2 / 2.0), rel=1e-8)
        exact = np.linalg.svd(np.vstack([task.X for task in tasks]), compute_uv=False)[-1]
        assert report.least_singular_value is not None and report.least_singular_value.contains(exact, EXACT)


def test_the_search_reaches_the_exact_kappa_of_two_affine_sets() -> None:
    ratios = []
    for seed in range(30):
        tasks, theta = affine(seed)
        report = report_of(tasks, theta)
        ratios.append(report.kappa.lower / report.kappa.upper)
    assert min(ratios) > 0.99


def test_several_affine_sets_contract_as_proved() -> None:
    for seed in range(20):
        tasks, theta = affine(seed, num_tasks=3)
        report = report_of(tasks, theta)
        cyclic, random = (predicted_rate(report, kind, "sharp") for kind in ("cyclic", "random"))
        X = np.vstack([task.X for task in tasks])
        joint = np.linalg.pinv(X) @ X
        projectors = [np.eye(len(theta)) - np.linalg.pinv(task.X) @ task.X for task in tasks]
        product = projectors[2] @ projectors[1] @ projectors[0]
        norm = np.linalg.norm(product @ projectors[2] @ joint, 2)
        assert cyclic.per_cycle <= norm * (1.0 + 1e-8)
        assert report.cycle_spectral_radius == pytest.approx(np.abs(np.linalg.eigvals(product @ joint)).max(), abs=1e-8)
        mean = sum(projectors) / 3.0
        assert random.per_step**2 == pytest.approx(np.linalg.norm(mean @ joint, 2), rel=1e-8)


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
def test_nearly_parallel_samples_are_not_taken_for_parallel_ones(gap: float) -> None:
    """Within one task or across two: kappa = 1 / sin(phi / 2) by hand, never reported below."""
    first, second, third = np.array([1.0, 0.0, 0.0]), np.array([1.0, gap, 0.0]), np.array([0.0, 0.6, 0.8])
    across = [mp.Task([each], [each.sum()], "regression") for each in (first, second)]
    exact = 1.0 / np.sin(np.arctan(gap) / 2.0)
    report = regularity(mp.networks.Linear(3), across, np.ones(3), 0.1)
    assert exact * (1.0 - 1e-15) <= report.kappa.upper <= exact * (1.0 + 0.01)
    assert report.limit.cycle_norm >= np.cos(np.arctan(gap)) ** 2
    together = np.stack([first, second])  # spans the first two axes, at cos(phi) = 0.6 from the third sample
    within = [mp.Task(X, X.sum(axis=1), "regression") for X in (together, third[None])]
    exact = 1.0 / np.sin(np.arccos(0.6) / 2.0)
    report = regularity(mp.networks.Linear(3), within, np.ones(3), 0.1)
    assert exact * (1.0 - 1e-15) <= report.kappa.upper <= exact * (1.0 + 0.01)


def test_samples_of_zeros_and_repeated_samples_are_harmless() -> None:
    zero, repeated = mp.Task([[0.0, 0.0], [1.0, 0.0]], [0.0, 1.0], "regression"), np.array([[1.0, 2.0]] * 2)
    tasks = [zero, mp.Task(repeated, [3.0, 3.0], "regression")]
    angle = np.arccos(1.0 / np.sqrt(5.0))
    assert regularity(mp.networks.Linear(2), tasks, [1.0, 1.0], 0.1).kappa.upper == pytest.approx(1 / np.sin(angle / 2))
    nothing = [mp.Task([[0.0]], [0.0], "regression")]
    for model in (mp.networks.Linear(1), mp.networks.SquaredLinear(1)):
        assert regularity(model, nothing, np.ones(model.num_parameters), 0.1).kappa.upper == np.inf


def test_lemma_d2_is_refuted_by_a_ratio_of_distances() -> None:
    """Two nearly parallel regression constraints: kappa is at least 1 / sin(phi / 2), the paper's bound about 2."""
    tasks = [mp.Task([[1.0, 0.0]], [1.0], "regression"), mp.Task([[1.0, 0.01]], [1.0], "regression")]
    report = regularity(mp.networks.Linear(2), tasks, [1.0, 0.0], 0.1)
    assert report.kappa.lower_proved and report.kappa.lower > 100.0
    assert report.paper_limit.kappa < 1.1

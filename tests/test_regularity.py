"""Regularity of curved sets: proved constants against certified projections, closed forms, kinks and bad input."""

from __future__ import annotations

import itertools
import math

import cvxpy
import numpy as np
import pytest
import torch

import margin_projection as mp
from margin_projection.networks import FullyConnected, Linear, SimplifiedReLU, SquaredLinear
from margin_projection.rates import PredictionStatus, predicted_rate
from margin_projection.regularity import Interval, PointState, RegularityReport, paper_formulas, regularity
from margin_projection.regularity.ball import BallConstants
from margin_projection.regularity.constants import ConstantBounds
from margin_projection.regularity.contraction import cyclic_factor, first_cycle_factor
from margin_projection.regularity.equality_ball import EqualityNeighbourhood
from margin_projection.regularity.inequality_ball import InequalityNeighbourhood
from margin_projection.regularity.point_geometry import PointGeometry

HULL = 1e-6  # relative accuracy of the peer's conic solver
SOUND = 1e-7
Case = tuple[mp.networks.Model, list[mp.Task], np.ndarray]


def case(
    model: mp.networks.Model, seed: int, kind: str = "classification", num_tasks: int = 2, samples: int = 2
) -> Case:
    """Tasks with a common solution, and the projection of a random start onto C*."""
    tasks, _ = mp.tasks.teacher_tasks(model, num_tasks, samples, seed=seed, kind=kind)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    point = mp.project(model.initialize(seed, scale=0.5), joint, tolerance=1e-12).point
    return model, tasks, point


def report_of(instance: Case, share: float = 1e-3, **options: object) -> RegularityReport:
    model, tasks, point = instance
    return regularity(model, tasks, point, share * float(np.linalg.norm(point)), **options)  # type: ignore[arg-type]


def neighbourhood_of(instance: Case) -> InequalityNeighbourhood | EqualityNeighbourhood:
    model, tasks, point = instance
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    theta = torch.as_tensor(point)
    geometry = PointGeometry(joint, theta)
    bounds = ConstantBounds(model, joint.tensors(theta.device)[0], theta)
    if joint.is_equality.all():
        return EqualityNeighbourhood(geometry, bounds)
    return InequalityNeighbourhood(geometry, bounds, np.abs(geometry.values) <= 1e-7)


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("seed", range(6))
def test_kappa_on_a_ball_holds_at_certified_points(kind: str, seed: int) -> None:
    """Random points of balls of several sizes: certified distances, never beyond what is proved."""
    model, tasks, point = instance = case(SquaredLinear(4), seed, kind, num_tasks=2 + seed % 2, samples=1)
    neighbourhood, generator = neighbourhood_of(instance), np.random.default_rng(seed)
    sets = [mp.MarginSet(model, task) for task in tasks]
    checked = 0
    for share in (1e-4, 1e-3, 1e-2):
        ball = neighbourhood.at(share * float(np.linalg.norm(point)))
        if not math.isfinite(ball.kappa):
            continue
        for _ in range(4):
            draw = generator.standard_normal(point.size)
            x = point + ball.radius * draw / np.linalg.norm(draw)
            joint = mp.project(x, sets)
            each = np.array([mp.project(x, one).distance for one in sets])
            allowed = min(ball.kappa * each.max(), ball.kappa_euclidean * float(np.linalg.norm(each)))
            assert joint.certificate.lower_bound <= allowed * (1.0 + SOUND) + 1e-12
            for task, one in enumerate(sets):  # from a point of C_a
                onto = mp.project(x, one)
                if np.linalg.norm(onto.point - point) > ball.radius:
                    continue
                others = max(mp.project(onto.point, other).distance for other in sets if other is not one)
                distance = mp.project(onto.point, sets).certificate.lower_bound
                assert distance <= ball.kappa_from_set[task] * others * (1.0 + SOUND) + 1e-9
            checked += 1
    assert checked


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_one_step_and_one_cycle_contract_as_proved(kind: str) -> None:
    """(S) and the cyclic factor on runs from the granted basin, by certified distances."""
    granted = 0
    for seed in range(8):
        model, tasks, point = instance = case(SquaredLinear(4), seed, kind, num_tasks=2 + seed % 2, samples=1)
        report = report_of(instance, draws=0)
        prediction = predicted_rate(report, "cyclic", "sharp")
        if prediction.status is not PredictionStatus.PROVED:
            continue
        granted += 1
        draw = np.random.default_rng(seed).standard_normal(point.size)
        start = point + prediction.radius * draw / np.linalg.norm(draw)
        run = mp.sequential_projections(model, tasks, start=start, num_steps=6 * len(tasks), tolerance=1e-14)
        ends = run.joint_distances[0, len(tasks) :: len(tasks)]
        lower = run.joint_lower_bounds[0, len(tasks) :: len(tasks)]
        assert (lower[1:] <= prediction.per_cycle * ends[:-1] * (1.0 + SOUND) + 1e-12).all()
        assert (np.linalg.norm(run.points[0] - point, axis=1) <= report.radius).all()
    assert granted >= 3


@pytest.mark.parametrize("seed", range(4))
def test_best_margin_against_a_conic_solver_at_kinks(seed: int) -> None:
    """All pieces of a ReLU network at a point on kinks, enumerated."""
    model, tasks, point = instance = case(FullyConnected((8, 6, 1), "relu"), seed, samples=6)
    report = report_of(instance, draws=0)
    geometry = PointGeometry(mp.intersection([mp.MarginSet(model, t) for t in tasks]), torch.as_tensor(point))
    rows = geometry.rows.jacobian().numpy()
    count, pieces = geometry.values.size, []
    for j in np.flatnonzero(np.abs(geometry.values) <= 1e-7):
        own = np.flatnonzero(geometry.kink_samples == j)
        for sides in itertools.product((0.0, 1.0), repeat=len(own)):
            change = (np.array(sides) * geometry.flips[own]) @ rows[count + own]
            pieces.append(geometry.system.signs[j] * rows[j] + change)
    weights = cvxpy.Variable(len(pieces), nonneg=True)
    objective = cvxpy.Minimize(cvxpy.norm(np.array(pieces).T @ weights))
    brute = float(cvxpy.Problem(objective, [cvxpy.sum(weights) == 1]).solve(solver=cvxpy.CLARABEL))
    assert report.state is PointState.KINK and len(pieces) > count // 2
    assert report.limit.kappa_euclidean == report.limit.kappa  # no singular value of one piece alone
    assert report.mfcq_best.contains(brute, HULL)
    assert report.mfcq_direction is not None
    assert (np.array(pieces) @ report.mfcq_direction).min() >= report.mfcq_best.lower - 1e-9
    assert report.mfcq_along_theta.lower == pytest.approx(model.degree / report.norm, rel=1e-6)
    assert predicted_rate(report, "cyclic", "limit").status is PredictionStatus.NOT_APPLICABLE
    assert math.isfinite(report.kappa.upper) and report.basin_cyclic.radius == 0.0


@pytest.mark.parametrize(
    "model",
    [
        Linear(6),
        SquaredLinear(4),
        SimplifiedReLU(4, 3),
        FullyConnected((4, 5, 1), "squared_relu"),
        FullyConnected((4, 5, 1)),
    ],
    ids=repr,
)
def test_intervals_are_ordered_and_the_sharp_bound_is_never_worse(model: mp.networks.Model) -> None:
    for seed in range(3):
        report = report_of(case(model, seed), draws=1)
        assert report.euler_residual < 1e-12
        for interval in (report.mfcq_best, report.unit_margin, report.metric_regularity, report.lipschitz,
                         report.smoothness, report.kappa, report.kappa_limit, report.pairing):  # fmt: skip
            assert interval.lower <= interval.upper
        assert report.mfcq_best.lower >= report.mfcq_along_theta.lower * (1.0 - 1e-9)
        assert report.kappa_gain >= 1.0 - 1e-9
        assert report.kappa_limit.upper <= report.paper_local.kappa * (1.0 + 1e-9)


def test_closed_form_of_the_squared_linear_model() -> None:
    """One sample a task, d = 1: f = (u^2 - v^2) x; theta* = (1, 0), x = 1: G, beta, margin and chi by hand."""
    tasks = [mp.Task([[1.0]], [1.0]), mp.Task([[0.5]], [1.0])]
    report = regularity(SquaredLinear(1), tasks, [math.sqrt(2.0), 0.0], 0.01)
    assert [list(each) for each in report.active] == [[], [0]]
    assert report.mfcq_best.contains(math.sqrt(2.0), 1e-9)  # |grad| = 2 * 0.5 * sqrt(2)
    assert report.smoothness.contains(1.0, 1e-6) and report.smoothness.upper == pytest.approx(1.0)
    assert "no active constraint" in report.notes[0]
    assert report.pairing.upper <= 0.01 * 1.0 / (math.sqrt(2.0) - 0.01) + 1e-12
    assert report.pairing.lower == 0.0  # the branch u^2 - v^2 >= 2, u > 0 is convex


def test_pairing_of_a_curve_reaches_its_curvature() -> None:
    """u^2 - v^2 = 1 at (1, 0) has curvature 1: the pairing of points at distance 2 delta tends to delta."""
    tasks = [mp.Task([[1.0]], [1.0], "regression")]
    report = regularity(SquaredLinear(1), tasks, [1.0, 0.0], 1e-3)
    assert report.pairing.upper == pytest.approx(1e-3, rel=0.01)
    assert report.pairing.lower > 0.5e-3


def test_interior_points_have_nothing_to_converge_to() -> None:
    tasks = [mp.Task([[1.0, 0.0]], [1.0])]
    report = regularity(Linear(2), tasks, [3.0, 0.0], 0.5)
    assert report.state is PointState.INTERIOR and report.kappa.upper == 0.0
    assert report.mfcq_best.lower == math.inf and report.active[0].size == 0
    assert predicted_rate(report, "cyclic").status is PredictionStatus.IMMEDIATE


def test_dependent_regression_gradients_are_reported() -> None:
    """Theorem 5's model with two equal samples in different tasks: no metric regularity of the intersection."""
    tasks = [mp.Task([[1.0, 2.0]], [1.0], "regression"), mp.Task([[1.0, 2.0]], [1.0], "regression")]
    report = regularity(SquaredLinear(2), tasks, [1.0, 0.0, 0.0, 0.0], 1e-3)
    assert report.kappa.upper == math.inf and any("dependent" in note for note in report.notes)
    assert report.least_singular_value is not None and report.least_singular_value.lower == 0.0


def test_dependent_gradients_within_a_task_prove_no_ratio() -> None:
    """Equal gradients at (1, 0, 0, 0), different samples: the set of the task is no manifold of its linearization."""
    tasks = [
        mp.Task([[1.0, 2.0], [1.0, -1.0]], [1.0, 1.0], "regression"),
        mp.Task([[1.0, 0.5]], [1.0], "regression"),
    ]
    report = regularity(SquaredLinear(2), tasks, [1.0, 0.0, 0.0, 0.0], 1e-3, draws=0)
    assert (report.kappa.lower, report.kappa.upper) == (0.0, math.inf)
    assert report.kappa_limit.lower == 0.0


def test_global_constants_follow_the_degree() -> None:
    linear = report_of(case(Linear(4), 0), draws=0)
    squared = report_of(case(SquaredLinear(3), 0), draws=0)
    cubic = report_of(case(FullyConnected((3, 4, 1), "squared_relu"), 1), draws=0)
    assert math.isfinite(linear.global_constants.lipschitz) and linear.global_constants.smoothness == 0.0
    assert squared.global_constants.lipschitz == math.inf and math.isfinite(squared.global_constants.smoothness)
    assert cubic.global_constants.lipschitz == cubic.global_constants.smoothness == math.inf
    assert cubic.paper_global.delta == 0.0
    assert predicted_rate(cubic, "cyclic", "theorem", constants="global").status is PredictionStatus.NOT_APPLICABLE


def test_paper_formulas_by_hand() -> None:
    formulas = paper_formulas(3.0, 2.0, norm=2.0, degree=2.0, num_tasks=3, smallest_label=0.5)
    assert formulas.kappa == pytest.approx(6.0)
    assert (1.0 - formulas.eps) ** -2 == pytest.approx(1.0 + 4.0 / (2 * 2 * 9 * 4))  # type: ignore[operator]
    assert formulas.delta == pytest.approx(0.5 * formulas.eps * 2.0 / (2.0 * 2.0))  # type: ignore[operator]
    alone = paper_formulas(3.0, 2.0, norm=2.0, degree=2.0, num_tasks=1, smallest_label=1.0)
    assert alone.eps is None and alone.delta is None
    assert paper_formulas(3.0, math.inf, 2.0, 2.0, 3, 1.0).delta == 0.0
    assert paper_formulas(3.0, 0.0, 2.0, 1.0, 3, 1.0).delta == math.inf
    assert paper_formulas(3.0, 1.0, 2.0, 2.0, 3, 0.0).kappa == math.inf


def test_what_needs_a_larger_ball_than_was_looked_at_is_not_proved() -> None:
    """R >= rho (1 + kappa) wherever kappa is finite, up to the radius from which on the Jacobians tell nothing."""
    generator = np.random.default_rng(11)
    model, theta = SquaredLinear(4), generator.standard_normal(8)
    samples = generator.standard_normal((2, 1, 4))
    tasks = [mp.Task(X, model.forward(torch.as_tensor(theta), torch.as_tensor(X)), "regression") for X in samples]
    neighbourhood, low, high = neighbourhood_of((model, tasks, theta)), 1e-6, 1.0
    for _ in range(40):
        radius = math.sqrt(low * high)
        ball = neighbourhood.at(radius)
        assert math.isinf(ball.kappa) or radius * (1.0 + ball.kappa) <= ball.influence_radius
        low, high = (radius, high) if math.isfinite(ball.kappa) else (low, radius)
    assert 1e-6 < low < high < 1.0


def test_many_tasks_on_curved_sets_overflow_nothing() -> None:
    ball = BallConstants(1.0, 2.0, 1.0, 1.0, 2.0, 2.0, np.full(2000, 2.0), 0.9, math.inf, math.inf, "by hand")
    assert cyclic_factor(ball, 2000) == first_cycle_factor(ball, 2000) == math.inf


def test_the_limit_at_a_kink_counts_the_steepest_piece() -> None:
    """[w_1 x]_+ + [w_2 x]_+ at a kink of a sample: ratios of certified distances within 1e-4 of the point."""
    model, theta = SimplifiedReLU(2, 2), np.array([1.0, 0.0, 0.0, 1.0])
    tasks = [mp.Task([[1.0, 0.0]], [1.0]), mp.Task([[1.0, -0.08]], [1.0])]
    sets, draws = [mp.MarginSet(model, task) for task in tasks], np.random.default_rng(0).standard_normal((60, 4))
    limit = neighbourhood_of((model, tasks, theta)).limit()
    ratios = []
    for x in theta + 1e-4 * draws:
        each = max(mp.project(x, one).distance for one in sets)
        ratios.append(mp.project(x, sets).certificate.lower_bound / each if each > 1e-9 else 0.0)
    assert 1.004 < max(ratios) <= limit.kappa


def test_kinks_behind_one_another_are_seen_where_their_coefficients_vanish() -> None:
    """A first-layer kink whose unit enters a second-layer kink alone: f does not feel it on the piece of torch."""
    model, theta = FullyConnected((1, 2, 2, 1)), np.array([1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    report = regularity(model, [mp.Task([[1.0]], [1.0])] * 2, theta, 1e-3, draws=0)
    assert report.state is PointState.NESTED_KINKS and not report.mfcq_best.lower_proved
    assert math.isinf(report.metric_regularity.upper) and math.isinf(report.limit.normal_curvature)
    assert report.kappa_limit.upper >= math.sqrt(5.0) * report.norm / 3.0 - 1e-9  # the steepest piece: (1, 1, 1, 1, 1)
    silent = np.array([1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0])  # dead units that lead nowhere: f is differentiable
    assert regularity(model, [mp.Task([[1.0]], [1.0])] * 2, silent, 1e-3, draws=0).state is PointState.SMOOTH


def test_regression_at_kinks_proves_no_limit() -> None:
    tasks = [mp.Task([[1.0, 0.0]], [1.0], "regression"), mp.Task([[1.0, 0.3]], [1.0], "regression")]
    report = regularity(SimplifiedReLU(2, 2), tasks, [1.0, 0.0, 0.0, 0.0], 1e-2, draws=0)
    assert report.state is PointState.KINK and math.isinf(report.limit.normal_curvature)
    assert math.isinf(report.kappa_limit.upper) and math.isinf(report.metric_regularity.upper)
    assert report.cycle_spectral_radius is None and any("may have a kink" in note for note in report.notes)


class Largest(torch.nn.Module):
    """max_i x_i w_i."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return torch.max(X * self.weight, dim=-1).values


def test_a_tie_of_maxima_is_no_smooth_point() -> None:
    model = mp.networks.from_module(Largest(), (3,))
    tasks = [mp.Task([[1.0, 1.0, -1.0]], [1.0]), mp.Task([[1.0, 0.5, 0.3]], [1.0])]
    tie = regularity(model, tasks, [1.0, 1.0, 0.0], 1e-3, draws=0)
    assert tie.state is PointState.UNLISTED_KINKS and not tie.mfcq_best.lower_proved
    assert math.isinf(tie.limit.normal_curvature) and tie.kappa_limit.lower == 0.0
    assert predicted_rate(tie, "random", "limit").status is PredictionStatus.NOT_APPLICABLE


@pytest.mark.parametrize("share", [1e-9, 1e-11, 1e-12])
def test_rounding_on_tiny_balls_contradicts_nothing(share: float) -> None:
    """Distances of 1e-11 ||theta*|| are known to few digits: what their ratios prove is cut accordingly."""
    for seed in range(3):
        for instance in (case(Linear(1), seed, num_tasks=1), case(SquaredLinear(3), seed, "regression", 1 + seed, 1)):
            report = report_of(instance, share)
            assert report.kappa.lower <= report.kappa.upper


def test_torch_points_and_progress() -> None:
    model, tasks, point = case(SquaredLinear(3), 2)
    said: list[str] = []
    report = regularity(model, tasks, torch.as_tensor(point), 1e-3, progress=said.append)
    again = regularity(model, tasks, point, 1e-3)
    assert len(said) >= 3 and report.kappa == again.kappa and report.pairing == again.pairing


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"theta_star": [0.1, 0.1]}, "theta_star must be in C*"),
        ({"theta_star": [1.0, 1.0, 1.0]}, "theta_star must be of shape"),
        ({"theta_star": [math.nan, 1.0]}, "finite"),
        ({"radius": 1.5}, "the ball does not reach 0"),
        ({"radius": 0.0}, "radius must be"),
        ({"radius": -1.0}, "radius must be"),
        ({"theta_star": [1.0 - 1e-8, 1.0], "radius": 1e-9}, "nearer to C*, or radius"),
        ({"tasks": []}, "tasks must be a nonempty sequence"),
        ({"tasks": [mp.Task([[1.0, 0.0]], [1.0]), mp.Task([[1.0, 0.0]], [1.0], "regression")]}, "tasks of one kind"),
        ({"tolerance": 0.0}, "tolerance must be"),
        ({"draws": -1}, "draws must be"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bad_input_names_the_argument(change: dict[str, object], words: str) -> None:
    arguments: dict[str, object] = {
        "model": Linear(2), "tasks": [mp.Task([[1.0, 0.0]], [1.0])], "theta_star": [1.0, 1.0], "radius": 0.1,
    }  # fmt: skip
    with pytest.raises(mp.InputError) as caught:
        regularity(**{**arguments, **change})  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_a_value_beyond_a_proved_bound_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="beyond the bound"):
        Interval.between(1.1, 1.0, "search", "proof", False)
    assert Interval.between(1.0 + 1e-9, 1.0, "search", "proof", False).lower == 1.0


def test_where_the_papers_kappa_fails_the_report_says_so() -> None:
    """Two nearly parallel regression constraints refute Lemma D.2; curved classification sets need more on a ball."""
    tasks = [mp.Task([[1.0, 0.0]], [1.0], "regression"), mp.Task([[1.0, 0.01]], [1.0], "regression")]
    assert any("Lemma D.2 is refuted here" in note for note in regularity(Linear(2), tasks, [1.0, 0.0], 0.1).notes)
    apart = [mp.Task([[1.0, 0.0]], [1.0], "regression"), mp.Task([[0.0, 1.0]], [1.0], "regression")]
    assert not regularity(Linear(2), apart, [1.0, 1.0], 0.1).notes
    curved = mp.tasks.catastrophic_pair(0.005)
    model = SquaredLinear(2)
    point = mp.project([3.0, 0.1, 0.1, 0.3], [mp.MarginSet(model, task) for task in curved]).point
    notes = regularity(model, curved, point, 0.3, draws=0).notes
    assert any("proved as the ball shrinks, not on the ball" in note for note in notes)

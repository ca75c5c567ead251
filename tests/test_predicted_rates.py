"""Predicted rates by hand, comparison with observed ones, and violations flagged."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import margin_projection as mp
from margin_projection.networks import FullyConnected, Linear, SquaredLinear
from margin_projection.rates import (
    ComparisonStatus,
    PredictedRate,
    PredictionStatus,
    RateStatus,
    compare_rates,
    observed_rate,
    predicted_rate,
)
from margin_projection.regularity import RegularityReport, regularity
from margin_projection.tasks import orderings

ANGLE = 0.7


def lines() -> tuple[list[mp.Task], RegularityReport]:
    """Two lines of the plane through (1, 1) at angle 0.7, as regression tasks."""
    normals = [np.array([1.0, 0.0]), np.array([math.cos(ANGLE), math.sin(ANGLE)])]
    tasks = [mp.Task([normal], [normal.sum()], "regression") for normal in normals]
    return tasks, regularity(Linear(2), tasks, [1.0, 1.0], 0.5, draws=0)


def three_halfspaces() -> RegularityReport:
    tasks = [mp.Task([row], [1.0]) for row in np.eye(3)]
    return regularity(Linear(3), tasks, [1.0, 1.0, 1.0], 0.5, draws=0)


def test_theorem_6_by_hand() -> None:
    """G = 1, ||theta*||^2 = 3, r = 1, M = 3: exponents 1 / (4 G^2 ||theta*||^2 M) and the same over M^2, a step."""
    report = three_halfspaces()
    random, cyclic = (predicted_rate(report, kind, "theorem") for kind in ("random", "cyclic"))
    assert random.per_step == pytest.approx(math.exp(-1.0 / 36.0))
    assert cyclic.per_step == pytest.approx(math.exp(-1.0 / 108.0))
    assert cyclic.per_cycle == pytest.approx(math.exp(-1.0 / 36.0))
    assert random.status is PredictionStatus.PRINTED and random.radius == math.inf  # beta = 0
    proof = predicted_rate(report, "cyclic", "proof")  # kappa^2 = 3
    assert proof.per_cycle == pytest.approx((1.0 - 1.0 / 12.0) ** 0.25)
    assert predicted_rate(report, "random", "proof").per_step == pytest.approx(math.sqrt(1.0 - 1.0 / 18.0))


def test_proposition_12_by_hand() -> None:
    """Convex sets (eps = 0) with kappa = sqrt(3): rho_iid = 1 - 1/9, rho_cyc = (1 - 1/6)^{1/4}."""
    report = three_halfspaces()
    assert report.kappa.upper == pytest.approx(math.sqrt(3.0))
    assert predicted_rate(report, "random", "proposition_12").per_step == pytest.approx(math.sqrt(8.0 / 9.0))
    assert predicted_rate(report, "cyclic", "proposition_12").per_cycle == pytest.approx((5.0 / 6.0) ** 0.25)


def test_sharp_by_hand_for_orthogonal_halfspaces() -> None:
    """From C_3, d(x, C*) <= sqrt(2) max(d_1, d_2); E d^2 contracts by 1 - 1/3 (orthonormal gradients)."""
    report = three_halfspaces()
    assert report.ball.kappa_from_set == pytest.approx([math.sqrt(2.0)] * 3)
    assert predicted_rate(report, "cyclic", "sharp").per_cycle == pytest.approx(math.sqrt(1.0 - 1.0 / 4.0))
    assert predicted_rate(report, "random", "sharp").per_step == pytest.approx(math.sqrt(2.0 / 3.0))


def test_two_lines_observed_equals_predicted() -> None:
    tasks, report = lines()
    run = mp.sequential_projections(Linear(2), tasks, start=[1.1, 1.2], num_steps=60)
    observed = observed_rate(run)
    assert observed.status is RateStatus.LINEAR
    predictions = [predicted_rate(report, "cyclic", bound) for bound in ("theorem", "proof", "proposition_12", "sharp")]
    start = float(np.linalg.norm([0.1, 0.2]))
    comparisons = compare_rates(observed, predictions, start_distance=start)
    assert all(each.status is ComparisonStatus.CONSISTENT and each.granted for each in comparisons)
    sharp = comparisons[-1]
    assert sharp.prediction.per_cycle == pytest.approx(math.cos(ANGLE) ** 2)
    assert sharp.ratio == pytest.approx(1.0, rel=1e-6) and sharp.exponent_ratio == pytest.approx(1.0, rel=1e-6)
    assert sharp.worst_excess == pytest.approx(1.0, rel=1e-6)


def test_random_orderings_of_two_lines_are_within_the_bound() -> None:
    tasks, report = lines()
    runs = [
        mp.sequential_projections(Linear(2), tasks, orderings.iid(seed), [1.2, 1.3], num_steps=40) for seed in range(40)
    ]
    (comparison,) = compare_rates(observed_rate(runs), predicted_rate(report, orderings.iid(0), "sharp"))
    assert comparison.status in (ComparisonStatus.CONSISTENT, ComparisonStatus.NOT_COMPARABLE)
    mean = np.mean([run.joint_distances[0] ** 2 for run in runs], axis=0)
    bound = mean[0] * comparison.prediction.per_step ** (2 * np.arange(41))
    assert mean[1] <= bound[1] * 1.5  # one step: half of the runs stay where they are


def test_a_periodic_run_is_not_held_against_a_random_bound() -> None:
    tasks, report = lines()
    observed = observed_rate(mp.sequential_projections(Linear(2), tasks, start=[1.2, 1.3], num_steps=60))
    (comparison,) = compare_rates(observed, predicted_rate(report, "random"))
    assert comparison.status is ComparisonStatus.NOT_COMPARABLE and comparison.ratio is None


@pytest.mark.parametrize("nothing", [None, [], 0.5, ["sharp"]])
def test_reports_and_predictions_are_asked_for(nothing: object) -> None:
    tasks, _ = lines()
    observed = observed_rate(mp.sequential_projections(Linear(2), tasks, start=[1.2, 1.3], num_steps=60))
    with pytest.raises(mp.InputError, match="report must be the result of regularity"):
        predicted_rate(nothing)  # type: ignore[arg-type]
    with pytest.raises(mp.InputError, match="predicted must be one result of predicted_rate"):
        compare_rates(observed, nothing)  # type: ignore[arg-type]


def test_a_violated_proved_bound_is_a_contradiction() -> None:
    tasks, report = lines()
    run = mp.sequential_projections(Linear(2), tasks, start=[1.2, 1.3], num_steps=60)
    true = predicted_rate(report, "cyclic", "sharp")
    forged = dataclasses.replace(true, per_step=0.9 * true.per_step, per_cycle=0.81 * true.per_cycle)
    observed = observed_rate(run)
    assert compare_rates(observed, forged, start_distance=0.4)[0].status is ComparisonStatus.CONTRADICTION
    assert compare_rates(observed, forged)[0].status is ComparisonStatus.EXCEEDED
    far = dataclasses.replace(forged, radius=0.01)
    assert compare_rates(observed, far, start_distance=0.4)[0].status is ComparisonStatus.EXCEEDED


def test_another_order_of_the_tasks_contradicts_nothing() -> None:
    """Three lines of the plane met in the order 0, 2, 1: cyclic bounds speak of 0, 1, 2."""
    for seed in range(6):
        normals = np.random.default_rng(seed).standard_normal((3, 3))
        tasks = [mp.Task([normal], [normal.sum()], "regression") for normal in normals]
        prediction = predicted_rate(regularity(Linear(3), tasks, np.ones(3), 0.5, draws=0), "cyclic", "sharp")
        run = mp.sequential_projections(Linear(3), tasks, [0, 2, 1] * 8, [1.4, 1.0, 1.0], num_steps=24)
        observed = observed_rate(run)
        assert observed.order == (0, 2, 1)
        comparison = compare_rates(observed, prediction, start_distance=0.4)[0]
        assert comparison.status is not ComparisonStatus.CONTRADICTION


def test_runs_that_stay_away_exceed_every_bound() -> None:
    """Theorem 5: d stays above 2, whatever a point of C* would grant nearby."""
    model, tasks = SquaredLinear(2), mp.tasks.catastrophic_pair(0.005)
    run = mp.sequential_projections(model, tasks, num_steps=60)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    point = mp.project(run.points[0, -1], joint).point
    report = regularity(model, tasks, point, 1e-3)
    comparison = compare_rates(observed_rate(run), predicted_rate(report, "cyclic", "sharp"), start_distance=3.0)[0]
    assert not comparison.granted
    assert comparison.status in (ComparisonStatus.EXCEEDED, ComparisonStatus.NOT_COMPARABLE)


def test_statuses() -> None:
    model = FullyConnected((3, 4, 1), "squared_relu")
    tasks, teacher = mp.tasks.teacher_tasks(model, 2, 2, seed=3)
    joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
    report = regularity(model, tasks, mp.project(0.9 * teacher, joint).point, 1e-3, draws=0)
    assert predicted_rate(report, "cyclic", "theorem", constants="global").status is PredictionStatus.NOT_APPLICABLE
    assert predicted_rate(report, "cyclic", "limit").status in (PredictionStatus.LIMIT, PredictionStatus.VACUOUS)
    vacuous = [predicted_rate(report, kind, bound) for kind in ("cyclic", "random") for bound in ("theorem", "sharp")]
    assert all(0.0 <= each.per_step <= 1.0 or each.status is not PredictionStatus.PROVED for each in vacuous)
    assert {each.name for each in PredictionStatus} >= {each.status.name for each in vacuous}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bound": "best"}, "bound must be one of"),
        ({"constants": "local"}, "constants must be one of"),
        ({"ordering": "without_replacement"}, "ordering must be"),
        ({"ordering": orderings.given([0, 1])}, "ordering must be"),
    ],
    ids=str,
)
def test_bad_input(change: dict[str, object], words: str) -> None:
    with pytest.raises(mp.InputError, match=words):
        predicted_rate(lines()[1], **change)  # type: ignore[arg-type]


def test_bad_comparisons() -> None:
    tasks, report = lines()
    observed = observed_rate(mp.sequential_projections(Linear(2), tasks, start=[1.2, 1.3], num_steps=20))
    prediction: PredictedRate = predicted_rate(report)
    with pytest.raises(mp.InputError, match="predicted must be"):
        compare_rates(observed, [])
    with pytest.raises(mp.InputError, match="observed must be"):
        compare_rates("observed", prediction)  # type: ignore[arg-type]
    with pytest.raises(mp.InputError, match="start_distance must be"):
        compare_rates(observed, prediction, start_distance=-1.0)


def test_distances_inside_a_cycle_contradict_nothing() -> None:
    """The bound speaks of whole cycles: between their ends the distance may stay, and taken every step it exceeds."""
    tasks, report = lines()
    run = mp.sequential_projections(Linear(2), tasks, start=np.array([1.0, 1.45]), num_steps=30)
    prediction = dataclasses.replace(predicted_rate(report), per_step=1e-3)
    for period, status in ((2, ComparisonStatus.CONTRADICTION), (1, ComparisonStatus.EXCEEDED)):
        compared = compare_rates(observed_rate(run, period=period), prediction, start_distance=0.45)
        assert compared[0].status is status

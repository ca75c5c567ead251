"""Algorithm 2: closed forms, peers, batches, choices, measures, failures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

import margin_projection as mp
from margin_projection.networks import FullyConnected, Linear, SimplifiedReLU, SquaredLinear
from margin_projection.networks.base import Structure
from margin_projection.networks.dense import DenseLinearization
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.tasks import catastrophic_pair, figure1, teacher_tasks
from margin_projection.trajectories.batch_bounds import diagonal_lower_bounds, halfspace_lower_bounds

CLOSED_FORM = 1e-12
EXACT_PEER = 1e-9
EPS = 0.005
A1, B, A2, C = 1 / 9 + EPS, 1 - EPS, 1 / 9 - EPS, 1 + EPS
PAIR = catastrophic_pair(EPS)


class Quadratic(SquaredLinear):
    """Dense forms theta^T R^T diag(x, -x) R theta with a rotation R: the structure QUADRATIC."""

    structure = Structure.QUADRATIC

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        draw = np.random.default_rng(3).standard_normal((self.num_parameters, self.num_parameters))
        self.rotation = torch.as_tensor(np.linalg.qr(draw)[0])

    def forward(self, theta, X):
        return super().forward(theta @ self.rotation.T, X)

    def linearize(self, theta, X):
        forms = self.coefficients(X)
        return DenseLinearization(
            self.forward(theta, X),
            2.0 * forms @ theta,
            lambda weights, vector: 2.0 * torch.einsum("n,npq,q->p", weights, forms, vector),
        )

    def __repr__(self) -> str:
        return f"Quadratic({self.dimension})"

    def coefficients(self, X):
        return self.rotation.T @ torch.diag_embed(super().coefficients(X)) @ self.rotation


class Squares(SquaredLinear):
    """f = <u^2, x>: v plays no part."""

    def forward(self, theta, X):
        return theta[..., : self.dimension].square() @ X.T

    def coefficients(self, X):
        return torch.cat([X, torch.zeros_like(X)], dim=1)


def starts(rows: int, size: int, scale: float = 0.5, seed: int = 0) -> np.ndarray:
    return scale * np.random.default_rng(seed).standard_normal((rows, size))


# ---- closed forms -------------------------------------------------------------------------------------------------


def test_first_two_steps_are_those_of_appendix_b():
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=2, choice="all")
    assert run.complete and run.num_runs == 4
    assert np.abs(np.abs(run.points[:, 1]) - [0, B**-0.5, 0, 0]).max() < CLOSED_FORM
    second = [0, 0.5 * B**-0.5, 0, np.sqrt(0.25 / B + 1 / C)]
    assert np.abs(np.abs(run.points[:, 2]) - second).max() < CLOSED_FORM
    signs = {tuple(np.sign(point[[1, 3]])) for point in run.points[:, 2]}
    assert len(signs) == 4
    assert np.abs(run.lower_bounds[:, 0] - B**-0.5).max() < CLOSED_FORM
    assert run.parents.tolist() == [-1, 0, 0, 1]


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_theorem_5_over_a_thousand_steps(kind):
    steps = 1000 if kind == "classification" else 200
    run = mp.sequential_projections(SquaredLinear(2), catastrophic_pair(EPS, kind), num_steps=steps, measure="none")
    assert (run.points[:, :, [0, 2]] == 0.0).all()
    assert (run.statuses == "GLOBAL").all()
    assert np.isnan(run.distances).all() and np.isnan(run.joint_distances).all()
    assert (run.forgetting.max(2)[:, 1:] >= (1.5 if kind == "classification" else 3.0)).all()


def test_joint_distances_of_theorem_5_have_certified_lower_bounds():
    run = mp.sequential_projections(SquaredLinear(2), PAIR, "without_replacement", num_steps=12, seed=3)
    assert (run.joint_lower_bounds >= 2.0).all()
    assert (run.joint_lower_bounds <= run.joint_distances + CLOSED_FORM).all()
    # From 0, C* is nearest at u[1]^2 = 1 / (1/9 + eps^2), v[2]^2 = eps / (1/9 + eps^2): both constraints are active.
    scale = 1 / 9 + EPS**2
    assert run.joint_distances[0, 0] == pytest.approx(np.sqrt((1 + EPS) / scale), rel=1e-9)


# ---- peers ----------------------------------------------------------------------------------------------------------


def polyhedron_projection(rows: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Lawson and Hanson's least-distance programming, by nonnegative least squares: nearest rows theta >= 1."""
    limits = 1.0 - rows @ point
    if limits.max() <= 0.0:
        return point
    matrix = np.vstack([rows.T, limits])
    weights, _ = nnls(matrix, np.eye(point.size + 1)[-1])
    residual = matrix @ weights - np.eye(point.size + 1)[-1]
    return point - residual[:-1] / residual[-1]


def test_linear_models_are_projections_onto_convex_sets():
    tasks, _ = teacher_tasks(Linear(5), num_tasks=3, samples=4, seed=2)
    run = mp.sequential_projections(Linear(5), tasks, num_steps=9)
    rows = [task.y[:, None] * task.X for task in tasks]
    point = np.zeros(5)
    for step in range(1, 10):
        point = polyhedron_projection(rows[(step - 1) % 3], point)
        assert np.abs(run.points[0, step] - point).max() < EXACT_PEER
        point = run.points[0, step]
        for m, each in enumerate(rows):
            nearest = polyhedron_projection(each, point)
            assert run.distances[0, step, m] == pytest.approx(np.linalg.norm(nearest - point), abs=EXACT_PEER)
        joint = polyhedron_projection(np.vstack(rows), point)
        assert run.joint_distances[0, step] == pytest.approx(np.linalg.norm(joint - point), abs=EXACT_PEER)
    assert run.complete


@given(st.integers(0, 10**6))
def test_convex_sets_are_approached_monotonically(seed):
    """Fejér monotonicity: no step moves away from any point of C*; distances to C* fall by at least the step."""
    tasks, teacher = teacher_tasks(Linear(4), num_tasks=3, samples=1, seed=seed % 50)
    start = starts(2, 4, seed=seed)
    run = mp.sequential_projections(Linear(4), tasks, "iid", start, num_steps=8, seed=seed)
    for target in (teacher, 2.0 * teacher):
        away = np.linalg.norm(run.points - target, axis=2)
        assert (np.diff(away, axis=1) <= EXACT_PEER).all()
    moved = np.linalg.norm(np.diff(run.points, axis=1), axis=2)
    fall = run.joint_distances[:, :-1] ** 2 - run.joint_distances[:, 1:] ** 2
    assert (fall >= moved**2 - EXACT_PEER * (1 + run.joint_distances[:, :-1] ** 2)).all()


def test_halfspaces_match_the_closed_form():
    tasks = [mp.Task([[3.0, 4.0]], [1]), mp.Task([[1.0, -1.0]], [-2.0], "regression")]
    run = mp.sequential_projections(Linear(2), tasks, num_steps=2)
    assert np.abs(run.points[0, 1] - [0.12, 0.16]).max() < CLOSED_FORM
    assert run.distances[0, 0].tolist() == pytest.approx([0.2, np.sqrt(2.0)], rel=CLOSED_FORM)
    assert run.multipliers[0, 0, 0] == pytest.approx(0.04, rel=CLOSED_FORM)
    assert run.points[0, 2] @ [1.0, -1.0] == pytest.approx(-2.0, rel=CLOSED_FORM)


# ---- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("model", [Linear(3), SquaredLinear(3), Quadratic(2)], ids=repr)
def test_a_batch_equals_a_loop_over_project(model, kind):
    """Onto sets of one sample, batches are vectorized; `project` is the peer."""
    tasks, _ = teacher_tasks(model, num_tasks=3, samples=1, seed=1, kind=kind)
    initial = starts(5, model.num_parameters)
    run = mp.sequential_projections(model, tasks, "iid", initial, num_steps=6, seed=4, measure="sets")
    sets = [mp.MarginSet(model, task) for task in tasks]
    for row, start in enumerate(initial):
        point = start
        for step, index in enumerate(run.indices):
            result = mp.project(point, sets[index])
            assert np.abs(result.point - run.points[row, step + 1]).max() < EXACT_PEER
            assert run.statuses[row, step] == result.status.name == "GLOBAL"
            assert result.distance == pytest.approx(run.gaps[row, step] + run.lower_bounds[row, step], abs=EXACT_PEER)
            assert np.abs(result.multipliers - run.multipliers[row, step]).max() < EXACT_PEER
            assert result.distance == pytest.approx(run.distances[row, step, index], abs=EXACT_PEER)
            point = run.points[row, step + 1]


def test_a_batch_of_networks_equals_its_runs():
    model = FullyConnected((2, 3, 1), "squared_relu")
    tasks, teacher = teacher_tasks(model, num_tasks=2, samples=2, seed=5)
    initial = teacher + 0.2 * starts(2, model.num_parameters)
    batch = mp.sequential_projections(model, tasks, start=initial, num_steps=3, starts=1)
    for row in range(2):
        single = mp.sequential_projections(model, tasks, start=initial[row], num_steps=3, starts=1)
        assert np.abs(single.points[0] - batch.points[row]).max() < EXACT_PEER
        assert np.abs(single.joint_distances[0] - batch.joint_distances[row]).max() < EXACT_PEER
    assert set(batch.statuses.ravel()) <= {"LOCAL", "STATIONARY", "GLOBAL"}
    assert (batch.distances >= batch.distance_lower_bounds).all()
    assert (batch.distances[:, [1, 3], 0] == 0.0).all() and (batch.distances[:, 2, 1] == 0.0).all()


@given(st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 1e3]), st.booleans())
def test_quadratic_bounds_of_a_batch_hold_for_any_multipliers(seed, scale, is_equality):
    """Against a row-by-row verifier, and never above the distance to any point of the set."""
    generator = np.random.default_rng(seed)
    points, form = scale * generator.standard_normal((4, 3)), generator.standard_normal(3)
    form[:2] = np.abs(form[:2]) * [1, -1]  # both signs: the set is not empty
    bound, weights = float(generator.normal()), generator.standard_normal(4)
    found = diagonal_lower_bounds(points, form, bound, is_equality, weights)
    nearest = mp.trajectories.one_constraint.secular_batch(
        torch.as_tensor(points), mp.trajectories.one_constraint.Spectrum(torch.as_tensor(form)), bound, is_equality
    )
    distances = np.linalg.norm(nearest.points.numpy() - points, axis=1)
    assert (found <= distances * (1 + 1e-12) + 1e-13 * scale).all()
    multipliers = nearest.multipliers.numpy()
    tight = diagonal_lower_bounds(points, form, bound, is_equality, multipliers)
    data = ([form], [1.0], [bound], [is_equality])
    peers = [quadratic_lower_bound(point, *data, [weight]) for point, weight in zip(points, multipliers, strict=True)]
    assert tight == pytest.approx(np.array(peers), rel=1e-9, abs=1e-12 * scale)
    assert tight == pytest.approx(distances, rel=1e-6, abs=1e-9 * scale)


@given(st.integers(0, 10**6), st.sampled_from([1e-3, 1.0, 1e3]), st.booleans())
def test_bounds_of_a_halfspace_equal_its_distance(seed, scale, is_equality):
    generator = np.random.default_rng(seed)
    points, form, bound = scale * generator.standard_normal((4, 3)), generator.standard_normal(3), generator.normal()
    gaps = bound - points @ form
    exact = (np.abs(gaps) if is_equality else np.maximum(gaps, 0)) / np.linalg.norm(form)
    found = halfspace_lower_bounds(points, form, float(bound), is_equality)
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-12 * scale)
    assert (found <= exact * (1 + 1e-13) + 1e-13 * scale).all()


def test_a_start_in_the_set_stays_and_torch_starts_are_read():
    run = mp.sequential_projections(SquaredLinear(2), PAIR, [0], torch.tensor([9.0, 9.0, 0.0, 0.0]), num_steps=1)
    assert (run.points[0, 0] == run.points[0, 1]).all() and run.gaps[0, 0] == 0.0
    assert isinstance(run.points, np.ndarray)


# ---- choices --------------------------------------------------------------------------------------------------------


def test_random_choice_is_uniform_and_depends_on_the_seed_alone():
    task = [figure1("c")]
    zeros = np.zeros((2000, 2))
    run = mp.sequential_projections(SquaredLinear(1), task, start=zeros, num_steps=1, choice="random", measure="none")
    again = mp.sequential_projections(SquaredLinear(1), task, start=zeros, num_steps=3, choice="random", measure="none")
    assert np.array_equal(run.points, again.points[:, :2])
    share = float((run.points[:, 1, 0] > 0).mean())
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(2000)
    assert np.allclose(np.abs(run.points[:, 1]), [[2**-0.5, 0.0]], atol=CLOSED_FORM)
    assert not run.complete and (run.minimizer_counts == 2).all()
    other = mp.sequential_projections(SquaredLinear(1), task, start=zeros, num_steps=1, choice="random", seed=1)
    assert not np.array_equal(run.points, other.points)


def test_random_choice_reaches_every_vertex_of_figure_1b():
    task = [figure1("b")]
    runs = [
        mp.sequential_projections(SimplifiedReLU(2), task, num_steps=1, choice="random", seed=seed, measure="none")
        for seed in range(12)
    ]
    ends = {tuple(run.points[0, 1].round(9)) for run in runs}
    assert ends and all(run.statuses[0, 0] == "GLOBAL" for run in runs)
    found = mp.project([0.0, 0.0], mp.MarginSet(SimplifiedReLU(2), task[0]), all_minimizers=True)
    assert ends <= {tuple(point.round(9)) for point in found.minimizers}


def test_the_tree_of_figure_1c_has_both_branches_and_ends_there():
    run = mp.sequential_projections(SquaredLinear(1), [figure1("c")], num_steps=4, choice="all")
    assert run.complete and run.num_runs == 2 and run.parents.tolist() == [-1, 0]
    assert run.points[:, 1, 0].tolist() == pytest.approx([2**-0.5, -(2**-0.5)], rel=CLOSED_FORM)
    assert (run.points[:, 1:] == run.points[:, 1:2]).all()
    assert run.multipliers[:, 0, 0].tolist() == pytest.approx([0.25, 0.25], rel=CLOSED_FORM)


def test_branches_that_meet_are_merged():
    """f = u^2: from 0 to f = 1 there are two ways, and both go on to f = 0 at the one point 0."""
    tasks = [mp.Task([[1.0]], [value], "regression") for value in (1.0, 0.0)]
    depths = [
        mp.sequential_projections(Squares(1), tasks, num_steps=steps, choice="all", measure="none")
        for steps in (1, 2, 3)
    ]
    assert [tree.num_runs for tree in depths] == [2, 1, 2]
    assert depths[1].points[0].tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    assert depths[2].points[:, 3].tolist() == [[1.0, 0.0], [-1.0, 0.0]]
    assert depths[2].parents.tolist() == [-1, 0]


def test_too_many_branches_are_cut_and_said_to_be():
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=3, choice="all", max_branches=3, measure="none")
    whole = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=3, choice="all", measure="none")
    assert run.num_runs == 3 and not run.complete
    assert np.array_equal(run.points, whole.points[:3]) and whole.complete


def test_a_continuum_of_minimizers_is_never_complete():
    task = [mp.Task([[1.0, 1.0]], [1])]
    run = mp.sequential_projections(SquaredLinear(2), task, num_steps=1, choice="all")
    assert not run.complete and run.num_runs == 4
    assert np.abs(np.linalg.norm(run.points[:, 1], axis=1) - 1.0).max() < CLOSED_FORM
    assert (run.statuses == "GLOBAL").all()


def test_first_choice_is_complete_only_where_projections_are_unique():
    assert not mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=1).complete
    assert mp.sequential_projections(SquaredLinear(2), PAIR, start=[0.1, 0.2, 0.3, 0.4], num_steps=3).complete


# ---- failures and arguments -----------------------------------------------------------------------------------------


def test_a_failed_projection_keeps_the_trajectory_so_far():
    tasks = [PAIR[0], mp.Task([[0.0, 0.0]], [1], name="impossible")]
    with pytest.raises(mp.TrajectoryError, match="impossible") as caught:
        mp.sequential_projections(SquaredLinear(2), tasks, num_steps=4)
    assert caught.value.trajectory.num_steps == 1
    assert caught.value.trajectory.points.shape == (1, 2, 4)
    assert caught.value.projection.status is mp.Status.INFEASIBLE
    assert caught.value.trajectory.distances[0, 0, 1] == np.inf
    assert caught.value.trajectory.joint_distances[0, 0] == np.inf


def test_no_steps_give_the_start_alone():
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=0)
    assert run.points.shape == (1, 1, 4) and run.statuses.shape == (1, 0) and run.multipliers.shape == (1, 0, 1)
    assert run.complete and run.forgetting.tolist() == [[[1.0, 1.0]]]


def test_one_task_is_its_own_joint_set():
    run = mp.sequential_projections(SquaredLinear(1), [figure1("c")], num_steps=1)
    assert np.array_equal(run.joint_distances, run.distances[:, :, 0])


def test_progress_is_told_every_step():
    seen: list[tuple[int, int]] = []
    mp.sequential_projections(
        SquaredLinear(2), PAIR, num_steps=3, measure="none", progress=lambda *step: seen.append(step)
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"num_steps": -1}, "num_steps"),
        ({"num_steps": 1.5}, "num_steps"),
        ({"tasks": []}, "tasks"),
        ({"tasks": PAIR[0]}, "tasks"),
        ({"tasks": ["a"]}, "task"),
        ({"model": Linear(3)}, "task.X"),
        ({"ordering": "sorted"}, "ordering"),
        ({"ordering": [0, 2]}, "ordering"),
        ({"ordering": [0]}, "num_steps"),
        ({"start": [0.0]}, "start"),
        ({"start": np.zeros((0, 4))}, "start"),
        ({"start": [0.0, np.nan, 0.0, 0.0]}, "start"),
        ({"start": np.zeros((2, 4)), "choice": "all"}, "start"),
        ({"choice": "best"}, "choice"),
        ({"measure": True}, "measure"),
        ({"max_branches": 0}, "max_branches"),
        ({"seed": -1}, "seed"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"method": "newton"}, "method"),
        ({"starts": 0}, "starts"),
        ({"throw": False}, "projection option"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(arguments, named):
    values = {"model": SquaredLinear(2), "tasks": PAIR, "num_steps": 2, **arguments}
    with pytest.raises(mp.InputError) as caught:
        mp.sequential_projections(values.pop("model"), values.pop("tasks"), **values)
    assert caught.value.argument.startswith(named)

"""Saving, loading, resuming and drawing trajectories."""

from __future__ import annotations

import json

import numpy as np
import pytest

import margin_projection as mp
from margin_projection.networks import FullyConnected, SquaredLinear
from margin_projection.tasks import catastrophic_pair, teacher_tasks
from margin_projection.trajectories import Trajectory, plot_trajectory
from margin_projection.trajectories.trajectory import _LAYOUT

PAIR = catastrophic_pair(0.005)
BATCH = 0.3 * np.random.default_rng(0).standard_normal((7, 4))


class Interrupt:
    """A progress hook that raises after a number of steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, step: int, num_steps: int) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def assert_identical(one: Trajectory, other: Trajectory) -> None:
    for name in _LAYOUT:
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype and left.tobytes() == right.tobytes(), name
    assert (one.model_name, one.task_names, one.complete) == (other.model_name, other.task_names, other.complete)


def network_problem():
    model = FullyConnected((2, 3, 1), "squared_relu")
    tasks, teacher = teacher_tasks(model, num_tasks=2, samples=2, seed=5)
    return model, tasks, {"start": teacher + 0.1, "starts": 2, "measure": "sets"}


def pair_problem(**arguments):
    return SquaredLinear(2), PAIR, arguments


PROBLEMS = {
    "first": pair_problem(),
    "batch": pair_problem(start=BATCH, ordering="iid", measure="sets"),
    "random": pair_problem(start=np.zeros((5, 4)), choice="random", seed=2, measure="none"),
    "tree": pair_problem(choice="all", measure="sets"),
    "cut tree": pair_problem(choice="all", max_branches=3, measure="sets"),
    "network": network_problem(),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
@pytest.mark.parametrize("step", [1, 4])
def test_an_interrupted_run_resumes_bit_for_bit(problem, step, tmp_path):
    model, tasks, arguments = problem
    whole = mp.sequential_projections(model, tasks, num_steps=6, **arguments)
    store = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        mp.sequential_projections(model, tasks, num_steps=6, store=store, progress=Interrupt(step), **arguments)
    assert Trajectory.load(store).num_steps == step
    seen: list[int] = []
    resumed = mp.sequential_projections(
        model, tasks, num_steps=6, store=store, progress=lambda step, _: seen.append(step), **arguments
    )
    assert seen == list(range(step + 1, 7))
    assert_identical(resumed, whole)
    assert_identical(Trajectory.load(store), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("ordering", ["cyclic", "iid", "without_replacement"])
def test_a_finished_run_is_extended(ordering, tmp_path):
    store = tmp_path / "run.npz"
    for steps in (0, 3, 3, 8):
        run = mp.sequential_projections(SquaredLinear(2), PAIR, ordering, num_steps=steps, seed=5, store=store)
    assert_identical(run, mp.sequential_projections(SquaredLinear(2), PAIR, ordering, num_steps=8, seed=5))


def test_a_given_ordering_is_extended_by_a_longer_one(tmp_path):
    store = tmp_path / "run.npz"
    mp.sequential_projections(SquaredLinear(2), PAIR, [0, 0, 1], num_steps=3, store=store)
    run = mp.sequential_projections(SquaredLinear(2), PAIR, [0, 0, 1, 1, 0], num_steps=5, store=store)
    assert run.indices.tolist() == [0, 0, 1, 1, 0]
    with pytest.raises(mp.InputError, match="ordering"):
        mp.sequential_projections(SquaredLinear(2), PAIR, [0, 1, 1, 1, 0], num_steps=5, store=store)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"choice": "random"}, "choice"),
        ({"measure": "sets"}, "measure"),
        ({"ordering": "iid"}, "ordering"),
        ({"start": np.ones(4)}, "start"),
        ({"tolerance": 1e-9}, "projection options"),
        ({"tasks": catastrophic_pair(0.004)}, "tasks"),
        ({"tasks": catastrophic_pair(0.005, "regression")}, "tasks"),
        ({"num_steps": 2}, "num_steps"),
    ],
    ids=str,
)
def test_another_run_is_not_continued(changed, named, tmp_path):
    store = tmp_path / "run.npz"
    mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=3, store=store)
    before = store.read_bytes()
    values = {"tasks": PAIR, "num_steps": 4, **changed}
    with pytest.raises(mp.InputError) as caught:
        mp.sequential_projections(SquaredLinear(2), store=store, **values)
    assert caught.value.argument == named
    assert store.read_bytes() == before
    overwritten = mp.sequential_projections(SquaredLinear(2), store=store, resume=False, **values)
    assert_identical(Trajectory.load(store), overwritten)


def test_the_model_and_the_number_of_branches_are_compared(tmp_path):
    store = tmp_path / "run.npz"
    tasks = [mp.Task([[1.0, 2.0]], [1])]
    mp.sequential_projections(SquaredLinear(2), tasks, num_steps=1, choice="all", store=store)
    with pytest.raises(mp.InputError, match="max_branches"):
        mp.sequential_projections(SquaredLinear(2), tasks, num_steps=1, choice="all", max_branches=5, store=store)
    with pytest.raises(mp.InputError, match="model"):
        mp.sequential_projections(mp.networks.Linear(2), tasks, num_steps=1, choice="all", store=store)


def test_a_failed_run_is_stored(tmp_path):
    store = tmp_path / "run.npz"
    tasks = [PAIR[0], mp.Task([[0.0, 0.0]], [1], name="impossible")]
    with pytest.raises(mp.TrajectoryError) as caught:
        mp.sequential_projections(SquaredLinear(2), tasks, num_steps=4, store=store)
    assert_identical(Trajectory.load(store), caught.value.trajectory)
    with pytest.raises(mp.TrajectoryError):
        mp.sequential_projections(SquaredLinear(2), tasks, num_steps=4, store=store)


def test_save_and_load_keep_every_field(tmp_path):
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=3, choice="all")
    run.save(tmp_path / "any.name")
    assert_identical(Trajectory.load(tmp_path / "any.name"), run)
    with pytest.raises(mp.InputError, match="store"):
        mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=3, choice="all", store=tmp_path / "any.name")


def test_damage_is_reported_or_harmless(tmp_path):
    """Every sampled byte flipped, and every sampled truncation: InputError, or the very same trajectory."""
    path = tmp_path / "run.npz"
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=2, measure="none")
    run.save(path)
    data = path.read_bytes()
    generator = np.random.default_rng(0)
    damaged = [data[:size] for size in generator.integers(0, len(data), 60)]
    for place in generator.integers(0, len(data), 250):
        damaged.append(data[:place] + bytes([data[place] ^ int(generator.integers(1, 256))]) + data[place + 1 :])
    reported = 0
    for each in damaged:
        path.write_bytes(each)
        try:
            loaded = Trajectory.load(path)
        except mp.InputError:
            reported += 1
        else:
            assert_identical(loaded, run)
    assert reported > 100


def rewrite(path, arrays=None, **metadata) -> None:
    with np.load(path, allow_pickle=False) as archive:
        stored = {key: archive[key] for key in archive.files}
    text = json.loads(str(stored["metadata"])) | metadata
    np.savez(path, **{**stored, **(arrays or {}), "metadata": np.array(json.dumps(text))})


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({}, {"format": "other"}),
        ({}, {"complete": "yes"}),
        ({}, {"task_names": ["one"]}),
        ({}, {"task_names": None}),
        ({}, {"model_name": 3}),
        ({"indices": np.array([0, 7])}, {}),
        ({"indices": np.array([0.0, 1.0])}, {}),
        ({"indices": np.array([0])}, {}),
        ({"points": np.zeros((1, 3))}, {}),
        ({"points": np.full((1, 3, 4), np.nan)}, {}),
        ({"statuses": np.array([["GLOBAL", "FINE"]])}, {}),
        ({"parents": np.array([0])}, {}),
        ({"unknown": np.zeros(1)}, {}),
        ({"gaps": np.array([[None, None]], dtype=object)}, {}),
    ],
    ids=str,
)
def test_archives_that_do_not_fit_are_refused(arrays, metadata, tmp_path):
    path = tmp_path / "run.npz"
    mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=2, measure="none", store=path)
    rewrite(path, arrays, **metadata)
    with pytest.raises(mp.InputError):
        Trajectory.load(path)
    with pytest.raises(mp.InputError):
        mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=2, measure="none", store=path)


@pytest.mark.parametrize("bad", ["missing/run.npz", ".", None, 3], ids=str)
def test_paths_that_cannot_be_used(bad, tmp_path):
    path = tmp_path / bad if isinstance(bad, str) else bad
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=1, measure="none")
    with pytest.raises(mp.InputError, match="path"):
        run.save(path)
    with pytest.raises(mp.InputError, match="path"):
        Trajectory.load(path)
    with pytest.raises(mp.InputError, match="path"):
        plot_trajectory(run, path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=1, measure="none")
    run.save(path)
    before = path.read_bytes()

    def fail(stream, **_):
        stream.write(b"part")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(mp.InputError, match="disk full"):
        run.save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["run.png", "run.svg", "run.PDF"])
@pytest.mark.parametrize("problem", ["first", "batch", "random"])
def test_pictures_are_drawn(name, problem, tmp_path):
    model, tasks, arguments = PROBLEMS[problem]
    run = mp.sequential_projections(model, tasks, num_steps=4, **arguments)
    plot_trajectory(run, tmp_path / name)
    assert (tmp_path / name).stat().st_size > 2000
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_picture_of_an_unknown_format_is_refused(tmp_path):
    run = mp.sequential_projections(SquaredLinear(2), PAIR, num_steps=1, measure="none")
    with pytest.raises(mp.InputError, match="png"):
        plot_trajectory(run, tmp_path / "run.txt")
    assert not list(tmp_path.iterdir())

"""Figures: exact boundaries, data that agree with closed forms, whole files, captions that fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import margin_projection as mp
from figures import digits_run, figure_1, style, theorem_5

EXACT = 1e-12


@pytest.fixture(scope="module")
def sets() -> dict[str, Any]:
    return figure_1.compute()


@pytest.fixture(scope="module")
def trajectory() -> dict[str, Any]:
    return theorem_5.compute(num_steps=12)


@pytest.fixture(scope="module")
def digits() -> dict[str, Any]:
    return digits_run.compute(pairs=((0, 1), (2, 3)), samples=8, width=8, cycles=1)


@pytest.mark.parametrize("panel", "abc")
def test_boundary_points_lie_on_the_boundary(panel: str) -> None:
    margin_set = mp.MarginSet(figure_1.model_of(panel), mp.tasks.figure1(panel))
    for boundary in figure_1.boundaries(panel):
        middles = 0.5 * (boundary[1:] + boundary[:-1]) if panel != "c" else boundary
        for points in (boundary, middles):
            slack = margin_set.constraints(points).min(axis=1)
            assert np.abs(slack).max() < EXACT


@pytest.mark.parametrize("panel", "abc")
def test_shaded_regions_are_the_feasible_set(panel: str) -> None:
    """By even-odd counting on random points of the axes, against the constraints themselves."""
    generator = np.random.default_rng(0)
    points = generator.uniform((-1.5, -1.0), (1.5, 1.0), (4000, 2))
    slack = mp.MarginSet(figure_1.model_of(panel), mp.tasks.figure1(panel)).constraints(points).min(axis=1)
    clear = np.abs(slack) > 1e-3  # the hyperbola is drawn as 200 chords
    shaded = np.any([_inside(polygon, points) for polygon in figure_1.regions(panel)], axis=0)
    assert clear.sum() > 3500
    assert np.array_equal(shaded[clear], slack[clear] > 0.0)


def _inside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    crossings = np.zeros(len(points), dtype=int)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        spans = (y1 > points[:, 1]) != (y2 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            crosses = points[:, 0] < x1 + (points[:, 1] - y1) * (x2 - x1) / (y2 - y1)
        crossings += spans & crosses
    return crossings % 2 == 1


def test_figure_1_shows_nonunique_projections(sets: dict[str, Any]) -> None:
    assert sets["a"]["counts"].tolist() == [1, 1, 1, 1]
    assert sets["b"]["counts"].max() == 2 and sets["c"]["counts"].max() == 2
    assert all(sets[panel]["complete"].all() for panel in "abc")
    tied = sets["b"]["minimizers"][sets["b"]["owners"] == 1]
    assert sorted(tied.round(9).tolist()) == [[-0.7, 0.5], [0.5, -0.7]]


def test_starts_of_figure_1_lie_outside_their_sets_and_inside_the_axes(sets: dict[str, Any]) -> None:
    for panel in "abc":
        margin_set = mp.MarginSet(figure_1.model_of(panel), mp.tasks.figure1(panel))
        points = np.vstack([sets[panel]["starts"], sets[panel]["minimizers"]])
        assert (np.abs(points) <= (1.5, 1.0)).all()
        assert (margin_set.violations(sets[panel]["starts"]).max(axis=1) > 0.0).all()


def test_theorem_5_data(trajectory: dict[str, Any]) -> None:
    for kind, least in (("classification", 1.5), ("regression", 3.0)):
        run = trajectory[kind]
        assert run["points"].shape == (13, 4) and not run["points"][:, [0, 2]].any()
        assert run["forgetting"][0].max() == 1.0
        assert (run["forgetting"][1:].max(axis=1) >= least).all()
        assert (run["joint_lower_bounds"] >= theorem_5.joint_floor(0.005) - 1e-9).all()
    closed_form = [0.0, 0.995**-0.5, 0.0, 0.0]
    assert np.abs(trajectory["classification"]["points"][1] - closed_form).max() < EXACT


def test_joint_floor_bounds_u1_on_the_joint_set() -> None:
    """Against random points scaled into C*."""
    model = mp.networks.SquaredLinear(2)
    joint = mp.intersection([mp.MarginSet(model, task) for task in mp.tasks.catastrophic_pair(0.005)])
    directions = np.random.default_rng(1).standard_normal((20_000, 4)) * (1.0, 0.05, 0.05, 0.05)
    margins = joint.constraints(directions) + 1.0
    reached = directions[(margins > 0.0).all(axis=1)]
    points = reached / np.sqrt((joint.constraints(reached) + 1.0).min(axis=1, keepdims=True))
    assert len(points) > 100
    assert np.abs(points[:, 0]).min() >= theorem_5.joint_floor(0.005) - 1e-9


def test_digits_data(digits: dict[str, Any]) -> None:
    assert list(digits["runs"]) == ["squared_relu", "relu"]
    for run in digits["runs"].values():
        assert run["distances"].shape == run["forgetting"].shape == (3, 2)
        assert run["distances"][1, 0] <= 1e-9 and run["forgetting"][1, 0] <= 1e-9
        assert (run["distance_lower_bounds"] <= run["distances"] + 1e-12).all()
        assert np.allclose(run["steps"][0], run["distances"][0, 0], rtol=1e-9)


def test_every_figure_is_written_whole(
    sets: dict[str, Any], trajectory: dict[str, Any], digits: dict[str, Any], tmp_path: Path
) -> None:
    for module, data in ((figure_1, sets), (theorem_5, trajectory), (digits_run, digits)):
        files = module.save(tmp_path, data)  # type: ignore[attr-defined]
        assert [file.suffix for file in files] == [".png", ".pdf", ".json", ".txt"]
        assert files[0].read_bytes().startswith(b"\x89PNG") and files[1].read_bytes().startswith(b"%PDF")
        assert b"/Type3" not in files[1].read_bytes(), "fonts are embedded as TrueType"
        assert json.loads(files[2].read_text())
        caption = files[3].read_text()
        assert "{" not in caption and max(map(len, caption.splitlines())) <= 100
    assert not list(tmp_path.glob(".*")), "no temporary files are left"


def test_pictures_are_the_same_again_and_drawable_from_their_json(sets: dict[str, Any], tmp_path: Path) -> None:
    files = figure_1.save(tmp_path, sets)
    first = [file.read_bytes() for file in files]
    data = json.loads(files[2].read_text())
    arrays = {panel: {key: np.array(value) for key, value in data[panel].items()} for panel in data}
    assert [file.read_bytes() for file in figure_1.save(tmp_path, arrays)] == first


def test_drawing_leaves_no_global_state(sets: dict[str, Any]) -> None:
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    figure = figure_1.draw(sets)
    assert dict(matplotlib.rcParams) == before and pyplot.get_fignums() == []
    assert figure.get_figwidth() == style.PAGE


def test_labels_do_not_overlap(sets: dict[str, Any], trajectory: dict[str, Any], digits: dict[str, Any]) -> None:
    """Texts drawn in the pictures, pairwise by their boxes."""
    for figure in (figure_1.draw(sets), theorem_5.draw(trajectory), digits_run.draw(digits)):
        figure.draw_without_rendering()
        boxes = [box for axes in figure.axes for box in _text_boxes(axes)]
        for index, (name, box) in enumerate(boxes):
            for other, second in boxes[:index]:
                assert not box.overlaps(second), (name, other)


def _text_boxes(axes: Any) -> list[tuple[str, Any]]:
    """Title, axis labels and annotations, slightly shrunk."""
    texts = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    return [(text.get_text(), text.get_window_extent().shrunk(0.9, 0.7)) for text in texts if text.get_text()]


def test_an_unwritable_folder_is_named(tmp_path: Path, sets: dict[str, Any]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(mp.InputError, match="out_dir must be a folder"):
        figure_1.save(tmp_path / "file" / "below", sets)

"""The command line: results against closed forms, one line for every bad input, exit statuses, files."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from margin_projection.cli.config import Configuration
from margin_projection.cli.example import EXAMPLE
from margin_projection.cli.main import app
from margin_projection.cli.report import to_json

EXACT = 1e-12  # closed forms of one projection

PAIR = '[model]\nkind = "squared_linear"\n[tasks]\nsource = "catastrophic_pair"\n'
LINEAR = ["--model", "linear", "--tasks"]
DIGITS = ["--model", "linear", "--tasks", "digits", "--set", "tasks.samples=6"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_refused(result: Result, *fragments: str) -> None:
    """Exit status 2, nothing on stdout, and one line on stderr that names what is wrong."""
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr, (fragment, result.stderr)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_config(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- results -------------------------------------------------------------------------------------------------------


def test_project_reproduces_lemma_b1(folder: Path) -> None:
    """Minimizers (0, ±b^{-1/2}, 0, 0) of B.1, certified and complete, in the JSON report."""
    config = write_config(folder, PAIR)
    result = invoke("project", "--config", config, "--sets", 0, "--all-minimizers", "--json", "out.json", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    report = json.loads((folder / "out.json").read_text())
    expected = (1 - 0.005) ** -0.5
    found = sorted(report["result"]["minimizers"])
    np.testing.assert_allclose(found, [[0, -expected, 0, 0], [0, expected, 0, 0]], atol=EXACT)
    assert report["result"]["status"] == "GLOBAL" and report["result"]["complete"]
    assert abs(report["result"]["distance"] - expected) < EXACT
    assert abs(report["result"]["certificate"]["gap"]) < EXACT
    assert report["configuration"]["projection"]["sets"] == [0]
    assert report["versions"]["torch"] and report["success"] is True


def test_a_linear_projection_in_the_table(folder: Path) -> None:
    """The projection of 0 onto <(3, 4), theta> >= 1 is (3, 4) / 25, at distance 1/5."""
    np.savez(folder / "tasks.npz", X=[[3.0, 4.0]], y=[1.0])
    result = invoke("project", *LINEAR, "tasks.npz")
    assert result.exit_code == 0 and result.stderr == ""
    for text in ("GLOBAL", "(0.12, 0.16)", "0.2", "certified", "stationarity"):
        assert text in result.stdout
    assert "NOT verified" not in result.stdout


def test_json_alone_on_stdout_and_the_same_every_time() -> None:
    arguments = ("project", *DIGITS, "--start", "he", "--seed", 3, "--json", "-")
    first, second = invoke(*arguments), invoke(*arguments)
    assert first.exit_code == 0 and first.stdout == second.stdout and first.stderr == ""
    report = json.loads(first.stdout)
    assert report["configuration"]["start"]["seed"] == 3 and report["configuration"]["projection"]["seed"] == 3
    point, start = np.array(report["result"]["point"]), np.array(report["start"])
    assert abs(np.linalg.norm(point - start) - report["result"]["distance"]) < EXACT
    assert len(report["result"]["constraints"]) == 6 and min(report["result"]["constraints"]) > -1e-9


def test_the_report_runs_again_from_its_own_configuration(folder: Path) -> None:
    first = json.loads(invoke("project", *DIGITS, "--json", "-").stdout)
    lines = []
    for section, entries in first["configuration"].items():
        written = {key: json.dumps(value) for key, value in entries.items() if value is not None}
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in written.items())]
    config = write_config(folder, "\n".join(lines))
    assert json.loads(invoke("project", "-c", config, "--json", "-").stdout)["result"] == first["result"]


def test_a_failed_projection_is_status_1_with_its_results(folder: Path) -> None:
    """<x, theta> >= 1 and <-x, theta> >= 1 exclude each other."""
    np.savez(folder / "tasks.npz", X=[[1.0, 0.0], [-1.0, 0.0]], y=[1.0, 1.0])
    result = invoke("project", *LINEAR, "tasks.npz", "--json", "out.json", "--plot", "out.svg")
    assert result.exit_code == 1 and result.stderr == ""
    assert "INFEASIBLE" in result.stdout
    report = json.loads((folder / "out.json").read_text())
    assert report["success"] is False and report["result"]["certificate"]["lower_bound"] == "Infinity"
    assert (folder / "out.svg").stat().st_size > 0


@pytest.mark.parametrize(
    ("model", "panel", "start", "minimizers"),
    [
        ("linear", "a", [0.0, 0.0], [[0.25, 0.25]]),  # of 5 w1 - w2 >= 1 and 2 w1 + 2 w2 >= 1
        ("simplified_relu", "b", [-0.5, -0.5], [[-0.5, 0.5], [0.5, -0.5]]),
        ("squared_linear", "c", [0.0, 0.0], [[-(0.5**0.5), 0.0], [0.5**0.5, 0.0]]),
    ],
)
def test_figure_1_with_its_picture(
    folder: Path, model: str, panel: str, start: list[float], minimizers: list[list[float]]
) -> None:
    given = ["--set", f"tasks.panel={panel}", "--set", "start.kind=values", "--set", f"start.values={start}"]
    outputs = ["--all-minimizers", "--plot", "out.png", "--json", "-"]
    result = invoke("project", "--model", model, "--tasks", "figure1", *given, *outputs)
    assert result.exit_code == 0, result.stderr
    found = sorted(json.loads(result.stdout)["result"]["minimizers"])
    np.testing.assert_allclose(found, minimizers, atol=1e-9)
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures(folder: Path, suffix: str) -> None:
    np.savez(folder / "tasks.npz", X_0=[[1.0, 2.0]], y_0=[0.5], X_1=[[1.0, -1.0]], y_1=[1.0], kind="regression")
    assert invoke("project", *LINEAR, "tasks.npz", "--plot", f"out.{suffix}", "-q").exit_code == 0
    assert (folder / f"out.{suffix}").stat().st_size > 1000
    assert sorted(path.name for path in folder.iterdir()) == [f"out.{suffix}", "tasks.npz"]


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("fully_connected", ["--set", "model.hidden=[3]", "--set", "model.activation=squared_relu"]),
        ("fully_connected", ["--set", "model.widths=[64, 2, 1]"]),
        ("convolutional", ["--set", "model.channels=[2]", "--set", "model.stride=4"]),
        ("simplified_relu", ["--set", "projection.method=local"]),
    ],
)
def test_models_take_their_dimension_from_the_tasks(model: str, extra: list[str]) -> None:
    digits = ["--tasks", "digits", "--set", "tasks.samples=4"]
    result = invoke("project", "--model", model, *digits, "--start", "he", *extra, "--json", "-")
    assert result.exit_code in (0, 1), result.stderr
    report = json.loads(result.stdout)
    assert len(report["start"]) == report["model"]["num_parameters"]
    assert report["result"]["residuals"]["feasibility"] <= 1e-9 or not report["success"]


def test_teacher_tasks_need_a_dimension() -> None:
    teacher = ["project", "--model", "squared_linear", "--tasks", "teacher"]
    assert_refused(invoke(*teacher), "model.dimension", "teacher")
    assert invoke(*teacher, "--set", "model.dimension=3", "--quiet").exit_code == 0


def test_paths_are_relative_to_the_configuration(folder: Path) -> None:
    (folder / "data").mkdir()
    np.savez(folder / "data" / "tasks.npz", X=[[3.0, 4.0]], y=[1.0])
    np.savez(folder / "data" / "start.npz", theta=[1.0, 1.0], other=[0.0])
    text = '[model]\nkind = "linear"\n[tasks]\nsource = "file"\npath = "tasks.npz"\n[start]\nkind = "file"\n'
    config = write_config(folder / "data", text + 'path = "start.npz"\nkey = "theta"\n')
    report = json.loads(invoke("project", "--config", config, "--json", "-").stdout)
    assert report["start"] == [1.0, 1.0] and report["result"]["distance"] == 0.0


def test_trajectory_of_theorem_5(folder: Path) -> None:
    """B.1 and B.2: u[2] = b^{-1/2}, then half of it with v[2]^2 = 1/(4b) + 1/c; u[1] = v[1] = 0 throughout."""
    outputs = ["--json", "out.json", "--plot", "out.png", "--store", "store.npz"]
    result = invoke("trajectory", "--config", write_config(folder, PAIR), "--steps", 30, *outputs)
    assert result.exit_code == 0 and result.stderr == "", result.stderr
    assert "30 GLOBAL" in result.stdout and "catastrophic 1" in result.stdout
    report = json.loads((folder / "out.json").read_text())
    points = np.array(report["result"]["points"])[0]
    b, c = 0.995, 1.005
    np.testing.assert_allclose(points[1], [0, b**-0.5, 0, 0], atol=EXACT)
    np.testing.assert_allclose(points[2], [0, b**-0.5 / 2, 0, (0.25 / b + 1 / c) ** 0.5], atol=EXACT)
    assert points.shape == (31, 4) and not points[:, [0, 2]].any()
    assert min(report["result"]["joint_distances"][0]) >= 2.0
    assert report["success"] and report["failure"] is None
    assert sorted(path.name for path in folder.iterdir()) == ["out.json", "out.png", "run.toml", "store.npz"]


def test_a_trajectory_resumes_and_refuses_the_store_of_another(folder: Path) -> None:
    arguments = ("trajectory", "--config", write_config(folder, PAIR), "--store", "store.npz", "--json", "-")
    whole = json.loads(invoke(*arguments[:3], "--steps", 8, "--json", "-").stdout)["result"]
    assert invoke(*arguments, "--steps", 3).exit_code == 0
    assert json.loads(invoke(*arguments, "--steps", 8).stdout)["result"] == whole
    assert_refused(invoke(*arguments, "--steps", 9, "--set", "tasks.eps=0.004"), "tasks")
    (folder / "store.npz").write_bytes(b"no archive")
    assert_refused(invoke(*arguments), "store.npz")
    assert (folder / "store.npz").read_bytes() == b"no archive"


def test_a_batch_of_trajectories_and_a_given_ordering(folder: Path) -> None:
    options = ["--start", "sphere", "--seed", 5, "--set", "start.count=3", "--ordering", "1,0,1", "--json", "-"]
    result = invoke("trajectory", "-c", write_config(folder, PAIR), *options)
    report = json.loads(result.stdout)
    assert result.exit_code == 0 and report["result"]["indices"] == [1, 0, 1]
    assert np.array(report["result"]["points"]).shape == (3, 4, 4)
    one = invoke("project", "-c", folder / "run.toml", "--start", "sphere", "--seed", 6, "--json", "-")
    assert json.loads(one.stdout)["start"] == report["start"][1]


def test_unmeasured_distances_are_null_and_long_runs_are_shortened(folder: Path) -> None:
    options = ["--steps", 40, "--set", "trajectory.measure=none", "--json", "out.json"]
    result = invoke("trajectory", "-c", write_config(folder, PAIR), *options)
    assert result.exit_code == 0 and "..." in result.stdout
    assert json.loads((folder / "out.json").read_text())["result"]["joint_distances"] == [[None] * 41]


def test_a_failed_trajectory_is_status_1_with_the_steps_before(folder: Path) -> None:
    """Task 0 can be met, task 1 is empty."""
    np.savez(folder / "tasks.npz", X_0=[[1.0]], y_0=[1.0], X_1=[[1.0], [1.0]], y_1=[1.0, -1.0])
    outputs = ["--json", "out.json", "--plot", "out.pdf", "--store", "store.npz"]
    result = invoke("trajectory", *LINEAR, "tasks.npz", *outputs)
    assert result.exit_code == 1 and result.stderr == "" and "Failure" in result.stdout
    report = json.loads((folder / "out.json").read_text())
    assert report["result"]["points"] == [[[0.0], [1.0]]]
    assert report["failure"]["step"] == 2 and report["failure"]["projection"]["status"] == "INFEASIBLE"
    assert (folder / "out.pdf").stat().st_size > 0
    swapped = invoke("trajectory", *LINEAR, "tasks.npz", "--ordering", "1", "--plot", "none.png")
    assert swapped.exit_code == 1 and (folder / "none.png").stat().st_size > 0


# --- bad input -----------------------------------------------------------------------------------------------------

BAD_CONFIGS = {
    "syntax error": (PAIR + "[start\n", "not valid TOML", "line 5"),
    "duplicate key": (PAIR + "eps = 0.001\neps = 0.002\n", "not valid TOML", "overwrite"),
    "duplicate table": (PAIR + "[model]\n", "not valid TOML"),
    "unknown section": (PAIR + "[projections]\nseed = 1\n", "projections is no known key"),
    "unknown key": (PAIR + "epsilon = 0.001\n", "tasks.epsilon is no known key"),
    "unknown model": (PAIR.replace("squared_linear", "cubic"), "model.kind", "'cubic'", "'fully_connected'"),
    "unknown source": (PAIR.replace("catastrophic_pair", "mnist"), "tasks.source", "'mnist'"),
    "unknown start": (PAIR + '[start]\nkind = "ones"\n', "start.kind", "'ones'"),
    "no kind": (PAIR + "[start]\nscale = 1.0\n", "start.kind is missing"),
    "no tasks": ('[model]\nkind = "linear"\n', "no tasks given", "--tasks"),
    "no table": ("model = 3\n" + PAIR.partition("[tasks]")[2].join(["[tasks]", ""]), "model", "got 3"),
    "string for a number": (PAIR + 'eps = "0.005"\n', "tasks.eps", "valid number", "'0.005'"),
    "number out of range": (PAIR + "eps = 0.5\n", "eps", "got 0.5"),
    "nan": (PAIR + "eps = nan\n", "tasks.eps", "finite"),
    "boolean for an integer": (PAIR + "[projection]\nstarts = true\n", "projection.starts", "integer"),
    "negative seed": (PAIR + "[projection]\nseed = -1\n", "projection.seed", "-1"),
    "unknown method": (PAIR + '[projection]\nmethod = "newton"\n', "projection.method", "'newton'"),
    "no such task": (PAIR + "[projection]\nsets = [0, 2]\n", "projection.sets", "got 2"),
    "a task twice": (PAIR + "[projection]\nsets = [0, 0]\n", "projection.sets", "once"),
    "empty sets": (PAIR + "[projection]\nsets = []\n", "projection.sets", "nonempty"),
    "start of a wrong shape": (PAIR + '[start]\nkind = "values"\nvalues = [1.0]\n', "start.values", "(4,)", "(1,)"),
    "start with nan": (PAIR + '[start]\nkind = "values"\nvalues = [nan, 0.0, 0.0, 0.0]\n', "start.values", "finite"),
    "ragged start": (PAIR + '[start]\nkind = "values"\nvalues = [[1.0], [1.0, 2.0]]\n', "start.values", "one length"),
    "batch of starts": (PAIR + '[start]\nkind = "he"\ncount = 2\n', "one point", "got 2"),
    "shape mismatch": (PAIR.replace('"squared_linear"', '"linear"\ndimension = 3'), "shape (n, 3)"),
    "figure without panel": (PAIR.replace("catastrophic_pair", "figure1"), "tasks.panel is missing"),
    "digit that is none": (PAIR.replace('"catastrophic_pair"', '"digits"\npairs = [[0, 10]]'), "pairs[0][1]", "10"),
    "three digits": (PAIR.replace('"catastrophic_pair"', '"digits"\npairs = [[0, 1, 2]]'), "pairs[0]"),
    "empty pairs": (PAIR.replace('"catastrophic_pair"', '"digits"\npairs = []'), "pairs", "nonempty"),
    "neither widths nor hidden": (PAIR.replace("squared_linear", "fully_connected"), "model", "'hidden'"),
    "unknown activation": (
        PAIR.replace('"squared_linear"', '"fully_connected"\nhidden = [2]\nactivation = "gelu"'),
        "activation must be one of",
        "'gelu'",
    ),
    "images wanted": (PAIR.replace('"squared_linear"', '"convolutional"\nchannels = [2]'), "model.input_shape"),
    "huge model": (PAIR.replace('"squared_linear"', '"fully_connected"\nhidden = [9999999999, 9999999999]'), "error"),
    "missing task file": (PAIR.replace('"catastrophic_pair"', '"file"\npath = "none.npz"'), "none.npz", "existing"),
    "empty path": (PAIR.replace('"catastrophic_pair"', '"file"\npath = ""'), "path"),
    "missing start file": (PAIR + '[start]\nkind = "file"\npath = "none.npy"\n', "none.npy", "existing"),
    "nul in a path": (PAIR.replace('"catastrophic_pair"', '"file"\npath = "a\\u0000.npz"'), "path"),
    "deeply nested": (PAIR + "x = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_bad_configurations(folder: Path, name: str) -> None:
    text, *fragments = BAD_CONFIGS[name]
    assert_refused(invoke("project", "--config", write_config(folder, text), "--json", "out.json"), *fragments)
    assert [path.name for path in folder.iterdir()] == ["run.toml"]


def test_a_start_beyond_float64_is_one_line(folder: Path) -> None:
    """Squares of 1e200 overflow: bad input or a failed projection, never a traceback."""
    text = PAIR + '[start]\nkind = "values"\nvalues = [1e200, 1e200, 1e200, 1e200]\n'
    result = invoke("project", "--config", write_config(folder, text))
    assert result.exit_code in (1, 2) and isinstance(result.exception, SystemExit)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line() -> None:
    assert_refused(invoke("project", *DIGITS, "--json", "/dev/full"), "/dev/full", "No space")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"model = '\x01'", b""])
def test_configurations_that_are_no_toml(folder: Path, content: bytes) -> None:
    (folder / "run.toml").write_bytes(content)
    assert_refused(invoke("project", "--config", "run.toml"))


BAD_TASKS = {
    "labels": ({"X": [[1.0, 2.0]], "y": [0.5]}, "0.5", "-1 or +1"),
    "nan": ({"X": [[1.0, math.nan]], "y": [1.0]}, "X[0, 1]", "finite"),
    "empty": ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, "nonempty"),
    "lengths": ({"X": [[1.0, 2.0]], "y": [1.0, 1.0]}, "y", "(1,)"),
    "unknown key": ({"X": [[1.0, 2.0]], "y": [1.0], "z": [1.0]}, "'z'"),
    "different shapes": ({"X_0": [[1.0]], "y_0": [1.0], "X_1": [[1.0, 2.0]], "y_1": [1.0]}, "shape (n, 1)"),
    "images": ({"X": np.ones((1, 2, 2)), "y": [1.0]}, "vectors"),
    "pickle": ({"X": np.array([[{}]], dtype=object), "y": [1.0]}, "pickle"),
}


@pytest.mark.parametrize("name", BAD_TASKS)
def test_bad_task_files(folder: Path, name: str) -> None:
    arrays, *fragments = BAD_TASKS[name]
    np.savez(folder / "tasks.npz", **arrays)
    assert_refused(invoke("project", *LINEAR, "tasks.npz"), *fragments)


BAD_CSV = {
    "label": ("a,b,y\n1,2,3\n", "line 2", "'y'"),
    "repeated column": ("a,a,y\n1,2,1\n", "repeated"),
    "no number": ("a,b,y\n1,x,1\n", "line 2", "'b'"),
    "empty": ("a,b,y\n", "at least one row"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_bad_csv_files(folder: Path, name: str) -> None:
    text, *fragments = BAD_CSV[name]
    (folder / "tasks.csv").write_text(text)
    assert_refused(invoke("project", *LINEAR, "tasks.csv"), *fragments)


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "text"])
@pytest.mark.parametrize("option", ["--tasks", "--start"])
def test_damaged_archives(folder: Path, option: str, damage: str) -> None:
    np.savez(folder / "file.npz", X=np.arange(8.0).reshape(4, 2), y=np.ones(4))
    content = bytearray((folder / "file.npz").read_bytes())
    content[200] ^= 0xFF
    whole = (folder / "file.npz").read_bytes()
    damaged = {"empty": b"", "truncated": whole[: len(whole) // 2], "flipped": bytes(content), "text": b"hello"}
    (folder / "file.npz").write_bytes(damaged[damage])
    tasks = "figure1" if option == "--start" else "file.npz"
    start = ["--start", "file.npz", "--set", "start.key=X"] if option == "--start" else []
    result = invoke("project", *LINEAR, tasks, *start, *(["--set", "tasks.panel=a"] if start else []))
    assert_refused(result, "file.npz")


@pytest.mark.parametrize(
    ("array", "fragment"),
    [
        (np.zeros(3), "shape (2,)"),
        (np.array([1.0, math.inf]), "finite"),
        (np.array(["1", "2"]), "real numbers"),
        (np.array([1j, 0]), "real numbers"),
        (np.zeros((0, 2)), "shape (2,)"),
        (np.array([None, 1]), "pickle"),
    ],
)
def test_bad_start_files(folder: Path, array: np.ndarray, fragment: str) -> None:
    np.save(folder / "start.npy", array, allow_pickle=True)
    result = invoke("project", *LINEAR, "figure1", "--set", "tasks.panel=a", "--start", "start.npy")
    assert_refused(result, fragment)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["frobnicate"], "frobnicate"),
        (["project", "--frobnicate"], "--frobnicate"),
        (["project", "--seed", "x", *DIGITS], "--seed"),
        (["project", "--seed"], "--seed"),
        (["project", "extra", *DIGITS], "extra"),
        (["project"], "--model"),
        (["trajectory"], "--model"),
        (["project", "--config", "none.toml"], "none.toml"),
        (["project", "--config", "."], "."),
        (["project", *DIGITS, "--set", "tasks"], "SECTION.KEY=VALUE"),
        (["project", *DIGITS, "--set", "tasks.samples=8", "--set", "tasks.seed=1", "--set", "tasks.seed=2"], "once"),
        (["project", *DIGITS, "--set", "tasks.samples=[1"], "tasks.samples"),
        (["project", *DIGITS, "--set", "tasks.samples=10000"], "samples"),
        (["project", *DIGITS, "--sets", "first"], "projection.sets"),
        (["project", *DIGITS, "--seed", "-1"], "projection.seed"),
        (["project", *DIGITS, "--json", "none/out.json"], "--json"),
        (["project", *DIGITS, "--json", "."], "--json"),
        (["project", *DIGITS, "--plot", "out.gif"], ".png"),
        (["project", *DIGITS, "--plot", "none/out.png"], "--plot"),
        (["project", *DIGITS, "--json", "same.svg", "--plot", "same.svg"], "--plot"),
        (["trajectory", *DIGITS, "--steps", "0"], "trajectory.num_steps"),
        (["trajectory", *DIGITS, "--ordering", "0,1"], "ordering[1]"),
        (["trajectory", *DIGITS, "--ordering", "0", "--steps", "2"], "num_steps"),
        (["trajectory", *DIGITS, "--set", "trajectory.choice=best"], "trajectory.choice"),
        (["trajectory", *DIGITS, "--set", "trajectory.choice=all", "--start", "he", "--set", "start.count=2"], "start"),
        (["trajectory", *DIGITS, "--ordering", "sorted"], "trajectory.ordering"),
        (["trajectory", *DIGITS, "--store", "none/store.npz"], "trajectory.store"),
        (["example", "none/example.toml"], "none/example.toml"),
    ],
)
def test_bad_options(folder: Path, arguments: list[str], fragment: str) -> None:
    assert_refused(invoke(*arguments), fragment)
    assert list(folder.iterdir()) == []


def test_outputs_are_checked_before_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("margin_projection.cli.build.build", lambda configuration: pytest.fail("work was started"))
    assert_refused(invoke("project", *DIGITS, "--json", "none/out.json"), "none/out.json")


def test_inputs_are_not_overwritten(folder: Path) -> None:
    config = write_config(folder, PAIR)
    assert_refused(invoke("project", "--config", config, "--json", "./run.toml"), "an input")
    assert config.read_text() == PAIR


# --- the rest ------------------------------------------------------------------------------------------------------


def test_the_example_is_valid_and_written_once(folder: Path) -> None:
    assert invoke("example").stdout == EXAMPLE
    Configuration.model_validate(tomllib.loads(EXAMPLE))
    assert invoke("example", "run.toml").exit_code == 0
    assert_refused(invoke("example", "run.toml"), "--force")
    assert invoke("example", "run.toml", "--force").exit_code == 0
    assert invoke("project", "--config", "run.toml").exit_code == 0


def test_the_example_names_every_key() -> None:
    for section in Configuration.model_fields:
        schema = json.dumps(Configuration.model_json_schema()["properties"][section])
        assert schema and f"[{section}]" in EXAMPLE
    for definition in Configuration.model_json_schema()["$defs"].values():
        for key in definition["properties"]:
            assert key in EXAMPLE, key


def test_an_option_that_names_another_kind_drops_the_section(folder: Path) -> None:
    text = '[model]\nkind = "simplified_relu"\nunits = 3\n[tasks]\nsource = "figure1"\npanel = "a"'
    config = write_config(folder, text)
    report = json.loads(invoke("project", "--config", config, "--model", "linear", "--json", "-").stdout)
    assert report["model"]["name"] == "Linear(2)"
    report = json.loads(invoke("project", "--config", config, "--set", "model.units=1", "--json", "-").stdout)
    assert report["model"]["num_parameters"] == 2


def test_special_numbers_in_json() -> None:
    report = {"a": [math.nan, math.inf], "b": np.array([-math.inf, 1.0]), "c": np.float64(2.0), "d": np.bool_(True)}
    assert json.loads(to_json(report)) == {"a": [None, "Infinity"], "b": ["-Infinity", 1.0], "c": 2.0, "d": True}


def test_help_and_version() -> None:
    for arguments in ((), ("--help",), ("project", "-h"), ("trajectory", "--help"), ("example", "--help")):
        result = invoke(*arguments)
        assert result.exit_code == 0 and "Usage" in result.stdout and result.stderr == ""
    assert invoke("--version").stdout.startswith("margin-projection ")


def test_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("margin_projection.projections.project", interrupt)
    result = invoke("project", *DIGITS)
    assert result.exit_code == 130 and result.stderr == "interrupted\n" and result.stdout == ""


def test_names_in_brackets_are_no_markup(folder: Path) -> None:
    np.savez(folder / "tasks.npz", X_0=[[1.0]], y_0=[1.0], names=np.array(["[red]bold[/blue]"]))
    result = invoke("project", *LINEAR, "tasks.npz")
    assert result.exit_code == 0 and "[red]" in result.stdout


def run_process(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "margin_projection.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


def test_a_process_ends_with_one_line(folder: Path) -> None:
    np.savez(folder / "tasks.npz", X=[[1.0, math.nan]], y=[1.0])
    done = run_process("project", *LINEAR, "tasks.npz")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")


def test_a_process_whose_reader_has_gone() -> None:
    command = f"{sys.executable} -m margin_projection.cli.main project {' '.join(DIGITS)} --json - | true"
    script = ["bash", "-c", f"set -o pipefail; {command}"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupted_process_keeps_its_steps(folder: Path) -> None:
    """SIGINT some time into a run without end: 130, one line, and a store from which the same command goes on."""
    arguments = ["trajectory", "-c", str(write_config(folder, PAIR)), "--store", "s.npz"]
    command = [sys.executable, "-c", _INTERRUPTED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130, done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1 and "s.npz" in done.stderr
    report = json.loads(invoke("trajectory", "-c", folder / "run.toml", "--store", "s.npz", "--json", "-").stdout)
    assert len(report["result"]["indices"]) == 20


# Ctrl-C as the system sends it, during the fifth step.
_INTERRUPTED = """
import os, signal
from margin_projection.cli.main import main
from margin_projection.trajectories.record import Record
append = Record.append
def append_and_interrupt(self, *arguments):
    append(self, *arguments)
    if self.num_steps == 5:
        os.kill(os.getpid(), signal.SIGINT)
Record.append = append_and_interrupt
main()
"""

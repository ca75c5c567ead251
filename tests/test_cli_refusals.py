"""The command line: one line on stderr and exit status 2 for every bad input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from cli_runs import DIGITS, LINEAR, PAIR, assert_refused, invoke, write_config

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

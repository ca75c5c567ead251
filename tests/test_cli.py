"""The command line: results against closed forms, exit statuses, files."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cli_runs import DIGITS, LINEAR, PAIR, assert_refused, invoke, write_config

from margin_projection.cli.config import Configuration
from margin_projection.cli.example import EXAMPLE
from margin_projection.cli.report import to_json

EXACT = 1e-12  # closed forms of one projection


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
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
append = Record.append
def append_and_interrupt(self, *arguments):
    append(self, *arguments)
    if self.num_steps == 5:
        os.kill(os.getpid(), signal.SIGINT)
Record.append = append_and_interrupt
main()
"""

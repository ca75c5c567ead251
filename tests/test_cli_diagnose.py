"""The command ``diagnose``: results, files, exit statuses, refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runs import assert_refused, invoke, write_config

from margin_projection.regularity.interval import Interval

NETS = """\
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))


def linear():
    return nn.Linear(2, 1, bias=False)


def overflowing():
    return nn.Sequential(linear(), nn.Threshold(float("inf"), float("nan")))


def words():
    return "no module"


def broken():
    raise RuntimeError("out of order")


number = 3
"""
EXACT = 1e-12


@pytest.fixture
def nets(folder: Path) -> Path:
    """A folder with a user's file and two tasks: x_1 = (1, 0), x_2 = (0, 1)."""
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    np.savez(folder / "tasks.npz", X_0=[[1.0, 0.0]], y_0=[1.0], X_1=[[0.0, 1.0]], y_1=[1.0])
    return folder


def test_a_users_module_with_weights(nets: Path) -> None:
    """f = <theta, x> at theta = (2, 4): scaled by 1/2, kappa = sqrt(2) where both constraints are active."""
    np.savez(nets / "weights.npz", weight=[[2.0, 4.0]])
    arguments = ("--module", "nets.py:linear", "--weights", "weights.npz", "--tasks", "tasks.npz")
    result = invoke("diagnose", *arguments, "--json", "out.json", "--plot", "out.png", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    report = json.loads((nets / "out.json").read_text())
    found = report["result"]
    assert report["format"] == "margin-projection diagnose" and report["configuration"]["model"]["kind"] == "module"
    assert found["degrees"]["kind"] == "COMMON" and found["degrees"]["degree"] == 1.0
    assert found["separation"]["status"] == "SCALED" and abs(found["separation"]["factor"] - 0.5) < EXACT
    verdicts = {each["name"]: each["verdict"] for each in found["conditions"]}
    assert verdicts["positive homogeneity"] == verdicts["MFCQ with margin"] == "HOLDS"
    assert (nets / "out.png").read_bytes().startswith(b"\x89PNG")


def test_tables_name_the_fault_and_the_change(nets: Path) -> None:
    result = invoke("diagnose", "--module", "nets.py:make", "--tasks", "tasks.npz")
    assert result.exit_code == 0 and result.stderr == ""
    for text in ("QUASI", "FAILS", "UNDECIDED", "remove the bias of '2'", "Conditions", "What to change"):
        assert text in result.stdout, text


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_pictures_without_a_report(nets: Path, suffix: str) -> None:
    arguments = ("--module", "nets.py:make", "--tasks", "tasks.npz", "--plot", f"out.{suffix}", "--quiet")
    assert invoke("diagnose", *arguments).exit_code == 0
    assert (nets / f"out.{suffix}").stat().st_size > 1000


def test_a_built_in_model_from_a_file(nets: Path) -> None:
    """The projection of 0 onto {theta_1 >= 1, theta_2 >= 1} is (1, 1), the best margin there 1 / sqrt(2)."""
    text = '[model]\nkind = "linear"\n[tasks]\nsource = "file"\npath = "tasks.npz"\n[diagnosis]\nproject = true\n'
    config = write_config(nets, text)
    result = invoke("diagnose", "--config", config, "--json", "-")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["result"]
    assert found["separation"]["status"] == "PROJECTED" and abs(found["separation"]["moved"] ** 2 - 2.0) < 1e-9
    margin = found["constants"]["intervals"]["mfcq_best"]
    assert margin["lower"] - 1e-9 <= 0.5**0.5 <= margin["upper"] + 1e-9
    assert abs(found["constants"]["intervals"]["kappa"]["upper"] ** 2 - 2.0) < 1e-7


def test_the_module_section_is_relative_to_the_file_and_serves_projections(nets: Path) -> None:
    inner = nets / "inner"
    inner.mkdir()
    np.savez(nets / "weights.npz", weight=[[1.0, 1.0]])
    text = '[model]\nkind = "module"\npath = "../nets.py:linear"\nweights = "../weights.npz"\n'
    config = write_config(inner, text + '[tasks]\nsource = "file"\npath = "../tasks.npz"\n')
    assert invoke("diagnose", "--config", config, "--quiet").exit_code == 0
    result = invoke("project", "--config", config, "--json", "-")
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(json.loads(result.stdout)["result"]["point"], [1.0, 1.0], atol=1e-9)


REFUSALS = {
    "no file": (["--module", "none.py:make"], "existing file", "none.py"),
    "no factory": (["--module", "nets.py"], "FILE.py:FACTORY"),
    "unknown factory": (["--module", "nets.py:other"], "function or class 'other'"),
    "no function": (["--module", "nets.py:number"], "function or class 'number'"),
    "no module": (["--module", "nets.py:words"], "torch.nn.Module", "str"),
    "an error inside": (["--module", "nets.py:broken"], "RuntimeError: out of order"),
    "both": (["--module", "nets.py:make", "--model", "linear"], "--model and --module"),
    "a start": (["--module", "nets.py:make", "--start", "he"], "start must be left out"),
    "weights missing": (["--module", "nets.py:linear", "--weights", "none.npz"], "existing .npz file"),
    "weights of another net": (["--module", "nets.py:make", "--weights", "other.npz"], "unknown", "'0.weight'"),
    "weights of another shape": (["--module", "nets.py:linear", "--weights", "other.npz"], "of shape (1, 2)"),
    "weights with nan": (["--module", "nets.py:linear", "--weights", "nan.npz"], "finite"),
    "weights that need pickle": (["--module", "nets.py:linear", "--weights", "objects.npz"], "plain arrays"),
    "weights written by torch": (["--module", "nets.py:linear", "--weights", "torch.npz"], "plain arrays", "torch.npz"),
    "outputs that are not finite": (["--module", "nets.py:overflowing"], "finite outputs"),
    "radius": (["--module", "nets.py:linear", "--radius", "-1"], "diagnosis.radius", "greater than 0"),
    "an output on the module": (["--module", "nets.py:linear", "--plot", "nets.py"], "--plot"),
    "an import that fails": (["--module", "syntax.py:make"], "cannot be imported", "SyntaxError"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(nets: Path, name: str) -> None:
    np.savez(nets / "other.npz", weight=[[1.0, 2.0, 3.0]])
    np.savez(nets / "nan.npz", weight=[[1.0, np.nan]])
    np.savez(nets / "objects.npz", weight=np.array([[object(), None]], dtype=object))
    torch.save({"weight": torch.ones(1, 2)}, nets / "torch.npz")
    (nets / "syntax.py").write_text("def make(:\n", encoding="utf-8")
    arguments, *fragments = REFUSALS[name]
    assert_refused(invoke("diagnose", "--tasks", "tasks.npz", *arguments), *fragments)


def test_tasks_that_do_not_fit_the_module(nets: Path) -> None:
    np.savez(nets / "wide.npz", X=[[1.0, 0.0, 0.0]], y=[1.0])
    assert_refused(invoke("diagnose", "--module", "nets.py:linear", "--tasks", "wide.npz"), "accepts X of shape")
    assert_refused(invoke("diagnose", "--module", "nets.py:linear", "--tasks", "teacher"), "built-in model")
    assert_refused(invoke("diagnose", "--module", "nets.py:linear"), "no tasks given")


def test_the_users_folder_does_not_stay_on_the_path(nets: Path) -> None:
    before = list(sys.path)
    assert invoke("diagnose", "--module", "nets.py:linear", "--tasks", "tasks.npz", "--quiet").exit_code == 0
    assert sys.path == before
    assert torch.get_default_dtype() == torch.float32


def test_a_search_beyond_a_proof_is_not_blamed_on_the_input(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def contradict(*arguments: object, **options: object) -> None:
        Interval.between(2.0, 1.0, "search", "proof", False)

    monkeypatch.setattr("margin_projection.diagnosis.diagnose", contradict)
    result = invoke("diagnose", "--module", "nets.py:linear", "--tasks", "tasks.npz")
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "contradicts a bound that is proved" in result.stderr

"""``python -m figures``: every figure has what it needs, and saved data give the same bytes again."""

from __future__ import annotations

import numpy as np
import pytest

from figures import counterexamples, spectra
from figures.__main__ import main
from figures.catalogue import NAMES, QUICK, figure_named, make, saved_data
from margin_projection import InputError
from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.measurement import SpectrumSettings
from margin_projection.plasticity.run import RunSettings, run_stream
from margin_projection.plasticity.streams import build_stream

CHEAP = ("figure_1", "theorem_5")  # all others: tests/test_verify.py


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_the_same_parts(name):
    module = figure_named(name)
    assert name == module.NAME
    assert all(callable(getattr(module, part)) for part in ("compute", "draw", "caption", "save"))


@pytest.mark.parametrize("name", CHEAP)
def test_saved_data_give_the_same_pixels(name, tmp_path):
    first = make(name, tmp_path / "first", ("png", "svg"), quick=True)
    again = make(name, tmp_path / "again", ("png", "svg"), data=saved_data(name, tmp_path / "first"))
    assert [path.suffix for path in first] == [".png", ".svg", ".json", ".txt"]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_counterexamples_are_drawn_where_exact_arithmetic_says():
    data = counterexamples.compute()
    for key, case in data["cases"].items():
        rounding = 0.04 if "nonzero" in key else 1e-9  # fifty steps of ball arithmetic leave a wide ball
        np.testing.assert_allclose(counterexamples.drawn_sides(case, key), case["sides"], rtol=rounding, atol=1e-12)
        assert case["refuted"] and case["id"].startswith(key.split(" ")[0])


def test_a_ledger_without_counterexamples_is_named(monkeypatch):
    monkeypatch.setattr(counterexamples, "read_ledger", dict)
    with pytest.raises(InputError, match="ledger"):
        counterexamples.compute()


def test_spectra_are_those_of_the_starts_of_tasks():
    """Against the measurements that `run_stream` takes itself at the start of every task."""
    found = spectra.compute((0, 1, 2), order=20, workers=1)
    assert found["size"] == 8970 and [each["task"] for each in found["spectra"]["bp"]] == [0, 1, 2]
    stream = build_stream("random_label_digits", 3, 0, samples=160)
    for method in ("bp", "l2_er"):
        learner = build_learner(method, stream, (64, 64), OptimizerSettings("adam", 1e-3), 0)
        measured = SpectrumSettings(every=1, samples=160, order=20, probes=4)
        rows = run_stream(learner, stream, RunSettings(20, 16, measured), 0)
        for row, each in zip(rows, found["spectra"][method], strict=True):
            expected = [row["smallest_eigenvalue"], row["largest_eigenvalue"]]
            np.testing.assert_allclose(each["extremes"], expected, rtol=1e-6)
    with pytest.raises(InputError, match="three ascending"):
        spectra.compute((2, 1, 0))


def test_the_command(tmp_path, capsys):
    assert main(["--only", "figure_1", "--out", str(tmp_path), "--format", "pdf"]) == 0
    assert (tmp_path / "figure_1.pdf").is_file() and not (tmp_path / "figure_1.png").exists()
    assert "figure_1.pdf" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "figure_11"], "figure must be one of figure_1"),
        (["--only", "figure_1", "--format", "bmp"], "format"),
        (["--only", "figure_1", "--out", "/proc/nowhere"], "out"),
        (["--only", "figure_1", "--from-data", "/nowhere"], "data"),
    ],
)
def test_bad_input(arguments, words, capsys, tmp_path):
    given = arguments if "--out" in arguments else [*arguments, "--out", str(tmp_path)]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1


def test_quick_arguments_are_arguments_of_compute():
    for name, arguments in QUICK.items():
        code = figure_named(name).compute.__code__
        assert set(arguments) <= set(code.co_varnames[: code.co_argcount]), name
    with pytest.raises(InputError, match="figure"):
        make("nothing", ".")

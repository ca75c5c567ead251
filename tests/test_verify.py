"""The main job: its checks catch wrong numbers, its findings are right, its files repeat, its exit status is honest."""

from __future__ import annotations

import io
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, CONTRAST, FOCUS, Page
from rich.console import Console

import margin_projection as mp
from figures.catalogue import NAMES, make, saved_data
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.verify import __main__ as command
from margin_projection.verify import figure_1, job, spectra, theorem_5
from margin_projection.verify.clarke import stationarity
from margin_projection.verify.exact import exact_step
from margin_projection.verify.findings import Check, Claim, Part, Verdict, at_least
from margin_projection.verify.report import Report


def _silent() -> tuple[Report, io.StringIO]:
    stream = io.StringIO()
    return Report(Console(file=stream, width=160), Console(file=io.StringIO())), stream


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, dict[str, Any], Path, str]:
    folder = tmp_path_factory.mktemp("out")
    report, stream = _silent()
    passed = job.run(folder, quick=True, report=report)
    return passed, json.loads((folder / "verify.json").read_text()), folder, stream.getvalue()


def test_every_check_passes(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    passed, record, _, _ = quick
    failed = [check for part in record["parts"].values() for check in part["checks"] if not check["passed"]]
    assert passed and record["passed"] and not failed
    assert sum(len(part["checks"]) for part in record["parts"].values()) >= 30


def test_claims_are_judged_as_they_are(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    """The forgetting bounds fail at t = 0 alone: f(x; 0) = 0, so the forgetting of 0 is 1."""
    claims = [claim for name in ("theorem_5", "figure_1", "digits_run") for claim in quick[1]["parts"][name]["claims"]]
    failing = [claim for claim in claims if claim["verdict"] != "holds"]
    assert [claim["source"] for claim in failing] == ["Theorem 5", "Lemma 14"]
    for claim in failing:
        assert claim["verdict"] == "fails" and claim["statement"].startswith("max_m F_m")
        assert claim["measured"].startswith("fails at t = 0, holds elsewhere on t = 0..30; 1 at t = 0")
    assert len(claims) == 11


def test_tables_and_files(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    _, record, folder, printed = quick
    assert "Claims of the paper" in printed and "fails at t = 0" in printed and "FAILED" not in printed
    names = {file.name for file in (folder / "figures").iterdir()}
    tables = {"ablation.csv", "ablation.md"}
    drawn = {{"predecessors": "table_1", "verdicts": "verdict_map"}.get(name, name) for name in record["parts"]}
    assert {f"{name}.{kind}" for name in drawn for kind in ("png", "pdf", "json", "txt")} | tables == names
    assert record["settings"] == {"quick": True, "seed": 0, "eps": 0.005}
    assert {"python", "numpy", "torch", "margin_projection"} <= set(record["versions"])


def test_every_figure_is_drawn_again_from_its_data(
    quick: tuple[bool, dict[str, Any], Path, str], tmp_path: Path
) -> None:
    """The same bytes, for every figure of the job."""
    folder = quick[2] / "figures"
    names = [name for name in NAMES if (folder / f"{name}.json").exists()]
    assert set(NAMES) == set(names)
    for name in names:
        for path in make(name, tmp_path, ("png",), data=saved_data(name, folder)):
            assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


def test_a_second_run_gives_the_same_numbers(quick: tuple[bool, dict[str, Any], Path, str], tmp_path: Path) -> None:
    parts = {name: job.PARTS[name] for name in ("figure_1", "digits_run")}
    job.run(tmp_path, quick=True, report=_silent()[0], parts=parts)
    again, first = json.loads((tmp_path / "verify.json").read_text()), quick[1]
    assert {name: first["parts"][name] for name in parts} == again["parts"]
    assert set(first) - {"timings"} == set(again) - {"timings"}


def test_exact_step_agrees_with_the_floating_bound_and_never_exceeds_the_distance() -> None:
    generator = np.random.default_rng(0)
    model = mp.networks.SquaredLinear(2)
    for kind in ("classification", "regression"):
        for task in mp.tasks.catastrophic_pair(0.005, kind):
            start = generator.standard_normal(4)
            result = mp.project(start, mp.MarginSet(model, task))
            form, equality = np.concatenate([task.X[0], -task.X[0]]), kind == "regression"
            step = exact_step(start, result.point, form, 1.0, equality, float(result.multipliers[0]))
            rounded = quadratic_lower_bound(start, form[None], [1.0], [1.0], [equality], result.multipliers)
            assert abs(float(step.squared_bound) ** 0.5 - rounded) <= 1e-9
            assert step.violation <= Fraction(1, 10**12) and abs(step.relative_gap) < 1e-12


def test_exact_step_sees_a_longer_step() -> None:
    """A feasible point beyond the nearest one leaves a gap; a point short of the set leaves a violation."""
    start, form = np.array([0.25]), np.array([4.0])  # 4 theta^2 >= 1 from 1/4: nearest 1/2, multiplier 1/16
    assert exact_step(start, np.array([0.5]), form, 1.0, False, 1 / 16).relative_gap < 1e-12
    assert exact_step(start, np.array([0.75]), form, 1.0, False, 1 / 16).relative_gap > 0.4
    assert exact_step(start, np.array([0.4]), form, 1.0, False, 1 / 16).violation > Fraction(1, 3)
    assert exact_step(start, np.array([0.5]), form, 1.0, False, -1.0).squared_bound == 0


def test_exact_bound_is_a_lower_bound_for_any_multiplier() -> None:
    start, form = np.array([0.3, -0.2]), np.array([1.0, -2.0])
    best = mp.project(start, mp.MarginSet(mp.networks.SquaredLinear(1), mp.tasks.Task([[1.0]], [1.0]))).distance
    form = np.array([1.0, -1.0])
    for multiplier in (-1.0, 0.0, 0.1, 0.3, 0.45, 0.5, 0.7, 5.0):
        bound = exact_step(start, start, form, 1.0, False, multiplier).squared_bound
        assert float(bound) ** 0.5 <= best + 1e-12


@pytest.mark.parametrize("activation", ["relu", "squared_relu"])
def test_stationarity_agrees_with_the_solver_and_catches_wrong_points(activation: str) -> None:
    (task,) = mp.tasks.digits([(2, 3)], samples=10)
    model = mp.networks.FullyConnected((64, 6, 1), activation)
    start = model.initialize(3, scale=0.5)
    result = mp.project(start, mp.MarginSet(model, task), starts=1)
    power = {"relu": 1, "squared_relu": 2}[activation]
    found = stationarity(task.X, task.y, power, start, result.point, result.multipliers)
    assert found.worst < 1e-8
    moved = result.point + 1e-4 * np.random.default_rng(0).standard_normal(start.size)
    assert stationarity(task.X, task.y, power, start, moved, result.multipliers).worst > 1e-6
    assert stationarity(task.X, task.y, power, start, result.point, 1.01 * result.multipliers).worst > 1e-5
    assert stationarity(task.X, task.y, power, start, result.point, -result.multipliers).negativity > 1e-3


def test_stationarity_at_a_kink_needs_a_slope_between_0_and_1() -> None:
    """f = [w]_+ - [v]_+ at v = 0: with multiplier m, v - v0 = -m * slope."""
    X, y, multipliers = np.array([[1.0]]), np.array([1.0]), np.array([0.5])
    point = np.array([1.0, 0.0, 1.0, -1.0])  # W = (1, 0), a = (1, -1)
    for shift, explained in ((0.3, True), (0.5, True), (0.6, False), (-0.1, False)):
        start = point - np.array([0.5, -shift, 0.5, 0.0])
        found = stationarity(X, y, 1, start, point, multipliers)
        assert found.kinks == 1 and (found.worst < 1e-12) is explained


def test_at_least_is_undecided_where_bounds_leave_it_open() -> None:
    values, low = np.array([2.5, 3.0]), np.array([1.5, 3.0])
    assert at_least(low, values, 2.0)[0] is Verdict.UNDECIDED
    assert at_least(values, values, 2.0)[0] is Verdict.HOLDS
    assert at_least(low, np.array([1.9, 3.0]), 2.0)[0] is Verdict.FAILS
    assert at_least(np.array([np.nan]), np.array([np.nan]), 2.0)[0] is Verdict.UNDECIDED


def test_a_collapse_is_decided_by_intervals_alone() -> None:
    """Wide intervals speak neither for nor against it."""
    before = {"lower": 0.2, "upper": 0.3}
    decided = {(0.01, 0.09): Verdict.HOLDS, (0.15, 0.4): Verdict.FAILS}
    open_ends = {(0.05, 0.11): Verdict.UNDECIDED, (0.0, 1.0): Verdict.UNDECIDED}
    for (lower, upper), expected in {**decided, **open_ends}.items():
        assert spectra.collapse(before, {"lower": lower, "upper": upper}) is expected


def test_checks_never_pass_on_nan_or_nothing() -> None:
    assert not Check.at_most("x", float("nan"), 1.0).passed
    assert not Check.all_of("x", 0, 0).passed
    assert not Part("empty").passed


def test_joint_point_is_in_the_joint_set() -> None:
    tasks = mp.tasks.catastrophic_pair(0.005)
    holds, text = theorem_5.joint_point(tasks)
    assert holds and text.startswith("u[1] = 2.9997, v[2] = 0.2121")
    contrary = [mp.Task([[1.0, 0.0]], [1.0]), mp.Task([[-1.0, 0.0]], [1.0])]
    assert not theorem_5.joint_point(contrary)[0]


def test_closed_forms_of_figure_1_notice_a_missing_or_wrong_minimizer() -> None:
    found = {
        "starts": np.array([[0.0, 0.6]]),
        "minimizers": np.array([[0.59**0.5, 0.3], [-(0.59**0.5), 0.3]]),
        "owners": np.array([0, 0]),
    }
    assert figure_1.closed_form_deviation("c", found) < 1e-11
    one = {**found, "minimizers": found["minimizers"][:1], "owners": np.array([0])}
    assert figure_1.closed_form_deviation("c", one) == np.inf
    wrong = {**found, "minimizers": found["minimizers"] + 0.01}
    assert figure_1.closed_form_deviation("c", wrong) > 1e-3


def _failing(quick: bool, progress: Any) -> Part:
    return Part("failing", claims=[Claim("x", "y", Verdict.FAILS, "z")], checks=[Check.at_most("gap", 1.0, 1e-9)])


def _finding(quick: bool, progress: Any) -> Part:
    return Part("finding", claims=[Claim("x", "y [z]", Verdict.FAILS, "z")], checks=[Check.at_most("gap", 0.0, 1e-9)])


def _unsolvable(quick: bool, progress: Any) -> Part:
    tasks = [mp.Task([[1.0], [1.0]], [1.0, -1.0])]
    mp.sequential_projections(mp.networks.SquaredLinear(1), tasks, num_steps=1)
    raise AssertionError("the projection must fail")


@pytest.mark.parametrize(("part", "expected"), [(_failing, False), (_finding, True), (_unsolvable, False)])
def test_checks_decide_claims_do_not(part: Any, expected: bool, tmp_path: Path) -> None:
    report, stream = _silent()
    assert job.run(tmp_path, report=report, parts={"part": part}) is expected
    assert json.loads((tmp_path / "verify.json").read_text())["passed"] is expected
    assert ("FAILED" in stream.getvalue()) is not expected


def test_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(job, "PARTS", {"part": _failing})
    assert command.main(["--out", str(tmp_path / "new" / "folder")]) == command.FAILED
    monkeypatch.setattr(job, "PARTS", {"part": _finding})
    assert command.main(["--out", str(tmp_path)]) == command.PASSED
    capsys.readouterr()
    (tmp_path / "file").write_text("")
    assert command.main(["--out", str(tmp_path / "file")]) == command.BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as stopped:
        command.main(["--slow"])
    assert stopped.value.code == command.BAD_INPUT
    assert capsys.readouterr().err == "error: unrecognized arguments: --slow\n"


def test_the_report_is_whole(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    """Every link leads somewhere, every statement has its page, nothing is fetched and nothing is scripted."""
    folder = quick[2] / "report"
    pages = [folder / "index.html", *sorted((folder / "statements").iterdir())]
    assert len(pages) == 1 + len(quick[1]["parts"]["verdicts"]["results"]["rows"])
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and "http://" not in text and "https://" not in text, page
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            if target.startswith(("#", "data:")):
                assert target.startswith("data:") or f'id="{target[1:]}"' in text, (page, target)
            else:
                assert (page.parent / target.split("#")[0]).is_file(), (page, target)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 20e6


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1000, 360])
def test_pages_can_be_read(quick: tuple[bool, dict[str, Any], Path, str], width: int, dark: bool) -> None:
    """No errors, text that stands out from its background (WCAG 2, AA), nothing wider than the window."""
    folder = quick[2] / "report"
    refuted, proved = (f"statements/schliserman2026-{name}.html" for name in ("lemma-d2", "theorem-06-cyclic"))
    for name in ("index.html", "interactive.html", refuted, proved):
        with Page(folder / name, width=width, dark=dark) as page:
            assert not page.errors, page.errors
            contrast = page.evaluate(CONTRAST)
            assert contrast["ratio"] >= 4.5, (name, contrast)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate("[...document.images].every((image) => image.alt)"), name


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_pages_are_used_by_keyboard(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    """Tab reaches everything in the order of the page, what has the focus is seen, and arrows filter the table."""
    shown = "[...document.querySelectorAll('tr[data-status]')].filter((row) => row.getClientRects().length)"
    folder = quick[2] / "report"
    for name, groups in (("index.html", 5), ("interactive.html", 0), ("statements/schliserman2026-lemma-d2.html", 0)):
        with Page(folder / name) as page:
            reached = []
            while True:
                page.press("Tab")
                focus = page.evaluate(FOCUS)
                if focus is None:
                    break
                assert focus["visible"], (name, focus)
                reached.append(focus["index"])
                total = focus["total"]
            assert reached == sorted(reached) and len(reached) == total - groups, name  # one stop for all radio buttons
    with Page(folder / "index.html") as page:
        everything = page.evaluate(f"{shown}.length")
        while (page.evaluate(FOCUS) or {"name": ""})["name"] != "INPUT":
            page.press("Tab")
        page.press("ArrowRight")
        statuses = page.evaluate(f"[...new Set({shown}.map((row) => row.dataset.status))]")
        assert statuses == ["proved"] and 0 < page.evaluate(f"{shown}.length") < everything
        page.press("ArrowLeft")
        assert page.evaluate(f"{shown}.length") == everything


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_the_start_is_dragged_and_moved_by_keys(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    with Page(quick[2] / "report" / "interactive.html") as page:
        box = "document.getElementById('plane').getBoundingClientRect()"
        x, y, width = page.evaluate(f"(({{ x, y, width }}) => [x, y, width])({box})")
        page.drag((x + 20, y + 20), (x + width / 2, y + width / 2))  # to the origin of Figure 1a
        assert "Start (0.0000, 0.0000)" in page.evaluate("document.getElementById('told').textContent")
        page.evaluate("document.getElementById('plane').focus()")
        page.press("ArrowRight")
        assert "Start (0.0500, 0.0000)" in page.evaluate("document.getElementById('told').textContent")
        assert not page.errors


def test_statement_pages_say_how_to_reproduce(quick: tuple[bool, dict[str, Any], Path, str]) -> None:
    page = (quick[2] / "report" / "statements" / "schliserman2026-lemma-d2.html").read_text(encoding="utf-8")
    assert "python -m proofs_checks --reproduce" in page and "lemma-d2#" in page
    assert "Repair" in page and "|sum<sub>j</sub> l<sub>j</sub> r y<sub>j</sub>|" in page

"""``python -m proofs_checks``: exit status, rows, ledger, a user's own statements, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from margin_projection import InputError
from proofs_checks import verify_all
from proofs_checks.command import main
from proofs_checks.ledger import LEDGER, changes, read_ledger, reproduce
from proofs_checks.registry import registered
from proofs_checks.rows import flattened

OWN = '''
from proofs_checks import Claim, Constant, Instance, Statement
from proofs_checks.strategies import instances, rationals

def quantities(x, A, c):
    return {"sum": x.a + x.b, "root": A.sqrt(x.a * x.b)}

def mean(key, factor):
    return Statement(
        id=key, source="a test", title="means", text="sqrt(ab) <= factor (a + b)",
        instances=lambda dropped: instances(a=rationals(0, 5), b=rationals(0, 5)), derive=quantities,
        claims=(Claim("mean", lambda q, c: q.root, "<=", lambda q, c: c.factor * q.sum),),
        constants={"factor": Constant(factor, "down")}, corners={"equal": Instance(a="1", b="1")},
    )

STATEMENTS = (mean("mine/true", "1/2"), mean("mine/false", "1/3"))
'''
KEYS = {
    "id", "source", "title", "status", "proof_status", "failing_steps", "reading", "evidence", "counterexample",
    "repair", "tightness", "seed", "seconds",
}  # fmt: skip


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_rows_and_picture(tmp_path, capsys):
    rows, picture = tmp_path / "rows.json", tmp_path / "verdicts.svg"
    options = ["--budget", "quick", "--workers", "1", "--json", str(rows), "--plot", str(picture)]
    assert main(["--only", "schliserman2026/lemma-d2", *options]) == 0
    (row,) = json.loads(rows.read_text(encoding="utf-8"))["verdicts"]
    assert set(row) >= KEYS
    assert (row["status"], row["proof_status"], row["repair"]["status"]) == ("refuted", "broken", "proved")
    assert picture.stat().st_size > 1000
    assert "lemma-d2" in capsys.readouterr().out


def test_own_statements(own, tmp_path):
    rows = tmp_path / "rows.json"
    assert main(["--module", str(own), "--budget", "quick", "--json", str(rows), "-q"]) == 0
    found = {row["id"]: row["status"] for row in json.loads(rows.read_text(encoding="utf-8"))["verdicts"]}
    assert found == {"mine/true": "supported", "mine/false": "refuted"}


def test_a_changed_verdict_is_noticed(tmp_path, capsys):
    ledger = tmp_path / "ledger.json"
    run = ["--only", "schliserman2026/figure-1b", "--budget", "quick", "-q", "--ledger", str(ledger)]
    assert main([*run, "--update-ledger"]) == 0
    assert main(run) == 0
    known = json.loads(ledger.read_text(encoding="utf-8"))
    known["schliserman2026/figure-1b"]["status"] = "refuted"
    ledger.write_text(json.dumps(known), encoding="utf-8")
    assert main(run) == 1
    assert "status is proved, refuted in the ledger" in capsys.readouterr().err


def test_the_ledger_knows_every_statement_and_its_counterexamples_refute():
    ledger = read_ledger()
    statements = list(registered().values())
    keys = {each.key for statement in statements for each in (statement, *statement.readings)}
    assert keys <= set(ledger)
    found = [entry["counterexample"]["id"] for entry in ledger.values() if entry["counterexample"]]
    assert len(found) >= 25
    for identifier in found:
        statement, instance, evaluation = reproduce(identifier)
        assert evaluation.refuting_claims, (statement.key, instance)


def test_reproduce_prints_the_counterexample(capsys):
    entry = read_ledger()["schliserman2026/lemma-d2"]["counterexample"]
    assert main(["--reproduce", entry["id"]]) == 0
    shown = capsys.readouterr().out
    assert f"claim kappa: {entry['left']} <= {entry['right']}: false" in shown and "hypothesis y_min > 0: true" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "lemma-d2"], "id must be one of"),
        (["--budget", "lavish"], "budget"),
        (["--only", "schliserman2026/lemma-d2", "--json", "/nonexistent/rows.json"], "--json"),
        (["--only", "schliserman2026/lemma-d2", "--plot", "verdicts.bmp"], "--plot"),
        (["--module", "nowhere.py"], "module must be an existing Python file"),
        (["--reproduce", "schliserman2026/lemma-d2#0"], "counterexample must be one of"),
        (["--workers", "0"], "workers"),
    ],
)
def test_bad_input(arguments, words, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.splitlines()) == 1


def test_damaged_ledger(tmp_path, capsys):
    path = tmp_path / "ledger.json"
    path.write_text("[1, 2", encoding="utf-8")
    assert main(["--only", "schliserman2026/lemma-d2", "--ledger", str(path)]) == 2
    assert "ledger must be a readable ledger" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["STATEMENTS = ()", "STATEMENTS = (1,)", "1 / 0", ""])
def test_bad_modules(text, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        verify_all(module=path)


def test_one_bad_statement_does_not_lose_the_others(own, tmp_path, capsys):
    """Its derive raises; the other two verdicts are there, and the line names the statement."""
    path = Path(tmp_path / "three.py")
    path.write_text(
        OWN + "from dataclasses import replace\n"
        "def raising(x, A, c):\n    raise ZeroDivisionError('no')\n"
        "STATEMENTS += (replace(STATEMENTS[0], id='mine/bad', derive=raising),)\n", encoding="utf-8",
    )  # fmt: skip
    assert main(["--module", str(path), "--budget", "quick"]) == 1
    captured = capsys.readouterr()
    assert "mine/bad" in captured.err and "ZeroDivisionError" in captured.err
    assert "supported" in captured.out and "refuted" in captured.out


def test_workers_do_not_change_verdicts():
    ids = ["schliserman2026/lemma-d2", "prakash2026/kfac", "schliserman2026/lemma-c4".replace("lemma", "proposition")]
    alone, together = (verify_all(ids, budget="quick", workers=workers) for workers in (1, 2))
    assert [each.counterexample for each in flattened(alone)] == [each.counterexample for each in flattened(together)]
    assert not changes(together, read_ledger(LEDGER))


def test_the_page_of_verdicts_is_the_ledger():
    """Every row of docs/verdicts.md: status and proof status."""
    known = read_ledger()
    page = (Path(__file__).parents[1] / "docs" / "verdicts.md").read_text(encoding="utf-8")
    source, name, rows = "", "", 0
    titles = {"Schliserman": "schliserman2026", "Prakash": "prakash2026", "Controls": "controls"}
    for line in page.splitlines():
        if line.startswith("## "):
            source = titles[line.split()[1]]
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") or cells[0] in ("statement", "---"):
            continue
        label, status, proof = cells[:3]
        name = label.split("`")[1] if "`" in label else name
        reading = label.split("*", 1)[1].rsplit("*", 1)[0] if label.endswith("*") else ""
        entry = known[f"{source}/{name}" + (f" [{reading}]" if reading else "")]
        assert (entry["status"], entry["proof_status"]) == (status, proof), label
        rows += 1
    assert rows == sum(not key.split(" [")[0].endswith("/repair") for key in known)

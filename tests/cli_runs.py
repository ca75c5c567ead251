"""What the tests of the command line share: how to call it, and what a refusal looks like."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from margin_projection.cli.main import app

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


def write_config(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path

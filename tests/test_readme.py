"""The README's code runs as it is printed, and what it points to is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from margin_projection.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = FENCED.findall(README)
PYTHON = [code for language, code in BLOCKS if language == "python"]
PAGES = [
    pytest.param(code, id=f"{page.stem}-{index}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for index, (language, code) in enumerate(FENCED.findall(page.read_text(encoding="utf-8")))
    if language == "python"
]


@pytest.mark.parametrize("index", range(len(PYTHON)))
def test_python_blocks_run(index: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(PYTHON[index], f"README.md, block {index}", "exec"), {"__name__": "__main__"})
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize("code", PAGES)
def test_python_blocks_of_the_documents_run(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "a document", "exec"), {"__name__": "__main__"})
    assert "nan" not in capsys.readouterr().out


def test_first_block_prints_what_the_paper_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(compile(PYTHON[0], "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("GLOBAL 1.0025094142")
    assert "2 nearest points; all of them: True" in printed
    assert names["run"].forgetting[0, 1:].max(axis=1).min() >= 1.5  # type: ignore[attr-defined]


def test_the_diagnosed_module_is_what_its_comment_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (code for code in PYTHON if "mp.diagnose(" in code)
    exec(compile(code, "README.md", "exec"), {})
    assert "remove the bias of '2'" in capsys.readouterr().out


def test_first_block_is_short_and_early() -> None:
    language, code = BLOCKS[0]
    assert language == "python" and len(code.splitlines()) <= 15
    assert README[: README.index(code)].count("\n") + len(code.splitlines()) < 40


def test_links_lead_somewhere() -> None:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for document in documents:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_folders_named_in_the_layout_exist() -> None:
    layout = README[README.index("## Layout") : README.index("## Citing")]
    folders = re.findall(r"`([\w/]+)`", layout)
    assert "margin_projection/projections" in folders
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


def test_commands_of_the_readme_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example configuration is written, and every other command knows its options."""
    monkeypatch.chdir(tmp_path)
    lines = [line.split("#")[0] for line in README.splitlines() if line.startswith("margin-projection ")]
    assert len(lines) >= 3
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})
    assert runner.invoke(app, shlex.split(lines[0])[1:]).exit_code == 0
    assert (tmp_path / "run.toml").exists()
    for line in lines[1:]:
        _, command, *options = shlex.split(line)
        shown = runner.invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert all(option in shown.output for option in options if option.startswith("--"))


def test_no_path_of_a_machine() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text(encoding="utf-8")
        assert "/home/" not in text and "/work" not in text and "/tmp" not in text

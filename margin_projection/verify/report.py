"""What the job shows: tables on standard output, a progress bar on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from margin_projection.verify.findings import Part, Verdict


class Report:
    """Shows parts as they end.

    Args:
        tables: where tables go (default: standard output).
        bars: where the progress bar goes (default: standard error).
    """

    def __init__(self, tables: Console | None = None, bars: Console | None = None) -> None:
        self.tables = Console() if tables is None else tables
        self.bars = Console(stderr=True) if bars is None else bars

    @contextmanager
    def progress(self, name: str) -> Iterator[Callable[[float], None]]:
        """A bar that is there while a part runs; what is yielded takes the share done, in [0, 1]."""
        share = TextColumn("{task.percentage:>3.0f} %")
        columns = (TextColumn("{task.description}"), BarColumn(), share, TimeElapsedColumn())
        with Progress(*columns, console=self.bars, transient=True, disable=not self.bars.is_terminal) as bar:
            task = bar.add_task(name, total=1.0)
            yield lambda share: bar.update(task, completed=share)

    def part(self, part: Part, files: Sequence[Path]) -> None:
        """Everything a part found, and where its figure lies."""
        self.tables.rule(f"[bold]{escape(part.title)}")
        for title, columns, rows in part.tables:
            self._table(title, columns, rows)
        if part.claims:
            rows = [[each.source, each.statement, each.verdict.value, each.measured] for each in part.claims]
            self._table("Claims of the paper", ["source", "statement", "verdict", "measured"], rows)
        rows = [[each.name, "ok" if each.passed else "FAILED", each.measured, each.required] for each in part.checks]
        self._table("Checks", ["check", "", "measured", "required"], rows)
        for file in files:
            if file.suffix == ".png":
                self._line(f"picture: {file}")

    def summary(self, found: Mapping[str, Part], path: Path) -> None:
        """The last lines."""
        claims = [claim for part in found.values() for claim in part.claims]
        checks = [check for part in found.values() for check in part.checks]
        self.tables.rule("[bold]Summary")
        self._line(f"checks passed: {sum(each.passed for each in checks)} of {len(checks)}")
        others = [claim for claim in claims if claim.verdict is not Verdict.HOLDS]
        self._line(f"claims that hold: {len(claims) - len(others)} of {len(claims)}")
        for claim in others:
            self._line(f"  {claim.source}: {claim.statement}: {claim.measured}")
        self._line(f"results: {path}")

    def _table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = Table(title=escape(title), title_justify="left", title_style="bold", header_style="bold")
        for column in columns:
            table.add_column(escape(column), overflow="fold")
        for row in rows:
            table.add_row(*(escape(each) if each not in _STYLED else _STYLED[each] for each in row))
        self.tables.print(table)

    def _line(self, text: str) -> None:
        self.tables.print(text, markup=False, highlight=False, soft_wrap=True)


_STYLED = {
    "holds": "[green]holds[/]",
    "fails": "[bold yellow]fails[/]",
    "undecided": "[yellow]undecided[/]",
    "ok": "[green]ok[/]",
    "FAILED": "[bold red]FAILED[/]",
}

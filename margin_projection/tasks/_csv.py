"""Reading tasks from a CSV table."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import NoReturn

from margin_projection._validation import InputError
from margin_projection.tasks.task import Task

_LABEL, _TASK = "y", "task"


class _Table:
    """The header of a CSV file, and one row at a time turned into (task number, features, label)."""

    def __init__(self, file: Path, header: list[str], kind: str) -> None:
        self.file, self.kind = file, kind
        self.columns = [column.strip() for column in header]
        self._check_header()
        self.features = [i for i, column in enumerate(self.columns) if column not in (_LABEL, _TASK)]
        self.label = self.columns.index(_LABEL)
        self.task = self.columns.index(_TASK) if _TASK in self.columns else None

    def _check_header(self) -> None:
        for position, column in enumerate(self.columns):
            if not column:
                raise InputError(f"{self.file}, line 1, column {position + 1}", column, "a column name")
            if column in self.columns[:position]:
                raise InputError(f"{self.file}, line 1", column, "a header without repeated columns")
        if _LABEL not in self.columns:
            raise InputError(f"{self.file}, line 1", self.columns, f"a header with the label column {_LABEL!r}")
        if set(self.columns) <= {_LABEL, _TASK}:
            raise InputError(f"{self.file}, line 1", self.columns, "a header with at least one feature column")

    def read(self, line: int, cells: list[str]) -> tuple[int, list[float], float]:
        """One row, checked cell by cell."""
        if len(cells) != len(self.columns):
            requirement = f"a row of {len(self.columns)} cells, not {len(cells)}"
            raise InputError(f"{self.file}, line {line}", cells, requirement)
        features = [self._number(line, i, cells[i]) for i in self.features]
        label = self._number(line, self.label, cells[self.label])
        if self.kind == "classification" and label not in (-1.0, 1.0):
            self._fail(line, self.label, cells[self.label], "-1 or +1 for classification")
        return self._task_number(line, cells), features, label

    def _number(self, line: int, column: int, cell: str) -> float:
        try:
            number = float(cell) if "_" not in cell else math.nan
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self._fail(line, column, cell, "a finite number")
        return number

    def _task_number(self, line: int, cells: list[str]) -> int:
        if self.task is None:
            return 0
        cell = cells[self.task].strip()
        if not cell.removeprefix("-").isdecimal() or len(cell) > 18:
            self._fail(line, self.task, cell, "a task number (an integer)")
        return int(cell)

    def _fail(self, line: int, column: int, cell: str, requirement: str) -> NoReturn:
        raise InputError(f"{self.file}, line {line}, column {self.columns[column]!r}", cell, requirement)


def read_csv(file: Path, kind: str | None) -> list[Task]:
    """The tasks of a CSV file; see `margin_projection.tasks.load_tasks`."""
    kind = kind or "classification"
    samples: dict[int, list[list[float]]] = defaultdict(list)
    labels: dict[int, list[float]] = defaultdict(list)
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            table = _Table(file, next(reader, []), kind)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    number, features, label = table.read(reader.line_num, cells)
                    samples[number].append(features)
                    labels[number].append(label)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError("path", str(file), f"a readable CSV file in UTF-8 ({error})") from error
    if not samples:
        raise InputError(f"{file}", "no row", "a table with at least one row below the header")
    named = {number: f"task {number}" if table.task is not None else file.stem for number in samples}
    return [Task(samples[number], labels[number], kind, named[number]) for number in sorted(samples)]

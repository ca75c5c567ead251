"""Tasks from and to files: ``.npz`` archives and CSV tables in, ``.npz`` out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from margin_projection._files import write_atomically
from margin_projection._validation import InputError, check_choice
from margin_projection.tasks._csv import read_csv
from margin_projection.tasks._npz import read_npz
from margin_projection.tasks.task import KINDS, Task

_READERS = {".npz": read_npz, ".csv": read_csv}


def load_tasks(path: str | os.PathLike[str], kind: str | None = None) -> list[Task]:
    """The tasks of a file.

    ``.npz``, without pickle: arrays ``X`` (n, ...) and ``y`` (n,) for one task; with an integer array ``task`` (n,) as
    well, one task for each number in it, in increasing order; or ``X_0``, ``y_0``, ``X_1``, ``y_1``, ... Optional are
    ``names`` (one string a task) and ``kind``, both written by `save_tasks`.

    ``.csv``, UTF-8 with commas: a header, the labels in column ``y``, optionally task numbers in column ``task``, and
    one feature in each other column, in the file's order. Lines without any entry are skipped.

    Args:
        path: a file whose name ends in .npz or .csv.
        kind: "classification", "regression", or None (default): what the file says, or else classification.

    Returns:
        The tasks in order, at least one.

    Raises:
        InputError: names the file and the key, or the line and column: a file that is missing or damaged, a key or
            column that is missing, repeated or unknown, a cell that is no finite number, a row that is too short or too
            long, labels outside {-1, +1}, no sample, a ``kind`` other than the file's, or another file type.
    """
    file = check_path(path, _READERS)
    if kind is not None:
        check_choice("kind", kind, KINDS)
    if not file.is_file():
        raise InputError("path", str(file), "an existing file")
    return _READERS[file.suffix.lower()](file, kind)


def save_tasks(path: str | os.PathLike[str], tasks: Sequence[Task]) -> None:
    """Write tasks of one kind to a ``.npz`` file that `load_tasks` reads back equal, names included.

    The file appears whole or not at all, in place of any file that was there.

    Args:
        path: where to write; the name ends in .npz and its folder exists.
        tasks: at least one, all of the same kind.

    Raises:
        InputError: another file name, a folder that is not there or not writable, or tasks that do not fit the above.
    """
    file = check_path(path, (".npz",))
    checked = _check_tasks(tasks)
    arrays: dict[str, Any] = {"kind": np.array(checked[0].kind), "names": np.array([task.name for task in checked])}
    for index, task in enumerate(checked):
        arrays[f"X_{index}"], arrays[f"y_{index}"] = task.X, task.y
    write_atomically(file, lambda stream: np.savez(stream, **arrays))


def check_path(path: Any, suffixes: Any) -> Path:
    """``path`` as a `Path` whose suffix, in any case of letters, is one of ``suffixes``."""
    try:
        file = Path(path)
    except TypeError as error:
        raise InputError("path", path, "a file path") from error
    if file.suffix.lower() not in suffixes:
        raise InputError("path", str(file), "a file name that ends in " + " or ".join(suffixes))
    return file


def _check_tasks(tasks: Any) -> list[Task]:
    requirement = "a nonempty sequence of tasks of one kind"
    if not isinstance(tasks, Sequence) or not tasks or not all(isinstance(task, Task) for task in tasks):
        raise InputError("tasks", tasks, requirement)
    if len({task.kind for task in tasks}) > 1:
        raise InputError("tasks", [task.kind for task in tasks], requirement)
    return list(tasks)

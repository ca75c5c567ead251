"""Reading tasks from a ``.npz`` archive, without pickle."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

import numpy as np

from margin_projection._files import DAMAGE
from margin_projection._validation import InputError, check_choice
from margin_projection.tasks.task import KINDS, Task

_NUMBERED = re.compile(r"[Xy]_(0|[1-9][0-9]{0,8})")
_END_RECORD_REACH = 22 + 2**16  # bytes: a zip file's end record and the longest comment after it


def read_npz(file: Path, kind: str | None) -> list[Task]:
    """The tasks of a ``.npz`` file; see `margin_projection.tasks.load_tasks`."""
    arrays = _read_arrays(file)
    kind = _kind(file, arrays.pop("kind", None), kind)
    names = arrays.pop("names", None)
    read = _one_table if "X" in arrays or "y" in arrays else _numbered_tables
    tables = read(file, arrays)
    chosen = _names(file, names, len(tables)) or [default for *_, default in tables]
    return [_task(file, suffix, X, y, kind, name) for (suffix, X, y, _), name in zip(tables, chosen, strict=True)]


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    """Every array of the archive by its key."""
    damaged = "a readable .npz archive of plain arrays (it is damaged, or needs pickle)"
    try:
        with zipfile.ZipFile(file) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist()]
        complete = len(keys) % 2**16 == _recorded_count(file)
    except DAMAGE as error:
        raise InputError("path", str(file), damaged) from error
    if not complete:
        raise InputError("path", str(file), damaged)
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise InputError(f"{file}", key, "an archive without repeated keys")
    return {key: _read_array(file, key, damaged) for key in keys}


def _recorded_count(file: Path) -> int:
    """How many entries the archive's end record counts, modulo 2^16 as the format stores it.

    `zipfile` does not compare it with the entries found, and a damaged length in one entry can hide those after it.
    """
    with open(file, "rb") as stream:
        stream.seek(max(0, file.stat().st_size - _END_RECORD_REACH))
        tail = stream.read()
    (count,) = struct.unpack_from("<H", tail, tail.rindex(b"PK\x05\x06") + 10)
    return int(count)


def _read_array(file: Path, key: str, damaged: str) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as opened:
            array = opened[key]
    except DAMAGE as error:
        raise InputError(f"{file}", key, damaged) from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{file}", key, damaged)
    return array


def _kind(file: Path, stored: np.ndarray | None, asked: str | None) -> str:
    """The kind of the tasks: the file's where it has one, which must not contradict the caller's."""
    if stored is None:
        return asked or "classification"
    if stored.ndim != 0 or stored.dtype.kind != "U":
        raise InputError(f"{file}: kind", stored, "one string")
    kind = check_choice(f"{file}: kind", str(stored), KINDS)
    if asked not in (None, kind):
        raise InputError("kind", asked, f"{kind!r}, as {file} says, or None")
    return kind


def _names(file: Path, names: np.ndarray | None, count: int) -> list[str] | None:
    if names is None:
        return None
    if names.dtype.kind != "U" or names.shape != (count,):
        raise InputError(f"{file}: names", names, f"an array of {count} strings, one a task")
    return [str(name) for name in names]


def _one_table(file: Path, arrays: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """(key suffix, X, y, default name) for each task in ``X``, ``y`` and, optionally, ``task``."""
    _check_keys(file, arrays, ["X", "y"], optional=["task"])
    X, y, task = arrays["X"], arrays["y"], arrays.get("task")
    if task is None:
        return [("", X, y, file.stem)]
    if task.dtype.kind not in "iu" or X.ndim < 2 or y.shape != X.shape[:1] or task.shape != X.shape[:1]:
        raise InputError(f"{file}: task", task, "integers, one for each sample of X (n, ...) and each label of y (n,)")
    if not task.size:
        raise InputError(f"{file}: X", X, "a nonempty array (at least one sample)")
    return [("", X[task == number], y[task == number], f"task {number}") for number in np.unique(task)]


def _numbered_tables(file: Path, arrays: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """(key suffix, X, y, default name) for each of ``X_0``, ``y_0``, ``X_1``, ``y_1``, ..."""
    numbers = {int(match[1]) for match in map(_NUMBERED.fullmatch, arrays) if match}
    if not numbers:
        raise InputError(f"{file}", sorted(arrays), "an archive with the keys X and y, or X_0, y_0, X_1, y_1, ...")
    # Among K numbers that skip one, the smallest that is missing is below K: the message names it.
    required = [f"{letter}_{index}" for index in range(len(numbers)) for letter in "Xy"]
    _check_keys(file, arrays, required, optional=[])
    return [(f"_{i}", arrays[f"X_{i}"], arrays[f"y_{i}"], f"task {i}") for i in range(len(numbers))]


def _check_keys(file: Path, arrays: dict[str, np.ndarray], required: list[str], optional: list[str]) -> None:
    for key in required:
        if key not in arrays:
            raise InputError(f"{file}", sorted(arrays), f"an archive with the key {key!r}")
    allowed = {*required, *optional}
    for key in arrays:
        if key not in allowed:
            shown = [*required[:4], *(["..."] if len(required) > 4 else []), *optional, "names", "kind"]
            raise InputError(f"{file}", key, f"an archive with no keys but {', '.join(shown)}")


def _task(file: Path, suffix: str, X: np.ndarray, y: np.ndarray, kind: str, name: str) -> Task:
    """One task; a message about X or y names the file and the key."""
    for letter, array in (("X", X), ("y", y)):
        if array.dtype.kind not in "biuf":
            raise InputError(f"{file}: {letter}{suffix}", str(array.dtype), "an array of real numbers")
    try:
        return Task(X, y, kind, name)
    except InputError as error:
        letter, rest = error.argument[:1], error.argument[1:]
        raise InputError(f"{file}: {letter}{suffix}{rest}", error.value, error.requirement) from error

"""Archives of arrays and a JSON description (.npz): written atomically, read without pickle."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from margin_projection._validation import InputError

_METADATA = "metadata"
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


def check_target(path: Any) -> Path:
    """``path`` as a `Path` that a file can be written to.

    Raises:
        InputError: no path, a directory, or in a directory that does not exist.
    """
    try:
        target = Path(path)
    except TypeError as error:
        raise InputError("path", path, "a file's path") from error
    if target.is_dir() or not target.parent.is_dir():
        raise InputError("path", str(target), "a file in a directory that exists")
    return target


def write_atomically(path: Any, write: Callable[[IO[bytes]], None]) -> None:
    """Have ``write`` fill a temporary file next to ``path``, flush it to the disk, and put it in the place of ``path``.

    Whoever reads ``path`` sees the old file or the new one, never a part; the temporary file is removed on failure.
    """
    target = check_target(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _permissions(target))
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _permissions(target: Path) -> int:
    """Those of the file that is replaced; readable by all where there is none."""
    return target.stat().st_mode & 0o777 if target.exists() else 0o644


def write_archive(path: Any, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> None:
    """Write arrays and a JSON description to the .npz file ``path``, atomically."""
    text = np.array(json.dumps(metadata, sort_keys=True))
    write_atomically(path, lambda stream: np.savez(stream, allow_pickle=False, **{_METADATA: text}, **arrays))


def read_archive(path: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the description that `write_archive` wrote.

    Raises:
        InputError: the file is missing, damaged, or none that `write_archive` wrote.
    """
    try:
        source = Path(path)
    except TypeError as error:
        raise InputError("path", path, "a file's path") from error
    if not source.is_file():
        raise InputError("path", str(source), "an existing file")
    try:
        with open(source, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        metadata = json.loads(str(arrays.pop(_METADATA)))
    except _DAMAGE as error:
        raise InputError("path", str(source), "a readable archive of a trajectory (it is damaged, or none)") from error
    if not isinstance(metadata, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise InputError("path", str(source), "an archive of a trajectory")
    return arrays, metadata

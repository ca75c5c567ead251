"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import json
import math
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from margin_projection._validation import InputError

DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""What reading a damaged .npy or .npz file may raise."""


def check_target(path: Any) -> Path:
    """``path`` as a `Path` that a file can be written to.

    Raises:
        InputError: no path, a directory or a device, or in a directory that does not exist.
    """
    try:
        target = Path(path)
    except TypeError as error:
        raise InputError("path", path, "a file's path") from error
    if (target.exists() and not target.is_file()) or not target.parent.is_dir():
        raise InputError("path", str(target), "a file that can be written, in a directory that exists")
    return target


def write_atomically(path: Any, write: bytes | Callable[[IO[bytes]], object]) -> Path:
    """Put bytes, or what ``write`` writes to a stream, in the place of ``path``, whose folder must exist.

    Whoever reads ``path`` sees the old file or the whole new one.

    Raises:
        InputError: the file cannot be written.
    """
    target = check_target(path)
    try:
        with replacing(target) as temporary, open(temporary, "xb") as stream:
            if callable(write):
                write(stream)
            else:
                stream.write(write)
    except OSError as error:
        raise InputError("path", str(target), f"a file that can be written ({error.strerror or error})") from error
    return target


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A free path beside ``path``, with the same suffix: the file written there takes the place of ``path`` at the end.

    It is flushed to the disk first and takes over the permissions; on failure it is removed and ``path`` stays.
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """The name of a hidden file in the folder of ``path``, with its suffix, that is not there yet."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp{path.suffix}")


def writable_folder(name: str, path: str | Path) -> Path:
    """The folder ``path``, made with its parents where it is not there, and tried out; ``name`` is for the message.

    Raises:
        InputError: it cannot be made, is no folder, or cannot be written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(6)}.tmp"
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(name, str(folder), f"a folder that can be written to ({error.strerror or error})") from error
    return folder


def json_bytes(value: Any) -> bytes:
    """``value`` as JSON, one key a line: arrays become lists, and what is not finite becomes null.

    >>> json_bytes({"a": np.array([1.0, np.nan])}).decode().split()
    ['{', '"a":', '[1.0,', 'null]', '}']
    """
    return (_indented(_plain(value), 0) + "\n").encode()


def _indented(value: Any, depth: int) -> str:
    """Objects over several lines, everything else on one."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, allow_nan=False)
    inner = "  " * (depth + 1)
    lines = [f"{inner}{json.dumps(key)}: {_indented(each, depth + 1)}" for key, each in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"


def _plain(value: Any) -> Any:
    """``value`` in terms of what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

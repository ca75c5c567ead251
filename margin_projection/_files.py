"""Files that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import json
import math
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from margin_projection._validation import InputError


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write ``content`` to ``path``, whose folder must exist: a reader sees the old file or the whole new one.

    Raises:
        InputError: the file cannot be written.
    """
    file = Path(path)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except OSError as error:
        raise InputError("path", str(file), f"a file that can be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return file


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

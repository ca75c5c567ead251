"""Archives of arrays and a JSON description (.npz): written atomically, read without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from margin_projection._files import DAMAGE, write_atomically
from margin_projection._validation import InputError

_METADATA = "metadata"


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
    except DAMAGE as error:
        raise InputError("path", str(source), "a readable archive of a trajectory (it is damaged, or none)") from error
    if not isinstance(metadata, dict) or not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise InputError("path", str(source), "an archive of a trajectory")
    return arrays, metadata

"""One array of numbers from a .npy or .npz file, without pickle."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from margin_projection._files import DAMAGE
from margin_projection.cli.errors import BadInput

if TYPE_CHECKING:
    import numpy as np


def read_array(name: str, path: str, key: str | None = None) -> np.ndarray:
    """The finite float64 array of a .npy file, or of a .npz archive (under ``key``, or its only one).

    Raises:
        BadInput: a missing or damaged file, a missing, needless or repeated key, entries that are no real numbers.
        InputError: an entry is NaN or infinite.
    """
    from margin_projection._validation import check_array

    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise BadInput(f"{name} must be a file name that ends in .npy or .npz, got {path!r}")
    if not file.is_file():
        raise BadInput(f"{name} must be an existing file, got {path!r}")
    if key is not None and suffix == ".npy":
        raise BadInput(f"{name}.key must be left out for a .npy file, got {key!r}")
    array = _load(name, path) if suffix == ".npy" else _load_member(name, path, key)
    if getattr(array, "dtype", None) is None or array.dtype.kind not in "fiu":
        raise BadInput(f"{name} ({path}) must hold real numbers, got {getattr(array, 'dtype', type(array).__name__)}")
    return check_array(name, array)


def _load(name: str, path: str) -> Any:
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except DAMAGE as error:
        raise _damaged(name, path) from error


def _load_member(name: str, path: str, key: str | None) -> Any:
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:
            keys = [member.removesuffix(".npy") for member in archive.namelist()]
            intact = archive.testzip() is None
    except DAMAGE as error:
        raise _damaged(name, path) from error
    chosen = keys[0] if key is None and len(keys) == 1 else key
    if keys.count(chosen or "") != 1:
        raise BadInput(f"{name}.key must name one array of {path} ({', '.join(map(repr, keys))}), got {key!r}")
    try:
        with np.load(path, allow_pickle=False) as opened:
            array = opened[chosen] if intact else None
    except DAMAGE as error:
        raise _damaged(name, path) from error
    if array is None:
        raise _damaged(name, path)
    return array


def _damaged(name: str, path: str) -> BadInput:
    return BadInput(f"{name} must be a readable file of one plain array (it is damaged, or needs pickle), got {path!r}")

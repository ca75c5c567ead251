"""MNIST and CIFAR from the user's own files: IDX files, and the official CIFAR archives in their binary version."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from margin_projection._validation import InputError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CIFAR_BYTES = 3072
_DAMAGE = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError)


def read_idx(path: str | Path) -> np.ndarray:
    """An array from an IDX file (the format of MNIST), also compressed with gzip.

    Raises:
        InputError: no such file, or it is no whole IDX file.
    """
    try:
        raw = Path(path).read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except _DAMAGE as error:
        raise InputError("path", str(path), f"an IDX file that can be read ({error})") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise InputError("path", str(path), "an IDX file (its first bytes are those of another format)")
    axes, kind = data[3], np.dtype(_IDX_TYPES[data[2]])
    header = 4 + 4 * axes
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    expected = header + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if len(data) != expected:
        raise InputError("path", str(path), f"a whole IDX file ({expected} bytes by its header, {len(data)} are there)")
    return np.frombuffer(data, dtype=kind, offset=header).reshape(shape).astype(kind.newbyteorder("="))


def load_mnist(images: str | Path, labels: str | Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, rows * columns) float64 in [0, 1] and labels (n,) int64, from two IDX files.

    Raises:
        InputError: a file is corrupt, or the two do not belong together.
    """
    X, y = read_idx(images), read_idx(labels)
    if X.ndim != 3 or y.ndim != 1 or len(X) != len(y):
        raise InputError("labels", str(labels), f"the labels of these images (shapes {X.shape} and {y.shape})")
    pixels = torch.as_tensor(X.reshape(len(X), -1) / 255.0, dtype=torch.float64)
    return pixels, torch.as_tensor(y.astype(np.int64))


def load_cifar(archive: str | Path, train: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3072) float64 in [0, 1] and labels (n,) int64 from cifar-10-binary.tar.gz or cifar-100-binary.tar.gz.

    CIFAR-100 gives its fine labels. The Python versions of the archives hold pickles and are refused.

    Raises:
        InputError: the archive is corrupt, is another one, or lacks the part asked for.
    """
    try:
        with tarfile.open(archive) as opened:
            members = {Path(member.name).name: member for member in opened.getmembers() if member.isfile()}
            names, label_bytes = _cifar_parts(archive, members, train)
            parts = [opened.extractfile(members[name]).read() for name in names]  # type: ignore[union-attr]
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError("archive", str(archive), f"a CIFAR archive that can be read ({error})") from error
    data = np.frombuffer(b"".join(parts), dtype=np.uint8)
    record = label_bytes + _CIFAR_BYTES
    if not data.size or data.size % record:
        raise InputError("archive", str(archive), f"whole records of {record} bytes ({data.size} bytes are there)")
    rows = data.reshape(-1, record)
    pixels = torch.as_tensor(rows[:, label_bytes:] / 255.0, dtype=torch.float64)
    return pixels, torch.as_tensor(rows[:, label_bytes - 1].astype(np.int64))


def _cifar_parts(archive: Any, members: dict[str, Any], train: bool) -> tuple[list[str], int]:
    ten = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
    hundred = ["train.bin" if train else "test.bin"]
    for names, label_bytes in ((ten, 1), (hundred, 2)):
        if all(name in members for name in names):
            return names, label_bytes
    if any(name in members for name in ("data_batch_1", "train", "test_batch", "test")):
        raise InputError("archive", str(archive), "the binary version (this is the Python one, which holds pickles)")
    raise InputError("archive", str(archive), f"a CIFAR archive in its binary version (it holds {sorted(members)[:5]})")

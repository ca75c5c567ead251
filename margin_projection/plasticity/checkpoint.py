"""Checkpoints of runs: rows and state in one archive, written atomically, read without unpickling."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._files import write_atomically
from margin_projection._validation import InputError
from margin_projection.plasticity.learner import Learner
from margin_projection.plasticity.stream import Stream

_VERSION = 1


def save_checkpoint(path: Path, learner: Learner, stream: Stream, seed: int, rows: list[dict[str, Any]]) -> None:
    """Write the rows so far and everything the learner needs to go on."""
    arrays: dict[str, np.ndarray] = {}
    tree = _flatten(learner.state(), arrays)
    about = {"version": _VERSION, "identity": _identity(learner, stream, seed), "rows": rows, "state": tree}
    buffer = io.BytesIO()
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path, learner: Learner, stream: Stream, seed: int) -> list[dict[str, Any]]:
    """Restore the learner and return the rows.

    Raises:
        InputError: the file is corrupt, of another version, or of another run (learner, network, stream or seed).
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(arrays.pop("about").tobytes().decode())
        version = about["version"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError("checkpoint", str(path), f"a checkpoint of a run ({error})") from error
    if version != _VERSION:
        raise InputError("checkpoint", str(path), f"of version {_VERSION} (it has version {version})")
    expected = _identity(learner, stream, seed)
    if about["identity"] != expected:
        raise InputError("checkpoint", str(path), f"of the run {expected} (it is of {about['identity']})")
    learner.restore(_unflatten(about["state"], arrays))
    return about["rows"]


def _identity(learner: Learner, stream: Stream, seed: int) -> dict[str, Any]:
    return {
        "learner": learner.name,
        "optimizer": [learner.settings.name, learner.settings.rate, learner.settings.momentum],
        "network": list(learner.network.sizes),
        "stream": stream.name,
        "num_tasks": stream.num_tasks,
        "stream_seed": stream.seed,
        "seed": seed,
    }


def _flatten(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON with tensors replaced by references into ``arrays``; keys that are numbers are marked."""
    if isinstance(value, Tensor):
        name = f"t{len(arrays)}"
        arrays[name] = value.detach().numpy(force=True).copy()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"pairs": [[key, _flatten(entry, arrays)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_flatten(entry, arrays) for entry in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    raise TypeError(f"a learner's state may hold tensors, numbers, texts and containers, not {type(value).__name__}")


def _unflatten(tree: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    if "tensor" in tree:
        return torch.from_numpy(arrays[tree["tensor"]].copy())
    if "pairs" in tree:
        return {key: _unflatten(entry, arrays) for key, entry in tree["pairs"]}
    if "list" in tree:
        return [_unflatten(entry, arrays) for entry in tree["list"]]
    return tree["plain"]

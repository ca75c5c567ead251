"""A torch module from the user's own Python file, and its weights from a .npz file; nothing is unpickled."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from margin_projection._files import DAMAGE
from margin_projection.cli.errors import BadInput

if TYPE_CHECKING:
    from torch import nn

_NAME = "_margin_projection_user_file"


def load_module(reference: str, weights: str | None = None) -> nn.Module:
    """The module that the factory of ``reference`` ("file.py:factory") returns, in float64, with ``weights`` put in.

    Raises:
        BadInput: no such file or factory, an error inside them, a result that is no module, weights that do not fit.
    """
    from torch import nn

    factory = _factory(reference)
    try:
        module = factory()
    except (Exception, SystemExit) as error:
        raise BadInput(f"module {reference}: the factory raised {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise BadInput(f"module {reference}: the factory must return a torch.nn.Module, got {type(module).__name__}")
    module = module.double()
    if weights is not None:
        _put_in(module, weights)
    return module


def split_reference(reference: str) -> tuple[Path, str]:
    """("file.py", "factory") of "file.py:factory".

    Raises:
        BadInput: it is not of that form.
    """
    path, colon, name = reference.rpartition(":")
    if not (colon and path.endswith(".py") and name.isidentifier()):
        raise BadInput(f"module must be FILE.py:FACTORY, such as nets.py:make, got {reference!r}")
    return Path(path), name


def _factory(reference: str) -> Any:
    path, name = split_reference(reference)
    if not path.is_file():
        raise BadInput(f"module must name an existing file, got {str(path)!r}")
    spec = importlib.util.spec_from_file_location(_NAME, path)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    imported = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = imported
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(imported)
    except (Exception, SystemExit) as error:
        raise BadInput(f"module {path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    found = getattr(imported, name, None)
    if not callable(found):
        raise BadInput(f"module {path} must define a function or class {name!r} that takes no arguments")
    return found


def _put_in(module: nn.Module, path: str) -> None:
    """Replace the parameters, and buffers where the file has them, by the arrays of the same names."""
    import torch

    state = module.state_dict()
    arrays = _read(path)
    needed = {name for name, _ in module.named_parameters()}
    if not needed <= set(arrays) <= set(state):
        wrong = sorted((needed - set(arrays)) | (set(arrays) - set(state)))
        shown = ", ".join(map(repr, wrong[:5]))
        raise BadInput(f"weights {path} must hold the module's parameters by name; missing or unknown: {shown}")
    for name, array in arrays.items():
        if tuple(array.shape) != tuple(state[name].shape):
            raise BadInput(f"weights {path}: {name!r} must be of shape {tuple(state[name].shape)}, got {array.shape}")
        state[name] = torch.from_numpy(array).to(state[name].dtype)
    module.load_state_dict(state)


def _read(path: str) -> dict[str, Any]:
    """The finite arrays of a .npz archive."""
    import numpy as np

    from margin_projection._validation import check_array

    if Path(path).suffix.lower() != ".npz" or not Path(path).is_file():
        raise BadInput(f"weights must be an existing .npz file, got {path!r}")
    try:
        with np.load(path, allow_pickle=False) as opened:
            found = {name: opened[name] for name in opened.files}
    except DAMAGE as error:
        raise BadInput(f"weights must be a readable .npz file of plain arrays, got {path!r}") from error
    if not all(isinstance(each, np.ndarray) for each in found.values()):  # any other zip archive, as of torch.save
        raise BadInput(f"weights must be a readable .npz file of plain arrays, got {path!r}")
    for name, array in found.items():
        if array.dtype.kind not in "fiub":
            raise BadInput(f"weights {path}: {name!r} must hold real numbers, got {array.dtype}")
    return {name: check_array(f"weights[{name!r}]", array) for name, array in found.items()}

"""Writing results: checked before the work starts, whole or not at all, and quiet when nobody reads any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from margin_projection._files import replacing, temporary_beside
from margin_projection.cli.errors import BadInput

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def check_outputs(outputs: Mapping[str, str | Path | None], inputs: Sequence[str | None] = ()) -> None:
    """Raise `BadInput` where the results could not be written, before any work is done.

    Args:
        outputs: option -> the file it names, or None.
        inputs: files that are read, which no output may replace.
    """
    plot = outputs.get("--plot")
    if plot is not None and Path(plot).suffix.lower() not in PLOT_SUFFIXES:
        raise BadInput(f"--plot must be a file name that ends in {', '.join(PLOT_SUFFIXES)}, got {str(plot)!r}")
    taken = {os.path.realpath(path): "an input" for path in inputs if path}
    for option, path in outputs.items():
        if path is None:
            continue
        real = os.path.realpath(path)
        if real in taken:
            raise BadInput(f"{option} must not name {taken[real]} of the same command, got {str(path)!r}")
        taken[real] = f"the file of {option}"
        check_writable(option, Path(path))


def check_writable(option: str, path: Path) -> None:
    """Try out that ``path`` can be written, leaving no trace."""
    real = Path(os.path.realpath(path))
    try:
        if not str(path) or real.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        if _is_special(real):
            return
        if real.exists():
            with open(real, "ab"):
                pass
        trial = temporary_beside(real)
        with open(trial, "xb"):
            pass
        trial.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(option, path, error) from error


def write_file(option: str, path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file with the same suffix, then put it in the place of ``path``.

    Devices and pipes are written to directly; a symbolic link keeps pointing to the file that is replaced.
    """
    real = Path(os.path.realpath(path))
    try:
        if _is_special(real):
            write(real)
        else:
            with replacing(real) as temporary:
                write(temporary)
    except OSError as error:
        raise _unwritable(option, path, error) from error


def write_stdout(text: str) -> None:
    """Write ``text`` and flush; a reader that has gone (``| head``) is no failure."""
    stream = sys.stdout
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError as error:
            stream.write(text.encode(error.encoding, "replace").decode(error.encoding))
        stream.flush()
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        silence_stdout()
        raise BadInput(f"standard output cannot be written: {error.strerror or error}") from error


def silence_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _unwritable(option: str, path: Path, error: Exception) -> BadInput:
    reason = getattr(error, "strerror", None) or error
    return BadInput(f"{option} must be a file that can be written, got {str(path)!r} ({reason})")

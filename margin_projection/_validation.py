"""Named validators for the public boundary: every failure names the argument, the value and the requirement."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np


class InputError(ValueError):
    """Bad input. The message names the argument, the value received and the requirement."""

    def __init__(self, argument: str, value: object, requirement: str) -> None:
        self.argument, self.value, self.requirement = argument, value, requirement
        super().__init__(f"{argument} must be {requirement}, got {shorten(value)}")


def shorten(value: object, limit: int = 80) -> str:
    """``value`` as a message shows it: the shape of an array, else at most ``limit`` characters, both ends kept.

    >>> shorten("a" * 100, 20)
    "'aaaaaa...aaaaaaaaa'"
    """
    if hasattr(value, "shape"):
        return f"an array of shape {tuple(value.shape)}"
    text, half = repr(value), limit // 2
    return text if len(text) <= limit else f"{text[: half - 3]}...{text[-half:]}"  # the end of a path is its name


def check_integer(name: str, value: Any, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return ``value`` as an int, or raise `InputError` where it is no whole number in [minimum, maximum]."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    low = -math.inf if minimum is None else minimum
    high = math.inf if maximum is None else maximum
    if not whole or not low <= value <= high:
        raise InputError(name, value, f"an integer in [{low}, {high}]")
    return int(value)


def check_real(
    name: str, value: Any, minimum: float = -math.inf, maximum: float = math.inf, *, open_below: bool = False
) -> float:
    """Return ``value`` as a finite float in [minimum, maximum] (minimum excluded where ``open_below``)."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    below = "(" if open_below else "["
    if not real or not math.isfinite(value) or not minimum <= value <= maximum or (open_below and value == minimum):
        raise InputError(name, value, f"a finite number in {below}{minimum}, {maximum}]")
    return float(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` where it is one of ``choices``, or raise `InputError` listing them."""
    options = sorted(choices)
    if value not in options:
        raise InputError(name, value, "one of " + ", ".join(repr(option) for option in options))
    return str(value)


def check_numbers(name: str, value: Any) -> np.ndarray:
    """Return ``value`` as a float64 array, copied; raise `InputError` for text, complex, dates, masked entries.

    Tensors may live on any device and ask for gradients.
    """
    try:
        raw = np.asarray(value.detach().cpu() if hasattr(value, "detach") and hasattr(value, "cpu") else value)
        if np.ma.is_masked(value) or not _is_real(raw):
            raise InputError(name, value, f"an array of real numbers, none masked ({_kind(value, raw)})")
        return np.array(raw, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(name, value, "an array of numbers") from error


def _is_real(array: np.ndarray) -> bool:
    if array.dtype.kind == "O":
        return all(isinstance(entry, numbers.Real | Decimal) for entry in array.flat)
    return array.dtype.kind in "biuf"


def _kind(value: Any, array: np.ndarray) -> str:
    return "some are masked" if np.ma.is_masked(value) else f"its entries are {array.dtype.name}"


def check_array(name: str, value: Any, ndim: int | None = None) -> np.ndarray:
    """Return ``value`` as a finite float64 array with ``ndim`` axes, copied; raise `InputError` otherwise."""
    array = check_numbers(name, value)
    if ndim is not None and array.ndim != ndim:
        raise InputError(name, array, f"an array with {ndim} axes")
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"{name}[{', '.join(map(str, where))}]", float(array[tuple(where)]), "finite")
    return array

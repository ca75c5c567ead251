"""Streams that need no download, and streams on the user's own files, by the name that configurations use."""

from __future__ import annotations

from typing import Any

from margin_projection._validation import InputError, check_choice
from margin_projection.plasticity.stream import Stream
from margin_projection.plasticity.streams.class_incremental import ClassIncrementalDigits
from margin_projection.plasticity.streams.digits import PermutedDigits, RandomLabelDigits, ShuffledLabelDigits
from margin_projection.plasticity.streams.mnist1d import PermutedMnist1d, ShuffledLabelMnist1d
from margin_projection.plasticity.streams.teacher_shift import TeacherShift
from margin_projection.plasticity.streams.user_images import IncrementalCifar, PermutedMnist

STREAMS: dict[str, type[Stream]] = {
    each.name: each
    for each in (
        PermutedDigits, ShuffledLabelDigits, RandomLabelDigits, PermutedMnist1d, ShuffledLabelMnist1d,
        ClassIncrementalDigits, TeacherShift, PermutedMnist, IncrementalCifar,
    )
}  # fmt: skip


def build_stream(name: str, num_tasks: int, seed: int, **settings: Any) -> Stream:
    """The stream of that name (see `STREAMS`), with its own settings.

    Raises:
        InputError: an unknown name or setting, or a setting out of range.
    """
    kind = STREAMS[check_choice("stream", name, STREAMS)]
    try:
        return kind(num_tasks, seed, **settings)
    except TypeError as error:
        raise InputError(f"settings of {name!r}", settings, f"settings of the stream ({error})") from error


__all__ = ["STREAMS", "build_stream"]

"""How the command line fails: one line on stderr and an exit status, never a traceback for what the user wrote."""

from __future__ import annotations

SUCCESS, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class BadInput(Exception):
    """Something the user gave cannot be used; the message is the line to print (exit status 2)."""


class Interrupted(Exception):
    """The user stopped the command; the message says what was kept (exit status 130)."""


def one_line(message: object) -> str:
    """``message`` on a single line of printable characters.

    >>> one_line("first\\n  second\\x1b")
    'first second?'
    """
    joined = " ".join(str(message).split())
    return "".join(character if character.isprintable() else "?" for character in joined)

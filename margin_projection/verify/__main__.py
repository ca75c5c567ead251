"""``python -m margin_projection.verify [--out FOLDER] [--quick]``.

Exit status: 0 when everything ran and every check passed, 1 when a check failed, 2 for wrong arguments or a folder that
cannot be written to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from margin_projection._validation import InputError
from margin_projection.verify.job import run

PASSED, FAILED, BAD_INPUT = 0, 1, 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and exit status 2."""
        raise SystemExit(_refuse(message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status."""
    parser = _Parser(prog="python -m margin_projection.verify", description=__doc__, add_help=True, allow_abbrev=False)
    parser.add_argument("--out", default="out", metavar="FOLDER", help="where results go (default: out)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: a quarter of the time")
    options = parser.parse_args(arguments)
    try:
        return PASSED if run(options.out, quick=options.quick) else FAILED
    except InputError as error:
        return _refuse(str(error))


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())

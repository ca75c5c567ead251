"""Statements from a user's own Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from margin_projection import InputError
from proofs_checks.statement import Statement

_NAME = "_proofs_checks_user_file"


def statements_of(path: str | Path) -> dict[str, Statement]:
    """id -> statement, of ``STATEMENTS = (...)`` in a Python file, which is run.

    Raises:
        InputError: no such file, an error inside it, no ``STATEMENTS``, something in it that is no `Statement`, or two
            statements with the same id.
    """
    file = Path(path)
    if file.suffix != ".py" or not file.is_file():
        raise InputError("module", str(path), "an existing Python file")
    spec = importlib.util.spec_from_file_location(_NAME, file)
    assert spec is not None and spec.loader is not None  # the name ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError("module", str(path), f"a file that runs ({type(error).__name__}: {error})") from error
    declared = getattr(module, "STATEMENTS", None)
    if not isinstance(declared, tuple | list) or not declared:
        raise InputError("module", str(path), "a file that defines STATEMENTS = (...)")
    if strangers := [each for each in declared if not isinstance(each, Statement)]:
        raise InputError("STATEMENTS", strangers[0], "a Statement")
    found = {each.id: each for each in declared}
    if len(found) < len(declared):
        raise InputError("STATEMENTS", [each.id for each in declared], "different ids")
    return found

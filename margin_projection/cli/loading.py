"""From a TOML file and options to a checked `Configuration`; every failure is one line that names the key."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from margin_projection._validation import shorten
from margin_projection.cli.config import Configuration
from margin_projection.cli.errors import BadInput

_PATHS = (
    ("tasks", "path"),
    ("start", "path"),
    ("trajectory", "store"),
    ("model", "path"),
    ("model", "weights"),
)
_DISCRIMINATORS = {"model": "kind", "tasks": "source", "start": "kind"}
Table = dict[str, Any]


def read_table(path: Path) -> Table:
    """The TOML file as a dictionary, its relative paths joined to the file's folder.

    Raises:
        BadInput: the file is missing, unreadable, or no valid TOML (a duplicate key included).
    """
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise BadInput(f"configuration {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"configuration {path} is not valid TOML: {error}") from error
    for section, key in _PATHS:
        entry = table.get(section)
        if isinstance(entry, dict) and isinstance(entry.get(key), str) and entry[key]:
            entry[key] = str(path.parent / entry[key])
    return table


def choose(table: Table, section: str, key: str, value: str | None) -> None:
    """Let an option name the kind of a section; a section of another kind is dropped, with its keys."""
    if value is None:
        return
    entry = table.get(section)
    if not isinstance(entry, dict) or entry.get(key) != value:
        table[section] = {key: value}


def override(table: Table, section: str, key: str, value: Any) -> None:
    """Let an option (None: not given) replace one key."""
    if value is None:
        return
    entry = table.setdefault(section, {})
    if not isinstance(entry, dict):
        raise BadInput(f"{section} must be a table [{section}], got {entry!r}")
    entry[key] = value


def assign(table: Table, assignments: Sequence[str]) -> None:
    """Apply ``SECTION.KEY=VALUE`` options, VALUE written as in TOML; what is no TOML value is taken as a string."""
    seen: set[str] = set()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, _, key = name.strip().partition(".")
        if not (equals and section and key) or "." in key:
            raise BadInput(f"--set must be SECTION.KEY=VALUE, such as tasks.samples=50, got {assignment!r}")
        if name.strip() in seen:
            raise BadInput(f"--set must give each key once, got {name.strip()!r} twice")
        seen.add(name.strip())
        override(table, section, key, _parse_value(text))


def _parse_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def validate(table: Table) -> Configuration:
    """The checked configuration.

    Raises:
        BadInput: names the first key that is missing, unknown, of a wrong type or out of range.
    """
    for section, option in (("model", "--model"), ("tasks", "--tasks")):
        if section not in table:
            raise BadInput(f"no {section} given: use {option}, or a section [{section}] in the file of --config")
    try:
        return Configuration.model_validate(table)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise BadInput(_describe(problems[0]) + more) from error


def _describe(problem: Any) -> str:
    """One pydantic error as "section.key must be ..., got ..."."""
    name, kind = _name(problem["loc"]), problem["type"]
    if kind == "missing":
        return f"{name} is missing"
    if kind == "extra_forbidden":
        return f"{name} is no known key"
    if kind == "union_tag_not_found":
        return f"{name}.{_DISCRIMINATORS[name]} is missing"
    if kind == "union_tag_invalid":
        context, tag = problem["ctx"], _DISCRIMINATORS[name]
        return f"{name}.{tag} must be one of {context['expected_tags']}, got {context['tag']!r}"
    requirement = problem["msg"].removeprefix("Value error, ")
    for subject in ("Input", "String", "List"):
        requirement = requirement.replace(f"{subject} should ", "must ")
    return f"{name} {requirement}, got {shorten(problem['input'])}"


def _name(location: tuple[Any, ...]) -> str:
    """Where the problem is, without the kind that pydantic puts after a section's name."""
    parts = [part for position, part in enumerate(location) if position != 1 or location[0] not in _DISCRIMINATORS]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")

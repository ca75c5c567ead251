"""The ledger of verdicts: what is known, committed with the project, so that a change of any verdict is noticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from margin_projection import InputError
from margin_projection._files import json_bytes, write_atomically
from proofs_checks.evaluation import Evaluation, evaluate_exactly
from proofs_checks.instance import Instance
from proofs_checks.registry import named, registered
from proofs_checks.rows import flattened
from proofs_checks.statement import Statement
from proofs_checks.verdict import Verdict

LEDGER = Path(__file__).with_name("ledger.json")


def entries(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    """key -> status, proof status and counterexample, for verdicts with their readings and repairs."""
    return {
        each.key: {
            "status": each.status.word,
            "proof_status": each.proof_status.name.lower(),
            "counterexample": None if each.counterexample is None else each.counterexample.to_json(),
        }
        for each in flattened(verdicts)
    }


def read_ledger(path: str | Path = LEDGER) -> dict[str, dict[str, Any]]:
    """The entries of a ledger.

    Raises:
        InputError: the file cannot be read or is no ledger.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("ledger", str(path), f"a readable ledger ({error})") from error
    if not isinstance(found, dict) or not all(isinstance(each, dict) and "status" in each for each in found.values()):
        raise InputError("ledger", str(path), "a ledger: key -> status, proof_status, counterexample")
    return found


def write_ledger(verdicts: Sequence[Verdict], path: str | Path = LEDGER) -> None:
    """Put verdicts into a ledger, beside the entries of statements that they are not about.

    Raises:
        InputError: the file cannot be read or written.
    """
    known = read_ledger(path) if Path(path).exists() else {}
    write_atomically(path, json_bytes(dict(sorted({**known, **entries(verdicts)}.items()))))


def changes(verdicts: Sequence[Verdict], ledger: dict[str, dict[str, Any]]) -> list[str]:
    """One line for every verdict whose status or proof status differs from the ledger's, or is not in it."""
    found = []
    for key, entry in entries(verdicts).items():
        before = ledger.get(key)
        if before is None:
            found.append(f"{key}: {entry['status']}, not in the ledger")
            continue
        for name in ("status", "proof_status"):
            if entry[name] != before.get(name):
                found.append(f"{key}: {name} is {entry[name]}, {before.get(name)} in the ledger")
    return found


def reproduce(identifier: str, path: str | Path = LEDGER) -> tuple[Statement, Instance, Evaluation]:
    """A counterexample of the ledger, evaluated anew in exact arithmetic.

    Args:
        identifier: "schliserman2026/lemma-d2#" and eight digits.
        path: the ledger.

    Returns:
        The statement in the reading that is refuted, the instance, and what exact arithmetic says of it.

    Raises:
        InputError: the ledger has no such counterexample, or the statement is no longer there.
    """
    known = {
        entry["counterexample"]["id"]: (key, entry["counterexample"])
        for key, entry in read_ledger(path).items()
        if entry.get("counterexample")
    }
    key, found = named(identifier, known, "counterexample")
    statement = named(key, {each.key: each for each in _all_statements(registered().values())}, "statement")
    instance = Instance(**found["instance"])
    evaluation = evaluate_exactly(statement, instance)
    assert evaluation is not None, "a counterexample is never discarded"
    return statement, instance, evaluation


def _all_statements(statements: Any) -> list[Statement]:
    found: list[Statement] = []
    for each in statements:
        found += [each, *_all_statements(each.readings), *_all_statements([each.repair] if each.repair else [])]
    return found

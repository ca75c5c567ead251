"""Every statement of both papers and every control: the verdicts are those of the ledger, and no true mutant falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from margin_projection.verify.findings import Check, Part

_SCORE = 0.9  # of the mutants that are false for a stated reason, the share that must be refuted


def verdicts(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes the quick budget, without tightness and with fewer mutants caught."""
    from figures import verdict_map as figure
    from proofs_checks.ledger import read_ledger

    data = figure.compute("quick" if quick else "default", progress=progress)
    rows, ledger = list(_all(data["rows"])), read_ledger()
    part = Part(f"Verdicts: {len(data['rows'])} statements", figure=(figure, data))
    part.results = {"rows": data["rows"]}
    reports = [row["mutation"] for row in rows if row["mutation"]]
    caught, known = (sum(report[name] for report in reports) for name in ("caught", "known_false"))
    part.checks = [
        Check.all_of("statements that could be examined", sum(row["error"] is None for row in rows), len(rows)),
        Check.all_of("verdicts as in the ledger", sum(_same(row, ledger) for row in rows), len(rows)),
        Check.at_most("true mutants refuted", sum(len(report["mistakes"]) for report in reports), 0.0),
    ]
    if not quick:
        part.checks.append(Check("false mutants refuted", caught >= _SCORE * known, f"{caught} of {known}", "90 %"))
    part.tables.append(_table(data["rows"]))
    return part


def _all(rows: list[dict[str, Any]]) -> Any:
    for row in rows:
        yield row
        yield from _all(row["readings"])
        yield from _all([row["repair"]] if row["repair"] else [])


def _same(row: dict[str, Any], ledger: dict[str, dict[str, Any]]) -> bool:
    key = f"{row['id']} [{row['reading']}]" if row["reading"] else row["id"]
    entry = ledger.get(key, {})
    return (entry.get("status"), entry.get("proof_status")) == (row["status"], row["proof_status"])


def _table(rows: list[dict[str, Any]]) -> tuple[str, list[str], list[list[str]]]:
    shown = []
    for row in rows:
        repair = row["repair"]["status"] if row["repair"] else ""
        shown.append([row["id"], row["status"], row["proof_status"], repair])
    return "Verdicts", ["statement", "verdict", "printed proof", "repair"], shown

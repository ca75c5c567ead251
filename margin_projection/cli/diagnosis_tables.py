"""A diagnosis as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from margin_projection.cli.tables import grid, pairs
from margin_projection.diagnosis import Verdict

if TYPE_CHECKING:
    from margin_projection.diagnosis import Condition, Diagnosis

_STYLES = {Verdict.HOLDS: "green", Verdict.FAILS: "red", Verdict.UNDECIDED: "yellow"}


def diagnosis_tables(diagnosis: Diagnosis, title: str = "Diagnosis") -> list[Table]:
    """Degrees and separation, conditions, rates, what to change; the same once more with groups frozen."""
    tables = [_overview(diagnosis, title), _conditions(diagnosis)]
    if diagnosis.rates:
        tables.append(_rates(diagnosis))
    tables.append(pairs("What to change", _numbered(diagnosis.advice or ("nothing",))))
    if diagnosis.restricted is not None:
        names = ", ".join(diagnosis.groups.fixed)
        tables += diagnosis_tables(diagnosis.restricted, f"The same with these groups frozen: {names}")
    return tables


def _overview(diagnosis: Diagnosis, title: str) -> Table:
    groups, separation = diagnosis.groups, diagnosis.separation
    rows = [
        ("network", f"{diagnosis.name}, {diagnosis.num_parameters} parameters"),
        ("tasks", f"{diagnosis.num_tasks}, {diagnosis.num_samples} samples"),
        ("degree", f"{groups.kind.name}: {groups.kind.value}"),
        ("measured", groups.reason),
    ]
    if groups.degree is not None:
        weights = ", ".join(f"{each.name}: {each.weight:g}" for each in groups.groups)
        rows.append(("scaling", f"degree {groups.degree:g}, weights {weights}"))
    if groups.offender:
        rows.append(("at fault", groups.offender))
    rows.append(("parameters", f"{separation.status.name}: {separation.status.value}"))
    rows.append(("least margins", ", ".join(f"{margin:.4g}" for margin in separation.margins)))
    rows.append(("factor", f"{separation.factor:.8g}, moved by {separation.moved:.4g}"))
    rows += [("note", note) for note in diagnosis.notes]
    return pairs(title, rows)


def _conditions(diagnosis: Diagnosis) -> Table:
    table = grid("Conditions", ("verdict", "condition", "asked for by", "how", "numbers"))
    for each in diagnosis.conditions:
        cells = (each.name, each.theorem, each.how, _numbers(each))
        table.add_row(Text(each.verdict.name, style=_STYLES[each.verdict]), *(Text(cell) for cell in cells))
    return table


def _numbers(condition: Condition) -> str:
    return "\n".join(f"{name} {value:.4g}" for name, value in condition.numbers.items())


def _rates(diagnosis: Diagnosis) -> Table:
    table = grid("Rates granted", ("ordering, bound, constants", "factor a step", "radius", "status", "source"))
    for name, rate in diagnosis.rates.items():
        cells = (name, f"{rate.per_step:.8g}", f"{rate.radius:.4g}", rate.status.name, rate.source)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _numbered(sentences: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(str(number), sentence) for number, sentence in enumerate(sentences, start=1)]

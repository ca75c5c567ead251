"""A picture of all verdicts: status, proof, mutation score and tightness, one line a statement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from margin_projection._pictures import COLOURS, new_figure, save_picture
from proofs_checks.proof import ProofStatus
from proofs_checks.verdict import Status, Verdict

_STATUS = {
    Status.PROVED: COLOURS[2], Status.SUPPORTED: COLOURS[5], Status.REFUTED: COLOURS[1], Status.VACUOUS: COLOURS[3],
    Status.UNKNOWN: "#999999",
}  # fmt: skip
_PROOF = {
    ProofStatus.COMPLETE: COLOURS[2], ProofStatus.GAP: COLOURS[4], ProofStatus.OPEN: "#999999",
    ProofStatus.BROKEN: COLOURS[1], ProofStatus.CITED: COLOURS[5], ProofStatus.ABSENT: "white",
}  # fmt: skip
_COLUMNS = ("statement", "printed proof", "repair", "other readings")


def plot_verdicts(verdicts: Sequence[Verdict], path: str | Path) -> None:
    """Draw a table of coloured words and, beside it, the share of known-false mutants that was refuted.

    Args:
        verdicts: at least one.
        path: of the picture; its suffix names the format.

    Raises:
        InputError: the picture cannot be written, or has an unknown format.
    """
    save_picture("plot", path, lambda: _drawn(verdicts))


def _drawn(verdicts: Sequence[Verdict]) -> Figure:
    figure = new_figure(11.0, 1.2 + 0.22 * len(verdicts), "Verdicts")
    table, scores = figure.subplots(1, 2, sharey=True, width_ratios=(3.2, 1.0))
    for row, verdict in enumerate(verdicts):
        repair = "" if verdict.repair is None else verdict.repair.status.word
        cells = [
            (verdict.status.word, _STATUS[verdict.status]),
            (verdict.proof_status.name.lower(), _PROOF[verdict.proof_status]),
            (repair, "white" if verdict.repair is None else _STATUS[verdict.repair.status]),
            (", ".join(each.status.word for each in verdict.readings), "white"),
        ]
        for column, (word, colour) in enumerate(cells):
            table.text(
                column, row, word, ha="center", va="center", fontsize=7,
                bbox={"facecolor": colour, "edgecolor": "none", "alpha": 0.55, "pad": 1.5},
            )  # fmt: skip
        reports = [each.mutation for each in (verdict, verdict.repair) if each is not None]
        report = next((each for each in reports if each is not None and each.known_false), None)
        if report is not None:
            scores.barh(row, report.caught / len(report.known_false), color=COLOURS[0], height=0.7)
            scores.text(1.02, row, f"{report.caught}/{len(report.known_false)}", va="center", fontsize=6)
    table.set_yticks(range(len(verdicts)), [verdict.id for verdict in verdicts], fontsize=7)
    table.set_xticks(range(len(_COLUMNS)), _COLUMNS)
    table.xaxis.tick_top()
    table.set_xlim(-0.5, len(_COLUMNS) - 0.5)
    table.set_ylim(len(verdicts) - 0.5, -0.5)
    for side in ("top", "right", "bottom"):
        table.spines[side].set_visible(False)
        scores.spines[side].set_visible(False)
    table.tick_params(length=0)
    scores.set_xlim(0.0, 1.25)
    scores.set_xticks([0.0, 0.5, 1.0])
    scores.set_xlabel("false mutants refuted\n(of the repair where there is one)", fontsize=8)
    scores.tick_params(axis="y", length=0, labelleft=False)
    return figure

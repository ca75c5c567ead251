"""Architectures against the hypotheses of the convergence theorems, on digits: the ablation table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Claim, Part, Verdict

SEED = 0
SCALING = 1e-9
ROUNDING = 1e-9
# What is known of the degrees by counting weight layers: kind, degree.
DEGREES: dict[str, tuple[str, float]] = {
    "MLP": ("COMMON", 3),
    "MLP, squared ReLU": ("COMMON", 7),
    "MLP with biases": ("QUASI", 3),
    "CNN": ("COMMON", 3),
    "ResNet, identity shortcuts": ("PARTIAL", 2),
    "ResNet, weighted shortcuts": ("COMMON", 6),
    "ResNet, batch norm": ("PARTIAL", 1),
    "ResNet, layer norm": ("PARTIAL", 1),
    "ViT, softmax attention": ("PARTIAL", 2),
    "ViT, linear attention": ("COMMON", 10),
    "ViT, ratio attention": ("COMMON", 6),
}
QUICK = ("MLP", "MLP with biases", "ResNet, identity shortcuts")


def ablation(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; ``quick`` takes three architectures and six images a task."""
    from figures import ablation as figure

    small: dict[str, Any] = {"samples": 6, "names": QUICK}
    data = figure.compute(seed=SEED, progress=progress, **(small if quick else {}))
    title = f"Ablation: {len(data['names'])} architectures, {data['samples']} images a task"
    part = Part(title, figure=(figure, data))
    part.checks = _checks(data)
    part.claims = _claims(data)
    part.results = {"rows": data["rows"], "diagnoses": data["diagnoses"]}
    part.tables = [_verdict_table(data, figure.CONDITIONS), *_number_tables(data)]
    return part


def _checks(data: Mapping[str, Any]) -> list[Check]:
    diagnoses = data["diagnoses"]
    degrees = [(each["degrees"]["kind"], each["degrees"]["degree"]) for each in diagnoses.values()]
    expected = [DEGREES[name] for name in diagnoses]
    errors = [each["degrees"]["scaling_error"] for each in diagnoses.values()]
    everything = [*diagnoses.values(), *(each["restricted"] for each in diagnoses.values() if each["restricted"])]
    separated = sum(each["separation"]["status"] in ("SCALED", "PROJECTED", "INSIDE") for each in everything)
    ends = [each for found in everything if found["constants"] for each in found["constants"]["intervals"].values()]
    ordered = sum(each["lower"] <= each["upper"] * (1.0 + ROUNDING) for each in ends)
    return [
        Check.all_of("degrees as counted by hand", sum(map(_same, degrees, expected)), len(degrees)),
        Check.at_most("f(c theta) against c^degree f(theta), by groups", max(errors), SCALING),
        Check.at_most("an MLP scaled by 2, its biases by 2, 4, 8: from raw values", _raw_degree_error(), SCALING),
        Check.all_of("a point of C* reached", separated, len(everything)),
        Check.all_of("intervals whose ends are in order", ordered, len(ends)),
    ]


def _same(found: tuple[str, float], expected: tuple[str, float]) -> bool:
    return found[0] == expected[0] and math.isclose(found[1], expected[1])


def _raw_degree_error() -> float:
    """An MLP of depth 3 in plain numpy: f(2 theta) against 2^3 f(theta), and its biases scaled by 2, 4, 8."""
    generator = np.random.default_rng(SEED)
    widths, x = (64, 16, 16, 1), generator.standard_normal(64)
    weights = [generator.standard_normal(shape) for shape in zip(widths[1:], widths[:-1], strict=True)]
    biases = [generator.standard_normal(width) for width in widths[1:]]

    def output(scale: float) -> float:
        hidden = x
        for layer, (matrix, bias) in enumerate(zip(weights, biases, strict=True), start=1):
            hidden = scale * matrix @ hidden + scale**layer * bias
            hidden = np.maximum(hidden, 0.0) if layer < len(weights) else hidden
        return float(hidden[0])

    return abs(output(2.0) - 8.0 * output(1.0)) / abs(8.0 * output(1.0))


def _claims(data: Mapping[str, Any]) -> list[Claim]:
    rows = data["rows"]
    constants = [row for row in rows if row["verdicts"]["positive homogeneity"] == "HOLDS"]
    both = ("f globally G-Lipschitz, as printed", "f globally beta-smooth, as printed")
    granted = [row["architecture"] for row in constants if all(row["verdicts"][name] == "HOLDS" for name in both)]
    refuted = [row["architecture"] for row in constants if any(row["verdicts"][name] == "FAILS" for name in both)]
    squared = next((row for row in constants if "squared" in row["architecture"]), None)
    claims = [
        Claim(
            "Theorem 6, hypotheses", "networks are G-Lipschitz and beta-smooth, globally, as printed",
            Verdict.FAILS if refuted else Verdict.UNDECIDED,
            f"both for {len(granted)} of {len(constants)} homogeneous ones; refuted: {', '.join(refuted) or 'none'}",
        ),
        _margins(rows),
    ]  # fmt: skip
    if squared is not None:
        fails = any(squared["verdicts"][name] == "FAILS" for name in both)
        claims.append(
            Claim(
                "Text after Theorem 6", "both hold for smooth activations, e.g. squared ReLU",
                Verdict.FAILS if fails else Verdict.UNDECIDED,
                f"degree {squared['degree']:g}: gradient and Hessian are unbounded; finite on balls alone",
            )
        )  # fmt: skip
    return claims


def _margins(rows: Sequence[Mapping[str, Any]]) -> Claim:
    known = [row for row in rows if row["margin of the paper"] is not None]
    held = sum(row["margin"] >= row["margin of the paper"] * (1.0 - ROUNDING) for row in known)
    verdict = Verdict.HOLDS if held == len(known) else Verdict.UNDECIDED  # lower ends may be loose
    gains = [row["margin"] / row["margin of the paper"] for row in known]
    told = f"{held} of {len(known)}; the best margin is {min(gains):.3g} to {max(gains):.3g} times as large"
    return Claim("Lemma C.9", "MFCQ holds with margin r / ||theta*||", verdict, told)


def _verdict_table(data: Mapping[str, Any], conditions: Mapping[str, str]) -> tuple[str, list[str], list[list[str]]]:
    """Neighbouring conditions share a column, so that the table fits a terminal."""
    words = {"HOLDS": "yes", "FAILS": "no", "UNDECIDED": "?"}
    groups = {"homog., C*": 2, "global G, beta": 2, "G, beta on ball": 2, "MFCQ, metric, kappa": 3, "eps, basin": 2}
    names, rows = list(conditions), []
    for row in data["rows"]:
        verdicts = iter(words[row["verdicts"][name]] for name in names)
        rows.append([row["architecture"], *(" ".join(next(verdicts) for _ in range(size)) for size in groups.values())])
    return "Hypotheses", ["network", *groups], rows


def _number_tables(data: Mapping[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    tables = {
        "Degrees and constants": ("parameters", "homogeneity", "degree", "active", "G at least", "G at most"),
        "Margins and kappa": ("margin", "margin of the paper", "kappa", "kappa of the paper", "radius proved"),
    }
    return [
        (title, ["network", *shown], [[row["architecture"], *(_short(row[key]) for key in shown)]
                                           for row in data["rows"]])
        for title, shown in tables.items()
    ]  # fmt: skip


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)

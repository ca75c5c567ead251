"""Predicted linear rates: the paper's formulas, and the sharpest that is proved here."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from margin_projection._validation import InputError, check_choice
from margin_projection.regularity import RegularityReport
from margin_projection.regularity.ball import BallConstants
from margin_projection.regularity.contraction import cyclic_factor, random_factor
from margin_projection.regularity.paper import PaperFormulas
from margin_projection.tasks.orderings import IndependentRandom, Ordering

BOUNDS = ("theorem", "proof", "proposition_12", "sharp", "limit")
CONSTANTS = ("ball", "global", "limit")


class PredictionStatus(enum.Enum):
    """What a predicted rate is worth. Each member's value is a sentence."""

    PROVED = "Proved for every start in the granted ball (docs/regularity.md)."
    LIMIT = "Proved as the ball shrinks: for sequences that converge to theta*, from some step on, up to any margin."
    PRINTED = "The paper's formula, evaluated as printed; whether it holds is another question."
    VACUOUS = "The formula gives a factor of 1 or more, which says nothing."
    NOT_APPLICABLE = "A constant that the formula needs is infinite or undefined for this model."
    IMMEDIATE = "One task: the first projection ends in C*."


@dataclass(frozen=True)
class PredictedRate:
    """A bound on the distance to C*: d_k <= per_step^k d_0, or d_{k M} <= per_cycle^k d_0 for cyclic orderings.

    Attributes:
        bound, ordering: what was asked for; ordering is "cyclic" or "random".
        constants: which G and beta the paper's formulas were given.
        status: see `PredictionStatus`.
        per_step, per_cycle: factors of d (for random orderings of sqrt(E d^2)) for one step and for M steps; infinite
            where not applicable.
        radius: the granted ball: starts within this distance of theta*; 0 where none is granted.
        probability: with which a random run stays where the bound holds (1 for cyclic).
        formula, source: in words.
        valid_from: the step from which the bound holds with d at that step in the place of d_0.
    """

    bound: str
    ordering: str
    constants: str
    status: PredictionStatus
    per_step: float
    per_cycle: float
    radius: float
    probability: float
    formula: str
    source: str
    valid_from: int = 0

    @property
    def is_proved(self) -> bool:
        """Whether an observation beyond it would be a contradiction."""
        return self.status in (PredictionStatus.PROVED, PredictionStatus.IMMEDIATE)


def predicted_rate(
    report: RegularityReport, ordering: str | Ordering = "cyclic", bound: str = "sharp", *, constants: str = "ball"
) -> PredictedRate:
    """The predicted rate near the report's theta*.

    Args:
        report: of `regularity`.
        ordering: "cyclic" (default) or "random" (independent, uniform), or such an `Ordering`.
        bound: "theorem" (Theorem 6 or 15 as printed), "proof" (the rate in the display of its proof),
            "proposition_12" (with the kappa and the eps proved on the ball), "sharp" (default; the best proved here,
            with the basin in which it is granted) or "limit" (the same as the ball shrinks to theta*).
        constants: for "theorem" and "proof": G and beta of the "ball" (default), the "global" ones that the theorems
            ask for, or in the "limit".

    Raises:
        InputError: no report, an unknown bound or constants, or an ordering of another kind.
    """
    if not isinstance(report, RegularityReport):
        raise InputError("report", report, "the result of regularity")
    check_choice("bound", bound, BOUNDS)
    check_choice("constants", constants, CONSTANTS)
    kind = _kind(ordering)
    if report.num_tasks == 1:
        status = PredictionStatus.IMMEDIATE
        return PredictedRate(bound, kind, constants, status, 0.0, 0.0, math.inf, 1.0, "0", "Algorithm 2, one task", 1)
    if bound in ("theorem", "proof"):
        return _paper(report, kind, bound, constants)
    if bound == "proposition_12":
        return _proposition_12(report, kind)
    return _sharp(report, kind) if bound == "sharp" else _limit(report, kind)


def _kind(ordering: str | Ordering) -> str:
    name = ordering.name if isinstance(ordering, Ordering) else ordering
    if name == IndependentRandom.name:
        return "random"
    if name not in ("cyclic", "random"):
        raise InputError("ordering", name, "'cyclic' or 'random' (independent and uniform)")
    return name


def _formulas(report: RegularityReport, constants: str) -> PaperFormulas:
    return {"ball": report.paper_local, "global": report.paper_global, "limit": report.paper_limit}[constants]


def _paper(report: RegularityReport, kind: str, bound: str, constants: str) -> PredictedRate:
    formulas, tasks = _formulas(report, constants), report.num_tasks
    number = "15" if report.kind == "regression" else "6"
    gain = 1.0 / formulas.kappa**2 if formulas.kappa > 0.0 else math.inf
    label = " y_min^2" if report.kind == "regression" else ""
    if bound == "theorem":
        exponent = gain / (4.0 * tasks) if kind == "random" else gain / (4.0 * tasks**2)
        per_step = math.exp(-exponent)
        power = "M" if kind == "random" else "M^2"
        formula = f"exp(-(k/{power}) r^2{label} / (4 G^2 ||theta*||^2))"
        source = f"Theorem {number}, {kind}"
    elif kind == "random":
        per_step = math.sqrt(max(0.0, 1.0 - gain / (2.0 * tasks)))
        formula, source = "(1 - 1/(2 M kappa^2))^{k/2}", f"proof of Theorem {number}, random"
    else:
        others = tasks - 1
        per_cycle = max(0.0, 1.0 - gain / (2.0 * others)) ** (1.0 / (2.0 * others))
        per_step = per_cycle ** (1.0 / tasks)
        formula, source = "(1 - 1/(2 (M-1) kappa^2))^{1/(2 (M-1))} a cycle", f"proof of Theorem {number}, cyclic"
    applicable = math.isfinite(formulas.kappa) and formulas.kappa > 0.0
    radius = formulas.delta if formulas.delta is not None else 0.0
    return _rate(bound, kind, constants, per_step if applicable else math.inf, tasks, radius, formula, source)


def _proposition_12(report: RegularityReport, kind: str) -> PredictedRate:
    tasks, kappa, eps = report.num_tasks, report.kappa.upper, report.pairing.upper
    source = f"Proposition 12 ({'a' if kind == 'random' else 'b'}), kappa and eps as proved on the ball"
    per_step = math.inf
    if kind == "random":
        formula = "rho_iid = 1/(1 - eps) - 1/(M kappa^2), of E d^2"
        if eps < 1.0 and math.isfinite(kappa):
            per_step = math.sqrt(max(0.0, 1.0 / (1.0 - eps) - _inverse_square(kappa, tasks)))
    else:
        others = tasks - 1
        formula = "rho_cyc = (1/(1 - eps)^{M-1} - 1/((M-1) kappa^2))^{1/(2 (M-1))} a cycle"
        if eps < 1.0 and math.isfinite(kappa):
            base = max(0.0, (1.0 - eps) ** -others - _inverse_square(kappa, others))
            per_step = base ** (1.0 / (2.0 * others * tasks))
    return _rate("proposition_12", kind, "ball", per_step, tasks, report.radius / 2.0, formula, source)


def _inverse_square(kappa: float, count: int) -> float:
    return 1.0 / (count * kappa**2) if kappa > 0.0 else 1.0


def _sharp(report: RegularityReport, kind: str) -> PredictedRate:
    basin = report.basin_random if kind == "random" else report.basin_cyclic
    per_step = _factor(basin.ball, kind, report.num_tasks) if basin.ball is not None else math.inf
    proved = PredictionStatus.PROVED
    return _rate(
        "sharp", kind, "ball", per_step, report.num_tasks, basin.radius, _sharp_formula(report, kind),
        "this project, docs/regularity.md", proved, basin.probability, 0 if kind == "random" else report.num_tasks,
    )  # fmt: skip


def _limit(report: RegularityReport, kind: str) -> PredictedRate:
    per_step = _factor(report.limit, kind, report.num_tasks)
    return _rate(
        "limit", kind, "limit", per_step, report.num_tasks, 0.0, _sharp_formula(report, kind),
        "this project, docs/regularity.md", PredictionStatus.LIMIT,
    )  # fmt: skip


def _factor(ball: BallConstants, kind: str, tasks: int) -> float:
    """The factor of d a step."""
    if kind == "random":
        return math.sqrt(random_factor(ball, tasks))
    return cyclic_factor(ball, tasks) ** (1.0 / tasks)


def _sharp_formula(report: RegularityReport, kind: str) -> str:
    if kind == "random":
        return "q (1 - 1/(M kappa_2^2)), of E d^2"
    if report.num_tasks == 2:
        formula = "q sqrt((1 - 1/k_1^2)(1 - 1/k_2^2)) a cycle"
    else:
        formula = "sqrt(q (q^{M-1} - 1/((M-1) k_M^2))) a cycle"
    return formula + (", or ||P_M ... P_1|| and its change over the ball" if report.kind == "regression" else "")


def _rate(
    bound: str,
    kind: str,
    constants: str,
    per_step: float,
    tasks: int,
    radius: float,
    formula: str,
    source: str,
    status: PredictionStatus = PredictionStatus.PRINTED,
    probability: float = 1.0,
    valid_from: int = 0,
) -> PredictedRate:
    """The rate, its status lowered where the number says nothing."""
    if not math.isfinite(per_step):
        status, per_step, radius = PredictionStatus.NOT_APPLICABLE, math.inf, 0.0
    elif per_step >= 1.0:
        status = PredictionStatus.VACUOUS
    return PredictedRate(
        bound, kind, constants, status, per_step, per_step**tasks, radius, probability, formula, source, valid_from
    )

"""The hypotheses of the convergence theorems, judged from degrees, separation and a regularity report."""

from __future__ import annotations

import math

from margin_projection.diagnosis.condition import Condition, Verdict, judge
from margin_projection.diagnosis.degree_groups import DegreeGroups, Homogeneity
from margin_projection.diagnosis.separation import Separation, SeparationStatus
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.report import PointState, RegularityReport

EVERYWHERE = "Theorems 1, 6, 13, 15"
RATES = "Theorems 6 and 15"
CLASSICAL = "Lemmas C.3, C.9"
PROPOSITION = "Proposition 12"
_EULER = "Euler's identity: along theta* Clarke subgradients of active constraints have slope r (f locally Lipschitz)"


def homogeneity(groups: DegreeGroups) -> Condition:
    """f(x; c theta) = c^r f(x; theta)."""
    numbers = {} if groups.degree is None else {"degree": groups.degree}
    numbers["Euler residual"] = groups.residual
    verdict = judge(groups.kind.is_homogeneous, True)
    how = groups.reason
    if groups.kind is Homogeneity.QUASI:
        how = f"no common degree, but one for each group of parameters; {groups.offender}"
    elif groups.kind is Homogeneity.PARTIAL:
        how = f"only with {len(groups.fixed)} of {len(groups.groups)} groups of parameters fixed; {groups.offender}"
    elif groups.offender:
        how = f"{groups.reason}; {groups.offender}"
    return Condition(EVERYWHERE, "positive homogeneity", verdict, how, numbers)


def nonempty(separation: Separation) -> list[Condition]:
    """C* and every C_m are nonempty."""
    status = separation.status
    if status.is_success:
        how = "theta* lies in it, its constraints evaluated"
    elif status is SeparationStatus.EMPTY:
        how = "proved to be empty"
    else:
        how = "no point of it was found, and it is not proved to be empty"
    verdict = judge(status.is_success, status is SeparationStatus.EMPTY)
    each = verdict if status.is_success else _single_sets(separation)
    return [
        Condition("Theorems 1 and 13", "every C_m nonempty", each, how if status.is_success else _each_how(each)),
        Condition(RATES, "C* nonempty", verdict, how),
        Condition(
            "the given theta", "theta solves the tasks after scaling",
            judge(_solves(separation), True), _solution(separation),
            {"least margin": min(separation.margins), "factor": separation.factor},
        ),
    ]  # fmt: skip


def _solves(separation: Separation) -> bool:
    """Whether theta itself is on the right side of every sample, or fits every target."""
    return separation.status.is_success and (
        min(separation.margins) > 0.0 or separation.status is SeparationStatus.FITS
    )


def _solution(separation: Separation) -> str:
    if separation.status is not SeparationStatus.PROJECTED:
        return separation.status.value
    side = "is positive" if _solves(separation) else "is not positive"
    return f"theta's own least margin {side}; theta* is a projection onto C*"


def _single_sets(separation: Separation) -> Verdict:
    """A task whose margin is at least 1 (or whose targets are met) has a point in its set; all must."""
    return judge(min(separation.margins) >= 1.0)


def _each_how(verdict: Verdict) -> str:
    if verdict is Verdict.HOLDS:
        return "theta lies in each of them"
    return "not every set has a known point"


def global_conditions(report: RegularityReport) -> list[Condition]:
    """G-Lipschitz and beta-smooth over all of parameter space, as Theorems 6 and 15 print it."""
    found, r = report.global_constants, report.degree
    conditions = []
    for name, value, reason, excluded in (
        ("f globally G-Lipschitz, as printed", found.lipschitz, found.lipschitz_reason, r != 1.0),
        ("f globally beta-smooth, as printed", found.smoothness, found.smoothness_reason, r not in (1.0, 2.0)),
    ):
        verdict = judge(math.isfinite(value), excluded)  # for r = 1 (r = 2) an unknown constant may be finite
        conditions.append(Condition(RATES, name, verdict, reason, {"constant at most": value}))
    return conditions


def local_conditions(report: RegularityReport) -> list[Condition]:
    """The same on the ball, and the conditions that the proofs draw from it."""
    at_kink = report.state is PointState.KINK
    smooth = report.smoothness
    smoothness = judge(smooth.is_bounded, at_kink)
    obstacle = f"; obstacle: {report.constants_obstacle}" if report.constants_obstacle else ""
    return [
        Condition(
            RATES, "f G-Lipschitz on the ball", judge(report.lipschitz.is_bounded),
            f"upper bound by {report.lipschitz.upper_method}", _ends("G", report.lipschitz),
        ),
        Condition(
            RATES, "f beta-smooth on the ball", smoothness,
            "theta* lies on a kink of a rectifier, on an active sample"
            if at_kink
            else f"upper bound by {smooth.upper_method}{obstacle}",
            _ends("beta", smooth),
        ),
        _margin(report),
        _metric_regularity(report),
        _kappa(report),
        _pairing(report),
    ]  # fmt: skip


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name} at least": interval.lower, f"{name} at most": interval.upper}


def _margin(report: RegularityReport) -> Condition:
    best = report.mfcq_best
    if report.state is PointState.INTERIOR:
        return Condition(CLASSICAL, "MFCQ with margin", Verdict.HOLDS, report.state.value)
    numbers = {
        **_ends("margin", best),
        "margin along theta* at least": report.mfcq_along_theta.lower,
        "paper's r / ||theta*||": report.degree / report.norm,
    }
    how = "a direction with that slope on every active constraint, and the nearest point of their gradients' hull"
    if report.kind == "regression" and report.least_singular_value is not None:
        value = report.least_singular_value
        how = "for equations: the gradients of all samples are independent"
        numbers = _ends("least singular value", value)
        return Condition(CLASSICAL, "MFCQ with margin", judge(value.lower > 0.0, value.upper <= 0.0), how, numbers)
    proved = best.lower > 0.0 and best.lower_proved
    if not proved and report.kind == "classification":
        proved, how = True, f"{_EULER}; the best margin is sampled only"
    verdict = judge(proved, best.lower_proved and best.upper <= 0.0)
    return Condition(CLASSICAL, "MFCQ with margin", verdict, how, numbers)


def _metric_regularity(report: RegularityReport) -> Condition:
    """For classification it follows from Euler's identity, even where the bound on the best modulus is infinite."""
    modulus = report.metric_regularity
    numbers, how = _ends("modulus", modulus), modulus.upper_method
    holds = modulus.is_bounded
    if not holds and report.kind == "classification":
        holds, how = True, _EULER
        numbers["||theta*|| / r"] = report.norm / report.degree
    return Condition(
        "Lemmas C.3, C.7", "metric regularity of C*", judge(holds, math.isinf(modulus.lower)), how, numbers
    )


def _kappa(report: RegularityReport) -> Condition:
    numbers = {
        **_ends("kappa", report.kappa),
        "kappa in the limit at most": report.kappa_limit.upper,
        "paper's kappa (local G)": report.paper_local.kappa,
        "paper's kappa (global G)": report.paper_global.kappa,
    }
    how = report.kappa.upper_method if report.kappa.is_bounded else report.kappa_limit.upper_method
    if not report.kappa.is_bounded and report.kappa_limit.is_bounded:
        how = f"proved on small balls around theta* alone, not on the whole ball; {how}"
    verdict = judge(report.kappa.is_bounded or report.kappa_limit.is_bounded)
    return Condition(f"{PROPOSITION}, Lemma C.11", "kappa-linear regularity", verdict, how, numbers)


def _pairing(report: RegularityReport) -> Condition:
    pairing = report.pairing
    numbers = {**_ends("eps", pairing), "delta": report.radius}
    if report.paper_local.delta is not None:
        numbers |= {"paper's eps": report.paper_local.eps or 0.0, "paper's delta": report.paper_local.delta}
    how = f"{pairing.upper_method}; eps at delta = the radius"
    smaller = _regular_ball(report)
    if pairing.upper >= 1.0 and smaller is not None:
        how = f"{pairing.upper_method}, on a smaller ball than the radius"
        numbers |= {"smaller delta": smaller[0], "eps there at most": smaller[1]}
    verdict = judge(pairing.upper < 1.0 or smaller is not None)
    return Condition(f"{PROPOSITION}, Lemma C.10", "(eps, delta)-regularity with eps < 1", verdict, how, numbers)


def _regular_ball(report: RegularityReport) -> tuple[float, float] | None:
    """(delta, eps) with eps < 1 proved on one of the basins' balls, the larger one first."""
    for basin in sorted((report.basin_cyclic, report.basin_random), key=lambda each: -each.radius):
        ball = basin.ball
        if ball is not None and ball.radius > 0.0 and ball.normal_curvature * ball.radius < 1.0:
            return ball.radius, ball.normal_curvature * ball.radius
    return None


def basin_condition(report: RegularityReport) -> Condition:
    """Whether the theory grants a ball of starts at all."""
    cyclic, random = report.basin_cyclic.radius, report.basin_random.radius
    numbers = {"proved radius, cyclic": cyclic, "proved radius, random": random}
    if report.paper_global.delta is not None:
        numbers["paper's radius (global constants)"] = report.paper_global.delta
    if report.paper_local.delta is not None:
        numbers["paper's radius (constants of the ball)"] = report.paper_local.delta
    if report.num_tasks == 1:
        how = "one task: the first projection ends in C*"
        return Condition(RATES, "a basin of positive radius", Verdict.HOLDS, how)
    verdict = judge(max(cyclic, random) > 0.0)
    how = "from the bounds on balls around theta*" if verdict is Verdict.HOLDS else "no ball is granted by the bounds"
    return Condition(RATES, "a basin of positive radius", verdict, how, numbers)


def start_condition(report: RegularityReport, distance: float) -> Condition:
    """Whether a given start lies in the basin that is proved."""
    radius = max(report.basin_cyclic.radius, report.basin_random.radius)
    verdict = judge(distance <= radius)
    how = "inside the proved basin" if verdict is Verdict.HOLDS else "outside the proved basin, which may be too small"
    numbers = {"distance to theta*": distance, "proved radius": radius}
    return Condition(RATES, "the start lies in the basin", verdict, how, numbers)


NEEDS_POINT = (
    (RATES, "f globally G-Lipschitz, as printed"),
    (RATES, "f globally beta-smooth, as printed"),
    (RATES, "f G-Lipschitz on the ball"),
    (RATES, "f beta-smooth on the ball"),
    (CLASSICAL, "MFCQ with margin"),
    ("Lemmas C.3, C.7", "metric regularity of C*"),
    (f"{PROPOSITION}, Lemma C.11", "kappa-linear regularity"),
    (f"{PROPOSITION}, Lemma C.10", "(eps, delta)-regularity with eps < 1"),
    (RATES, "a basin of positive radius"),
)
"""What is judged at a point of C*, in order: (theorem, name)."""


def undecided(reason: str) -> list[Condition]:
    """`NEEDS_POINT`, left open for one reason."""
    return [Condition(theorem, name, Verdict.UNDECIDED, reason) for theorem, name in NEEDS_POINT]

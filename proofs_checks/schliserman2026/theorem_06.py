"""Theorem 6: the rate of classification, cyclic and random.

With the constants of footnotes 3 and 4, which are global, only linear models satisfy its hypotheses; for these it is
true (`theorem_06_linear`). The printed proof does not give the printed exponents. The reading that theorists use,
constants on a ball about theta*, is attacked on a nonlinear model with exact projections (`conics`).
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis.strategies import SearchStrategy, integers

from proofs_checks import steps
from proofs_checks.arithmetic import EXACT, Arithmetic, working_precision
from proofs_checks.condition import Claim
from proofs_checks.constants import Constant, Count
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.conics import INSIDE, POSSIBLE, WIDE, conic_tasks, geometry
from proofs_checks.schliserman2026.global_constants import only_linear_models
from proofs_checks.schliserman2026.linear_tasks import IN_JOINT_SET
from proofs_checks.schliserman2026.theorem_06_linear import (
    CONSTANTS,
    CYCLIC_CLAIMS,
    CYCLIC_CORNERS,
    CYCLIC_FATES,
    CYCLIC_PROOF,
    RANDOM_CLAIMS,
    RANDOM_CORNERS,
    RANDOM_FATES,
    RANDOM_PROOF,
    cyclic_instances,
    cyclic_quantities,
    random_instances,
    random_quantities,
)
from proofs_checks.statement import Statement, still_true

_SOURCE = "Schliserman et al. 2026, Theorem 6"
_TRIVIAL = "linear models"


def _chain_fails() -> bool:
    """M = 3, kappa = 1: one cycle of the proof gives (3/4)^{1/4} = 0.931, the next display exp(-1/4) = 0.779."""
    with working_precision(128):
        cycle = EXACT.power(EXACT.number("3/4"), EXACT.number("1/4"))
        return bool(cycle > EXACT.exp(EXACT.number("-1/4")))


def _theorem_does_not_follow() -> bool:
    """... and the theorem exp(-1/12) = 0.920, which does not follow either."""
    with working_precision(128):
        cycle = EXACT.power(EXACT.number("3/4"), EXACT.number("1/4"))
        return bool(cycle > EXACT.exp(EXACT.number("-1/12")))


_EPS = steps.gap(
    "eps", "eps solves 1/(1-eps)^{M-1} = 1 + r^2/(2 (M-1) G^2 ||theta*||^2)",
    "for M = 1 it divides by 0: M >= 2 is assumed silently",
    (steps.argued("M = 1", "one task: theta_1 is in C* = C_1", "The first step is the projection onto C*."),),
)  # fmt: skip
_REGULAR = steps.argued(
    "regularity", "every C_m is (eps, delta)-regular at theta*, the collection kappa-linearly regular with kappa = G "
    "||theta*|| / r",
    "Lemmas C.10 and C.11 (see lemma-c10, lemma-c11). For linear models: eps = 0 for every delta, and kappa holds "
    "everywhere.",
)  # fmt: skip


def _rho() -> steps.Step:
    m, k2 = z3.Reals("m k2")
    return steps.implication(
        "rho", "1/(1-eps)^{M-1} - 1/((M-1) kappa^2) = 1 - 1/(2 (M-1) kappa^2), in (0, 1) for kappa >= 1, M >= 2",
        [m >= 1, k2 >= 1],
        z3.And(1 + 1 / (2 * m * k2) - 1 / (m * k2) == 1 - 1 / (2 * m * k2), 1 - 1 / (2 * m * k2) > 0),
    )  # fmt: skip


_CYCLIC_PRINTED = (
    _EPS,
    _REGULAR,
    steps.cited("Proposition 12 (b)", "d(theta_{t+M}, C*) <= rho d(theta_t, C*)", "Dao and Phan 2019, Corollary 5.10"),
    _rho(),
    steps.argued(
        "rho <= exp", "rho <= exp(-1/(4 (M-1)^2 kappa^2)) <= exp(-1/(4 M^2 kappa^2))",
        "1 - t <= exp(-t) with t = 1/(2 (M-1) kappa^2), to the power 1/(2 (M-1)).",
    ),
    steps.false(
        "'thus'", "k/M cycles give exp(-k r^2 / (4 M G^2 ||theta*||^2))", _chain_fails,
        "k/M times -1/(4 M^2 kappa^2) is -k/(4 M^3 kappa^2); at M = 3, kappa = 1 one cycle of the proof has the factor "
        "(3/4)^{1/4} = 0.931, the display exp(-1/4) = 0.779",
    ),
    steps.false(
        "the theorem", "... and so exp(-(k/M^2) r^2 / (4 G^2 ||theta*||^2))", _theorem_does_not_follow,
        "at M = 3, kappa = 1 that is exp(-1/12) = 0.920 a cycle, less than the 0.931 that the proof gives",
    ),
)  # fmt: skip
_RANDOM_PRINTED = (
    _EPS,
    _REGULAR,
    steps.argued(
        "one "
        "step", "E d^2 contracts by 1/(1-eps) - 1/(M kappa^2) = 1 - 1/(2 M kappa^2), 1/(1-eps) = 1 + 1/(2 M kappa^2)",
        "Proposition 12 (a), which is proved (see proposition-12a), while theta_{t-1} is in B_{delta/2}(theta*).",
    ),
    steps.gap(
        "all steps", "the step may be repeated for all k",
        "Proposition 12 (a) needs theta_{t-1} in B_{delta/2}(theta*) for every t, and the theorem only puts theta_0 "
        "into B_delta(theta*); with convex sets (all that the hypotheses admit) delta is arbitrary",
        (steps.argued("linear models", "every iterate is in the ball", "beta = 0 is allowed, so delta is infinite."),),
    ),
    steps.gap(
        "eps", "1/(1-eps) = 1 + 1/(2 M kappa^2) in the proof, 1/(1-eps)^{M-1} = 1 + 1/(2 (M-1) kappa^2) in the theorem",
        "two different eps; the theorem's is the smaller one for M >= 3 and the larger one for M = 2",
        (steps.argued("linear models", "any eps >= 0 will do", "Convex sets are (0, delta)-regular."),),
    ),
    steps.argued("Jensen", "E d <= (E d^2)^{1/2} <= exp(-k/(4 M kappa^2)) d_0", "1 - t <= exp(-t)."),
)  # fmt: skip

_LINEAR_TEXT = "(Instances: linear models in the plane, every theta* in C*, every start.)"
_CYCLIC = Statement(
    id="schliserman2026/theorem-06-cyclic",
    source=_SOURCE,
    title="Classification rate, cyclic orderings",
    text=(
        "f G-Lipschitz and beta-smooth (on all of R^p, footnotes 3 and 4), r-homogeneous, C* nonempty, eps and delta "
        "as stated: there is theta* in C* such that theta_0 in B_delta(theta*) implies, for M | k: (1/G) max_m "
        "F_m(theta_k) <= d(theta_k, C*) <= exp(-(k/M^2) r^2 / (4 G^2 ||theta*||^2)) d(theta_0, C*). " + _LINEAR_TEXT
    ),
    instances=cyclic_instances,
    derive=cyclic_quantities,
    hypotheses=(IN_JOINT_SET,),
    claims=CYCLIC_CLAIMS,
    constants=CONSTANTS,
    corners=CYCLIC_CORNERS,
    proof=_CYCLIC_PRINTED,
    own_proof=CYCLIC_PROOF,
    vacuity=only_linear_models(),
    trivial=_TRIVIAL,
    reading="constants on all of R^p",
    fates=CYCLIC_FATES,
    remarks=(
        "For linear models the conclusion is proved, with the exponent doubled; no network of degree 2 or more "
        "satisfies the hypotheses.",
        "With constants on a ball, 'there is theta* in C*' says little: c theta* for large c is so deep inside C* that "
        "B_delta(c theta*) is a subset of C*, and then nothing moves. The reading with local constants is for every "
        "theta* in C*.",
    ),
    cost=3.0,
)  # fmt: skip
_RANDOM = replace(
    _CYCLIC,
    id="schliserman2026/theorem-06-random",
    title="Classification rate, random orderings",
    text=(
        "f G-Lipschitz and beta-smooth (on all of R^p, footnotes 3 and 4), r-homogeneous, C* nonempty, eps and delta "
        "as stated: there is theta* in C* such that theta_0 in B_delta(theta*) implies, for k >= 1: (1/G) E max_m "
        "F_m(theta_k) <= E d(theta_k, C*) <= exp(-(k/M) r^2 / (4 G^2 ||theta*||^2)) E d(theta_0, C*). " + _LINEAR_TEXT
    ),
    instances=random_instances,
    derive=random_quantities,
    claims=RANDOM_CLAIMS,
    corners=RANDOM_CORNERS,
    proof=_RANDOM_PRINTED,
    own_proof=RANDOM_PROOF,
    fates=RANDOM_FATES,
)


def _local(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    return conic_tasks(dropped, steps=integers(1, 2))


def _local_cyclic(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    tasks, order = found["tasks"], [0, 1] * x.steps
    last = tasks.trajectory(found["start"], order, A)[-1]
    error = tasks.forgetting(last, A)
    return {
        **found, "M": 2, "k": len(order), "G2": found["G"] ** 2, "kappa2": found["kappa"] ** 2, "error2": error * error,
        "first2": tasks.to_joint2(found["start"], A), "last2": tasks.to_joint2(last, A, within=1), "exp": A.exp,
    }  # fmt: skip


def _local_random(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    found = geometry(x, A)
    tasks, orders = found["tasks"], list(itertools.product((0, 1), repeat=x.steps))
    ends = [tasks.trajectory(found["start"], order, A)[-1] for order in orders]
    squares = [tasks.to_joint2(end, A, within=order[-1]) for end, order in zip(ends, orders, strict=True)]
    distances = [A.sqrt(square) for square in squares]
    errors = [tasks.forgetting(end, A) for end in ends]
    return {
        **found, "M": 2, "k": x.steps, "kappa2": found["kappa"] ** 2,
        "first": A.sqrt(tasks.to_joint2(found["start"], A)), "worst": A.maximum(distances),
        "mean": sum(distances[1:], distances[0]) / len(orders), "error": sum(errors[1:], errors[0]) / len(orders),
        "exp": A.exp,
    }  # fmt: skip


def _corner(turn: str, mu: str, offset: str, count: int) -> Instance:
    return Instance(turn=turn, mu=mu, size="1", rho="1/2", offset=offset, inside="1", steps=count)


_LOCAL_CORNERS = {
    "behind a corner of hyperbolas": _corner("1/3", "-1", "0", 1),
    "behind a corner of lines": _corner("1/2", "0", "0", 2),
    "behind a corner of ellipses": _corner("2/3", "1/10", "0", 1),
    "beside a corner": _corner("1/2", "-1/2", "1/2", 2),
}
_LOCAL_FATES = {
    f"without {WIDE.name}": still_true("the rates have a margin that this family does not use up"),
    f"without {INSIDE.name}": still_true("the rates have a margin that this family does not use up"),
    "M squared": still_true("a weaker exponent"),
}
_FOR_LINEAR_MODELS = ("eps", "regularity", "all steps")  # displays whose gaps are closed for linear models only
_NOT_CLOSED = (
    steps.gap(
        "staying in the ball", "theta_t is in B_{delta/2}(theta*) for every t",
        "the theorem puts theta_0 into B_delta(theta*) only, and a step may lead out of it",
    ),
)  # fmt: skip


def _with_local_reading(main: Statement, derive: Any, claims: tuple[Claim, ...]) -> Statement:
    linear = replace(
        main, reading="linear models", vacuity=(), trivial="", proof=(), remarks=(),
    )  # fmt: skip
    local = Statement(
        id=main.id,
        source=main.source,
        title=main.title,
        text=(
            "The same for every theta* in C*, f G-Lipschitz and beta-smooth on a ball about theta* that holds B_{2 "
            "delta}(theta*). (Instances: two conics that meet at theta*, M = 2.)"
        ),
        instances=_local,
        derive=derive,
        hypotheses=(POSSIBLE, WIDE, INSIDE),
        claims=claims,
        constants={
            "denominator": Constant(4, "down", "the 4 of the exponent's denominator"),
            "factor": Constant(1, "down", "factor of G d in the error bound"),
            "M": Count(meaning="number of tasks"),
        },
        corners=_LOCAL_CORNERS,
        proof=(*(step for step in main.proof if step.display not in _FOR_LINEAR_MODELS), *_NOT_CLOSED),
        reading="constants on a ball, every theta*",
        fates=_LOCAL_FATES,
        remarks=(
            "Supported, not proved: what is proved for local constants, with its own radii, is docs/regularity.md, "
            "'One step, one cycle' and Theorem 9.",
        ),
        cost=2.0,
    )  # fmt: skip
    return replace(main, readings=(linear, local))


REMARK_7 = replace(
    _CYCLIC,
    id="schliserman2026/remark-07",
    source="Schliserman et al. 2026, Remark 7",
    title="Linear models: global linear rates",
    text=(
        "For a linear model Theorem 6 gives linear rates from every start: d(theta_k, C*) <= exp(-k / (4 M^2 G^2 "
        "||theta*||^2)) d(theta_0, C*) for M | k. " + _LINEAR_TEXT
    ),
    proof=(
        steps.gap(
            "delta", "B_delta(theta*) is the whole space",
            "delta = eps r / (beta ||theta*||) divides by 0 for a linear model",
            (
                steps.argued(
                    "every beta > 0", "the start is in B_delta(theta*) for beta small enough",
                    "A linear f is beta-smooth for every beta > 0, and delta tends to infinity as beta tends to 0.",
                ),
            ),
        ),
    ),
    vacuity=(),
    trivial="",
    reading="",
    readings=(),
    remarks=("That the rates are those of Evron et al. 2023 is not checked: their text is not part of the project.",),
)  # fmt: skip

STATEMENTS = (
    _with_local_reading(_CYCLIC, _local_cyclic, CYCLIC_CLAIMS),
    _with_local_reading(_RANDOM, _local_random, RANDOM_CLAIMS),
    REMARK_7,
)

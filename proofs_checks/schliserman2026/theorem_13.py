"""Theorem 13: weakly regularized regression tends to sequential projections. Proved, for continuous f."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, subtract
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.vanishing import least_squares_step
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, nonzero_vectors, rationals, vectors

_NONEMPTY = "C_m is not empty"


def _systems(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """One or two samples with labels of one solution, a start, and lambda = 10^-digits."""
    samples = st.lists(nonzero_vectors(2), min_size=1, max_size=2).map(tuple)
    found = instances(samples=samples, solution=vectors(2), start=vectors(2), lam=rationals("1/1000", 1, 50),
                      off=st.just(Fraction(0)))  # fmt: skip
    if _NONEMPTY in dropped:  # the same sample twice, with two labels
        return found.map(lambda each: each.with_values(samples=[each.samples[0]] * 2, off="1"))
    return found


def _step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    labels = [dot(sample, x.solution) for sample in x.samples]
    if len(labels) > 1:
        labels[1] = labels[1] + x.off
    after = least_squares_step(x.start, x.samples, labels, x.lam)
    nearest = _nearest_solution(x, A)
    errors = [dot(sample, after) - label for sample, label in zip(x.samples, labels, strict=True)]
    loss = sum((error * error for error in errors), A.number(0)) / len(errors)
    return {
        "lam": x.lam, "off": x.off, "move2": square_length(subtract(after, x.start)), "loss": loss,
        "distance2": square_length(subtract(nearest, x.start)),
    }  # fmt: skip


def _nearest_solution(x: SimpleNamespace, A: Arithmetic) -> Any:
    """The point of {<x_j, .> = <x_j, solution>} nearest to the start."""
    difference = subtract(x.solution, x.start)
    if len(x.samples) == 2 and x.samples[0][0] * x.samples[1][1] != x.samples[0][1] * x.samples[1][0]:
        return x.solution
    sample = x.samples[0]
    share = dot(sample, difference) / square_length(sample)
    return tuple(start + share * entry for start, entry in zip(x.start, sample, strict=True))


STATEMENT = Statement(
    id="schliserman2026/theorem-13",
    source="Schliserman et al. 2026, Theorem 13",
    title="Vanishing regularization is sequential projection (regression)",
    text=(
        "Every C_m of (10) nonempty, squared loss: for every t any sequence lambda -> 0 has a subsequence with "
        "Theta_t -> Thetabar_t in Pi(Thetabar_{t-1}). (Checked at finite lambda: ||Theta_t - Theta_{t-1}||^2 <= "
        "d^2(Theta_{t-1}, C) and the loss is at most lambda d^2; linear models, exact.)"
    ),
    instances=_systems,
    derive=_step,
    hypotheses=(
        Hypothesis("lambda > 0", lambda q, c: q.lam, ">", lambda q, c: 0),
        Predicate(_NONEMPTY, lambda q, c: q.off == 0),
        Predicate("f continuous", lambda q, c: True, silent=True),
    ),
    claims=(
        Claim("distance", lambda q, c: q.move2, "<=", lambda q, c: c.distance * q.distance2),
        Claim("loss", lambda q, c: q.loss, "<=", lambda q, c: c.loss * q.lam * q.distance2),
    ),
    constants={"distance": Constant(1, "down", "factor of d^2"), "loss": Constant(1, "down", "factor of lambda d^2")},
    corners={
        "one sample": Instance(samples=[("1", "0")], solution=("1", "0"), start=("0", "0"), lam="1/1000000", off="0"),
        "nearly dependent": Instance(
            samples=[("1", "0"), ("1", "1/1000")], solution=("1", "1"), start=("0", "0"), lam="1/1000", off="0"
        ),
        "solved already": Instance(samples=[("1", "0")], solution=("1", "0"), start=("1", "5"), lam="1", off="0"),
        "the same sample twice": Instance(
            samples=[("1", "0"), ("1", "0")], solution=("1", "0"), start=("0", "0"), lam="1", off="0"
        ),
    },
    proof=(
        steps.gap(
            "existence, limits", "minimizers exist, and f(x; Theta_n) -> f(x; Theta)",
            "f is not said to be continuous",
            (
                steps.argued(
                    "continuity", "f(x; .) continuous is assumed",
                    "Then the objective is continuous and coercive, and C_m is closed.",
                ),
            ),
        ),
        steps.argued(
            "bounds", "||Theta_t - Theta_{t-1}||^2 <= d^2(Theta_{t-1}, C), L(Theta_t) <= lambda d^2(Theta_{t-1}, C)",
            "Compare the objective at Theta_t with its value at a projection of Theta_{t-1}, whose loss is 0.",
        ),
        steps.argued(
            "limit", "a subsequence converges to a point of C at distance d(Thetabar_{t-1}, C) from Thetabar_{t-1}",
            "Iterates are bounded; the loss of the limit is 0; distances to a closed set are continuous. "
            "Subsequences of successive steps are nested.",
        ),
    ),
    fates={
        "distance halved": is_false("lambda -> 0"),
        "loss "
        "halved": still_true("for linear models the loss is at most lambda d^2 / 4: s lam^2/(s + lam)^2 with AM-GM"),
        f"without {_NONEMPTY}": is_false("contradictory labels keep the loss away from 0"),
        "without lambda > 0": still_true("the strategy has no others"),
        "without f continuous": still_true("the family is linear"),
    },
    remarks=("Homogeneity is not used.",),
)  # fmt: skip

STATEMENTS = (STATEMENT,)

"""A statement at one instance: which hypotheses hold there, and by how much each claim does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from proofs_checks.arithmetic import EXACT, FLOAT, Arithmetic, is_nan, working_precision
from proofs_checks.condition import Comparison, Hypothesis, Inequality, Predicate, Truth
from proofs_checks.constants import bound_constants
from proofs_checks.errors import Discard, Inexact, StatementError
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement

PRECISIONS = (128, 512, 2048)  # bits of the balls, tried in turn


@dataclass(frozen=True)
class Evaluation:
    """What a statement says at one instance.

    Attributes:
        hypotheses: name -> whether it holds.
        claims: name -> the comparison; empty where a hypothesis fails.
    """

    hypotheses: Mapping[str, Truth]
    claims: Mapping[str, Comparison]

    @property
    def failing_hypotheses(self) -> list[str]:
        """Those that fail for certain."""
        return [name for name, truth in self.hypotheses.items() if truth is Truth.FALSE]

    @property
    def applies(self) -> bool:
        """Whether every hypothesis holds for certain."""
        return all(truth is Truth.TRUE for truth in self.hypotheses.values())

    @property
    def worst(self) -> tuple[str, Comparison] | None:
        """The claim that is closest to failing, or fails most."""
        if not self.claims:
            return None
        return min(self.claims.items(), key=lambda item: item[1].relative_slack)

    @property
    def refuting_claims(self) -> list[str]:
        """Claims that fail for certain although every hypothesis holds for certain."""
        return [name for name, found in self.claims.items() if found.truth is Truth.FALSE] if self.applies else []


def evaluate(statement: Statement, instance: Instance, arithmetic: Arithmetic = FLOAT) -> Evaluation | None:
    """The statement at an instance; None where its ``derive`` discards it.

    Raises:
        StatementError: a formula raises, or a claim is not a number.
        Inexact: exact arithmetic has no way to the quantities.
    """
    constants = bound_constants(statement.constants, arithmetic)
    try:
        quantities = SimpleNamespace(**statement.derive(instance.converted(arithmetic), arithmetic, constants))
    except Discard:
        return None
    except Exception as error:
        if isinstance(error, Inexact) and arithmetic.exact:
            raise
        raise _failed(statement, "its derive", instance, error) from error
    exact = arithmetic.exact
    truths = {
        each.name: _hypothesis(statement, each, quantities, constants, instance, exact)
        for each in statement.hypotheses
    }
    if Truth.FALSE in truths.values():
        return Evaluation(truths, {})
    claims = {
        each.name: _compare(statement, each, quantities, constants, instance, exact) for each in statement.claims
    }
    return Evaluation(truths, claims)


def evaluate_exactly(statement: Statement, instance: Instance) -> Evaluation | None:
    """The statement in rational and ball arithmetic, with as many bits as it takes (up to the last of `PRECISIONS`).

    None where the instance is discarded or nothing rigorous is known of it.
    """
    evaluation = None
    for bits in PRECISIONS:
        with working_precision(bits):
            try:
                evaluation = evaluate(statement, instance, EXACT)
            except Inexact:
                return None
        if evaluation is None or evaluation.refuting_claims or _decided(evaluation):
            break
    return evaluation


def _decided(evaluation: Evaluation) -> bool:
    truths = [*evaluation.hypotheses.values(), *(found.truth for found in evaluation.claims.values())]
    return Truth.UNDECIDED not in truths or Truth.FALSE in evaluation.hypotheses.values()


def _hypothesis(
    statement: Statement,
    hypothesis: Hypothesis | Predicate,
    quantities: SimpleNamespace,
    constants: SimpleNamespace,
    instance: Instance,
    exact: bool,
) -> Truth:
    if isinstance(hypothesis, Hypothesis):
        return _compare(statement, hypothesis, quantities, constants, instance, exact).truth
    try:
        held = hypothesis.holds(quantities, constants)
    except Exception as error:
        raise _failed(statement, f"hypothesis {hypothesis.name!r}", instance, error) from error
    return Truth.UNDECIDED if held is None else Truth.TRUE if held else Truth.FALSE


def _compare(
    statement: Statement,
    inequality: Inequality,
    quantities: SimpleNamespace,
    constants: SimpleNamespace,
    instance: Instance,
    exact: bool,
) -> Comparison:
    kind = "hypothesis" if isinstance(inequality, Hypothesis) else "claim"
    try:
        found = inequality.compare(quantities, constants)
    except Exception as error:
        raise _failed(statement, f"{kind} {inequality.name!r}", instance, error) from error
    undefined = is_nan(found.left) or is_nan(found.right)
    if undefined and not exact:  # a ball that is no number only has too few bits
        sides = f"{found.left} {inequality.relation} {found.right}"
        raise StatementError(statement.key, f"{kind} {inequality.name!r} is not a number ({sides}) at {instance!r}")
    if exact and any(isinstance(side, float) for side in (found.left, found.right)):
        raise StatementError(statement.key, f"{kind} {inequality.name!r} is an inexact float at {instance!r}")
    return found


def _failed(statement: Statement, part: str, instance: Instance, error: Exception) -> StatementError:
    return StatementError(statement.key, f"{part} raised {type(error).__name__} ({error}) at {instance!r}")

"""From a numeric violation to a counterexample: exact re-evaluation, then shrinking to the simplest instance."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from proofs_checks.arithmetic import to_text
from proofs_checks.condition import Truth
from proofs_checks.errors import StatementError
from proofs_checks.evaluation import evaluate_exactly
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement
from proofs_checks.verdict import Counterexample

_DENOMINATORS = (1, 2, 3, 4, 5, 8, 10, 100, 1000)
_TRIALS = 300


def exact_truth(statement: Statement, instance: Instance) -> Truth:
    """FALSE: the instance refutes the statement. TRUE: it does not (its claims hold, or a hypothesis fails)."""
    try:
        evaluation = evaluate_exactly(statement, instance)
    except StatementError:  # a mutant or a shrunk instance may leave the domain of a formula
        return Truth.UNDECIDED
    if evaluation is None:
        return Truth.UNDECIDED
    if evaluation.refuting_claims:
        return Truth.FALSE
    holds = bool(evaluation.claims) and all(found.truth is Truth.TRUE for found in evaluation.claims.values())
    return Truth.TRUE if holds or evaluation.failing_hypotheses else Truth.UNDECIDED


def refutes(statement: Statement, instance: Instance) -> bool:
    """Whether the instance satisfies every hypothesis and violates a claim, for certain."""
    return exact_truth(statement, instance) is Truth.FALSE


def shrunk(statement: Statement, instance: Instance, trials: int = _TRIALS) -> Instance:
    """A simpler instance that still refutes: continuous values are replaced one by one by numbers with fewer digits."""
    left = trials
    improved = True
    while improved and left > 0:
        improved = False
        for candidate in _simpler(instance):
            left -= 1
            if candidate.size() < instance.size() and refutes(statement, candidate):
                instance, improved = candidate, True
                break
            if left <= 0:
                break
    return instance


def counterexample(statement: Statement, instance: Instance) -> Counterexample:
    """The counterexample that an instance is.

    Raises:
        StatementError: it is none.
    """
    evaluation = evaluate_exactly(statement, instance)
    if evaluation is None or not evaluation.refuting_claims:
        raise StatementError(statement.key, f"{instance!r} does not refute it")
    name = evaluation.refuting_claims[0]
    found = evaluation.claims[name]
    relation = next(claim.relation for claim in statement.claims if claim.name == name)
    identifier = f"{statement.id}#{instance.digest(statement.key, name)}"
    return Counterexample(identifier, name, instance, to_text(found.left), to_text(found.right), relation)


def rationalized(instance: Instance, bound: int) -> Instance:
    """The instance with denominators of at most ``bound``."""
    return instance.with_continuous([number.limit_denominator(bound) for number in instance.continuous()])


def _simpler(instance: Instance) -> Iterator[Instance]:
    for bound in _DENOMINATORS:
        yield rationalized(instance, bound)
    numbers = list(instance.continuous())
    for index, number in enumerate(numbers):
        for simple in _simpler_numbers(number):
            yield instance.with_continuous([*numbers[:index], simple, *numbers[index + 1 :]])


def _simpler_numbers(number: Fraction) -> list[Fraction]:
    sign = 1 if number >= 0 else -1
    candidates = [Fraction(0), Fraction(sign), *(number.limit_denominator(bound) for bound in _DENOMINATORS)]
    return [each for each in dict.fromkeys(candidates) if _digits(each) < _digits(number)]


def _digits(number: Fraction) -> int:
    return number.numerator.bit_length() + number.denominator.bit_length()

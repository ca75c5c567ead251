"""Theorem mutation: wrong versions of a statement, made by rule, that the engine should refute.

Mutants and their names: ``"rate halved"``, ``"rate doubled"`` for a constant named rate; ``"M less one"``,
``"M squared"`` for a count named M; ``"without NAME"`` for a hypothesis; ``"NAME turned around"`` for a claim that is
no identity; ``"NAME: VARIANT"`` for the variants that a claim declares, such as "expectation removed".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from proofs_checks.attacks.exactification import counterexample, refutes
from proofs_checks.attacks.property_search import property_search
from proofs_checks.condition import TURNED, Claim
from proofs_checks.constants import Constant
from proofs_checks.errors import StatementError
from proofs_checks.instance import Instance
from proofs_checks.statement import Fate, Statement, is_false, still_true
from proofs_checks.verdict import MutantResult, MutationReport


def mutants(statement: Statement) -> Iterator[tuple[str, Statement]]:
    """All mutants of a statement, by name."""
    for name, constant in statement.constants.items():
        for word, changed in constant.mutants().items():
            yield f"{name} {word}", replace(statement, constants={**statement.constants, name: changed})
    for hypothesis in statement.hypotheses:
        yield f"without {hypothesis.name}", statement.without(hypothesis.name)
    for claim in statement.claims:
        if claim.relation != "=":
            turned = replace(claim, relation=TURNED[claim.relation])
            yield f"{claim.name} turned around", _with_claim(statement, claim, turned)
        for word, variant in claim.variants.items():
            changed_claim = Claim(variant.name, variant.left, variant.relation, variant.right)
            yield f"{claim.name}: {word}", _with_claim(statement, claim, changed_claim)


def mutate(
    statement: Statement, instances: Sequence[Instance], examples: int, seed: int, *, holds: bool
) -> MutationReport:
    """Attack every mutant: at known instances and corner cases first, then by a property search of its own.

    Args:
        statement: not itself refuted, or its mutants inherit the counterexample.
        instances: known instances, the tightest first.
        examples: of the property search on each mutant; 0 for none.
        seed: of that search.
        holds: whether the statement is proved; then mutants that claim less are true, too.

    Raises:
        StatementError: ``statement.fates`` names a mutant that does not exist.
    """
    named = dict(mutants(statement))
    if unknown := sorted(set(statement.fates) - set(named)):
        raise StatementError(statement.key, f"fates name {unknown[0]!r}, which is none of its mutants: {list(named)}")
    results = []
    for number, (name, mutant) in enumerate(named.items()):
        fate = statement.fates.get(name) or _known_fate(statement, name, holds)
        results.append(_attacked(name, mutant, fate, instances, examples, seed + number))
    return MutationReport(tuple(results))


def _attacked(
    name: str, mutant: Statement, fate: Fate | None, instances: Sequence[Instance], examples: int, seed: int
) -> MutantResult:
    found = next((each for each in (*instances, *mutant.corners.values()) if refutes(mutant, each)), None)
    if found is None and examples:
        found = property_search(mutant, examples, seed, pool=1, mutant=True).counterexample
    identifier = None if found is None else counterexample(mutant, found).id
    unexplained = "" if found is not None else "not caught: whether it is true is not known"
    false, reason = (fate.false, fate.reason) if fate is not None else (None, unexplained)
    return MutantResult(name, found is not None, false, reason, identifier)


def _known_fate(statement: Statement, name: str, holds: bool) -> Fate | None:
    """What follows for a mutant without being told."""
    for constant_name, constant in statement.constants.items():
        if holds and isinstance(constant, Constant) and constant.stronger and constant.value != 0:
            weaker = "halved" if (constant.stronger == "up") == (constant.value > 0) else "doubled"
            if name == f"{constant_name} {weaker}":
                return still_true("it claims less than the statement, which is proved")
    if holds and any(name == f"{claim.name} turned around" for claim in statement.claims):
        return is_false("the statement is proved, and holds strictly at some instance")
    return None


def _with_claim(statement: Statement, claim: Claim, changed: Claim) -> Statement:
    return replace(statement, claims=tuple(changed if each is claim else each for each in statement.claims))

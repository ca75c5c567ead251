"""Property search: hypothesis builds instances, guided by `target()` towards small slack, and shrinks what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.strategies import SearchStrategy

from proofs_checks.attacks.exactification import exact_truth
from proofs_checks.attacks.seeded_provider import reproducible_draws
from proofs_checks.condition import Comparison, Truth
from proofs_checks.errors import StatementError
from proofs_checks.evaluation import Evaluation, evaluate
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_PHASES = (Phase.generate, Phase.target, Phase.shrink)


class _Refuted(Exception):
    """An exact counterexample: makes hypothesis shrink it."""


@dataclass
class Search:
    """What a property search met.

    Attributes:
        tried: instances that satisfied the hypotheses. discarded: instances that were of no use.
        slacks: instance -> its least relative slack over all claims, one entry for every different instance; 0 instead
            of a negative one that is within rounding, or that exact arithmetic does not confirm.
        pools: claim -> its tightest instances with their relative slack, the tightest first.
        counterexample: an instance that refutes the statement exactly, shrunk by hypothesis.
        unconfirmed: an instance of a violation in float64 that exact arithmetic could neither confirm nor exclude.
    """

    tried: int = 0
    discarded: int = 0
    slacks: dict[Instance, float] = field(default_factory=dict)
    pools: dict[str, list[tuple[float, Instance]]] = field(default_factory=dict)
    counterexample: Instance | None = None
    unconfirmed: Instance | None = None

    @property
    def tightest(self) -> float | None:
        """The least relative slack; None where nothing was tried."""
        return min((pool[0][0] for pool in self.pools.values()), default=None)

    def slack_quantiles(self) -> list[float]:
        """The `QUANTILES` of the slacks of all different instances; empty where nothing was tried."""
        return np.quantile(list(self.slacks.values()), QUANTILES).tolist() if self.slacks else []

    @property
    def tight(self) -> list[Instance]:
        """The tightest instances of every claim, the tightest of all first."""
        entries = sorted((entry for pool in self.pools.values() for entry in pool), key=lambda entry: entry[0])
        return list(dict.fromkeys(instance for _, instance in entries))

    def note(self, claims: Mapping[str, Comparison], instance: Instance, size: int) -> None:
        """Keep the instance for every claim for which it is among the ``size`` tightest."""
        for name, found in claims.items():
            pool = self.pools.setdefault(name, [])
            if all(instance != known for _, known in pool):
                pool.append((found.relative_slack, instance))
                pool.sort(key=lambda entry: entry[0])
                del pool[size:]


def property_search(statement: Statement, examples: int, seed: int, *, pool: int, mutant: bool = False) -> Search:
    """Search ``examples`` instances for one that refutes the statement.

    Args:
        statement: what to refute.
        examples: how many instances to build, at least 1.
        seed: a nonnegative integer.
        pool: how many of the tightest instances to keep for each claim.
        mutant: whether formulas that raise, and instances that violate hypotheses, are passed over instead of being
            errors of the statement.

    Raises:
        StatementError: the strategy breaks a hypothesis, a formula raises or is not a number, or the same instance
            does not always give the same result.
    """
    search = Search()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples, database=None, deadline=None, phases=_PHASES, verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    @hypothesis.given(_strategy(statement))
    def attack(instance: Instance) -> None:
        _attack(statement, instance, search, pool, mutant)

    with reproducible_draws():
        try:
            attack()
        except hypothesis.errors.Flaky as error:
            raise StatementError(statement.key, "its derive or its strategy does not give the same twice") from error
        except (_Refuted, hypothesis.errors.Unsatisfiable):
            pass
        except StatementError:
            raise
        except Exception as error:
            problem = f"its strategy raised {type(error).__name__} ({error})"
            raise StatementError(statement.key, problem) from error
    return search


def _strategy(statement: Statement) -> SearchStrategy[Instance]:
    try:
        return statement.strategy()
    except Exception as error:
        raise StatementError(statement.key, f"its strategy raised {type(error).__name__} ({error})") from error


def _attack(statement: Statement, instance: Instance, search: Search, pool: int, mutant: bool) -> None:
    evaluation = _evaluated(statement, instance, mutant)
    if evaluation is None or evaluation.worst is None:
        search.discarded += 1
        hypothesis.reject()
    search.tried += 1
    search.slacks[instance] = max(0.0, evaluation.worst[1].relative_slack)
    search.note(evaluation.claims, instance, pool)
    hypothesis.target(-evaluation.worst[1].relative_slack, label="slack")
    if any(found.truth is Truth.FALSE for found in evaluation.claims.values()):
        exact = exact_truth(statement, instance)
        if exact is Truth.FALSE:
            search.slacks[instance] = min(found.relative_slack for found in evaluation.claims.values())
            search.counterexample = instance
            raise _Refuted
        if exact is Truth.UNDECIDED:
            search.unconfirmed = instance


def _evaluated(statement: Statement, instance: Instance, mutant: bool) -> Evaluation | None:
    try:
        evaluation = evaluate(statement, instance)
    except StatementError:
        if mutant:
            return None
        raise
    if evaluation is not None and evaluation.failing_hypotheses and not mutant:
        broken = evaluation.failing_hypotheses[0]
        raise StatementError(statement.key, f"its strategy broke the hypothesis {broken!r}, with {instance!r}")
    return evaluation

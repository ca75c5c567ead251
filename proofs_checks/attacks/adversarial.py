"""Adversarial search: the slack is minimized over the continuous parameters, from the tightest instances known."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction

import numpy as np
from scipy.optimize import minimize

from proofs_checks.attacks.exactification import exact_truth, rationalized, refutes
from proofs_checks.attacks.property_search import Search
from proofs_checks.condition import Truth
from proofs_checks.errors import StatementError
from proofs_checks.evaluation import evaluate
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement

_STARTS = 3
_DENOMINATORS = (10, 100, 1000, 10**5, 10**9)
_FINEST = 10**12
_OUTSIDE = 2.0  # larger than every relative slack


class _Found(Exception):
    """Stops the optimizer."""


def adversarial_search(statement: Statement, search: Search, evaluations: int, seed: int, *, pool: int) -> int:
    """Minimize the slack by the Nelder-Mead method, a share of the evaluations from each start; fills ``search``.

    Points outside the hypotheses count as worse than all points inside.

    Returns:
        How many evaluations were made.
    """
    rng = np.random.default_rng(seed)
    used = 0
    for start in search.tight[:_STARTS]:
        center = np.array([float(number) for number in start.continuous()])
        if search.counterexample is not None or not center.size:
            break
        share = max(evaluations // _STARTS, center.size + 2)
        objective = _Objective(statement, start, search, pool)
        steps = 0.2 * (0.1 + np.abs(center)) * rng.choice([-1.0, 1.0], center.size)
        simplex = np.vstack([center, center + np.diag(steps)])
        options = {"maxfev": share, "initial_simplex": simplex, "adaptive": True, "xatol": 0.0, "fatol": 0.0}
        with contextlib.suppress(_Found):
            minimize(objective, center, method="Nelder-Mead", options=options)
        used += objective.count
    return used


class _Objective:
    """Relative slack as a function of the continuous parameters; stops at an exact counterexample."""

    def __init__(self, statement: Statement, start: Instance, search: Search, pool: int) -> None:
        self.statement, self.start, self.search, self.pool = statement, start, search, pool
        self.count = 0

    def __call__(self, values: np.ndarray) -> float:
        self.count += 1
        if not np.isfinite(values).all():
            return _OUTSIDE
        instance = self.start.with_continuous([Fraction(float(x)).limit_denominator(_FINEST) for x in values])
        try:
            evaluation = evaluate(self.statement, instance)
        except StatementError:  # off the strategy's instances a formula may leave its domain
            return _OUTSIDE
        if evaluation is None or evaluation.worst is None:
            return _OUTSIDE
        slack = evaluation.worst[1].relative_slack
        if math.isnan(slack):
            return _OUTSIDE
        if any(found.truth is Truth.FALSE for found in evaluation.claims.values()):
            self._confirm(instance)
        self.search.note(evaluation.claims, instance, self.pool)
        return slack

    def _confirm(self, instance: Instance) -> None:
        candidates = [rationalized(instance, bound) for bound in _DENOMINATORS]
        for candidate in [*candidates, instance]:
            if refutes(self.statement, candidate):
                self.search.counterexample = candidate
                raise _Found
        if exact_truth(self.statement, instance) is Truth.UNDECIDED:
            self.search.unconfirmed = instance

"""Makers of proof steps: identities (sympy), polynomial inequalities (z3), enclosures, arguments, citations, gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import sympy
import z3
from flint import arb

from proofs_checks.arithmetic import working_precision
from proofs_checks.proof import Step, StepOutcome, StepResult, judge, proves

_RESOURCES = 40_000_000  # z3's own deterministic count, so that answers do not depend on the machine's load
_BISECTIONS = 200_000


def identity(display: str, asserts: str, left: Any, right: Any = 0) -> Step:
    """left = right as expressions of sympy (for all values that their symbols' assumptions allow)."""

    def check() -> StepResult:
        difference = sympy.simplify(sympy.sympify(left) - sympy.sympify(right))
        if difference == 0 or sympy.simplify(sympy.expand(difference)) == 0:
            return StepResult(StepOutcome.CHECKED, "symbolic (sympy)")
        return StepResult(StepOutcome.UNDECIDED, "symbolic (sympy)", f"difference {difference}")

    return Step(display, asserts, check)


def implication(display: str, asserts: str, premises: Sequence[Any], conclusion: Any) -> Step:
    """premises imply conclusion, for all reals (conditions of z3): CHECKED, or FALSE with z3's counterexample."""

    def check() -> StepResult:
        solver = z3.SolverFor("QF_NRA") if _quantifier_free(premises, conclusion) else z3.Solver()
        solver.set("rlimit", _RESOURCES)
        solver.add(*premises, z3.Not(conclusion))
        answer = solver.check()
        if answer == z3.unsat:
            if _contradictory(premises):
                return StepResult(StepOutcome.UNDECIDED, "real arithmetic (z3)", "the premises contradict one another")
            return StepResult(StepOutcome.CHECKED, "real arithmetic (z3)")
        if answer == z3.sat:
            return StepResult(StepOutcome.FALSE, "real arithmetic (z3)", f"fails at {_model(solver.model())}")
        return StepResult(StepOutcome.UNDECIDED, "real arithmetic (z3)", "resources exhausted")

    return Step(display, asserts, check)


def positive_on(
    display: str, asserts: str, function: Callable[[arb], arb], low: str | Fraction, high: str | Fraction
) -> Step:
    """function > 0 on the closed interval [low, high], proved by ball arithmetic on ever smaller pieces of it."""

    def check() -> StepResult:
        with working_precision(128):
            pieces = [(Fraction(low), Fraction(high))]
            for count in range(_BISECTIONS):
                if not pieces:
                    return StepResult(StepOutcome.CHECKED, "ball arithmetic", f"{count} pieces")
                begin, end = pieces.pop()
                value = function(_ball(begin, end))
                if value > 0:
                    continue
                middle = (begin + end) / 2
                if function(_ball(middle, middle)) <= 0:
                    return StepResult(StepOutcome.FALSE, "ball arithmetic", f"not positive at {middle}")
                pieces += [(begin, middle), (middle, end)]
        return StepResult(StepOutcome.UNDECIDED, "ball arithmetic", f"{_BISECTIONS} pieces were not enough")

    return Step(display, asserts, check)


def evaluated(display: str, asserts: str, holds: Callable[[], bool], detail: str = "") -> Step:
    """A finite statement that exact arithmetic evaluates: CHECKED or FALSE."""

    def check() -> StepResult:
        outcome = StepOutcome.CHECKED if holds() else StepOutcome.FALSE
        return StepResult(outcome, "exact evaluation", detail)

    return Step(display, asserts, check)


def argued(display: str, asserts: str, argument: str) -> Step:
    """A step with its complete argument in words and formulas."""
    return Step(display, asserts, lambda: StepResult(StepOutcome.ARGUED, "written argument", argument))


def cited(display: str, asserts: str, source: str, conditions: Sequence[Step] = ()) -> Step:
    """A step that rests on a quoted result; its conditions are steps of their own, and must hold."""

    def check() -> StepResult:
        judged = judge(conditions)
        bad = [step.display for step in judged if step.result.outcome not in (StepOutcome.CHECKED, StepOutcome.ARGUED)]
        if bad:
            return StepResult(StepOutcome.OPEN, f"cited: {source}", f"its conditions fail: {', '.join(bad)}")
        return StepResult(StepOutcome.CITED, f"cited: {source}", f"{len(judged)} conditions checked")

    return Step(display, asserts, check)


def false(display: str, asserts: str, witness: Callable[[], bool], detail: str) -> Step:
    """A step that fails: ``witness`` evaluates exactly that it does, ``detail`` says where."""

    def check() -> StepResult:
        if not witness():
            return StepResult(StepOutcome.UNDECIDED, "exact evaluation", f"no contradiction in the witness: {detail}")
        return StepResult(StepOutcome.FALSE, "exact evaluation", detail)

    return Step(display, asserts, check)


def gap(display: str, asserts: str, missing: str, closing: Sequence[Step] = ()) -> Step:
    """A step that does not follow as it is written (``missing`` says why), and the steps that close it, if any."""

    def check() -> StepResult:
        judged = judge(closing)
        closed = proves(judged)
        how = "; ".join(f"{step.display}: {step.asserts} ({step.result.method})" for step in judged)
        outcome = StepOutcome.GAP if closed else StepOutcome.OPEN
        return StepResult(outcome, "closed by: " + how if closed else "not closed", missing)

    return Step(display, asserts, check)


def _contradictory(premises: Sequence[Any]) -> bool:
    solver = z3.Solver()
    solver.set("rlimit", _RESOURCES)
    solver.add(*premises)
    return bool(solver.check() == z3.unsat)


def _ball(begin: Fraction, end: Fraction) -> arb:
    low, high = (arb(x.numerator) / arb(x.denominator) for x in (begin, end))
    return low.union(high) if begin != end else low


def _quantifier_free(premises: Sequence[Any], conclusion: Any) -> bool:
    return not any(_has_quantifier(each) for each in (*premises, conclusion))


def _has_quantifier(expression: Any) -> bool:
    children: list[Any] = expression.children() if hasattr(expression, "children") else []
    return z3.is_quantifier(expression) or any(map(_has_quantifier, children))


def _model(model: Any) -> Mapping[str, str]:
    return {str(name): str(model[name]) for name in sorted(model.decls(), key=str)}

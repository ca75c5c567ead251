"""How much an attack may try: counts, never clock time, so that verdicts do not depend on the machine's load."""

from __future__ import annotations

from dataclasses import dataclass

from margin_projection._validation import check_choice


@dataclass(frozen=True)
class Budget:
    """Numbers of trials, for a statement of cost 1; a statement's ``cost`` divides them.

    Attributes:
        name: "quick", "default" or "thorough".
        examples: instances of the property search.
        evaluations: of the adversarial search, in all.
        mutant_examples: instances of the property search on each mutant; 0: mutants meet known instances only.
        pool: how many of the tightest instances of each claim are kept for exact evaluation.
    """

    name: str
    examples: int
    evaluations: int
    mutant_examples: int
    pool: int

    def scaled(self, number: int, cost: float, least: int) -> int:
        """A number of trials for a statement of that cost, at least ``least`` (0 stays 0)."""
        return 0 if number == 0 else max(least, round(number / cost))


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget("quick", examples=40, evaluations=0, mutant_examples=0, pool=3),
        Budget("default", examples=400, evaluations=800, mutant_examples=60, pool=8),
        Budget("thorough", examples=2000, evaluations=5000, mutant_examples=400, pool=32),
    )
}


def budget_named(name: str) -> Budget:
    """The budget of that name.

    Raises:
        InputError: there is none.
    """
    return BUDGETS[check_choice("budget", name, BUDGETS)]

"""A referee for theorems: statements as data, attacks as verbs, verdicts with their evidence."""

from proofs_checks import steps, strategies
from proofs_checks.arithmetic import EXACT, FLOAT, Arithmetic
from proofs_checks.condition import Claim, Hypothesis, Inequality, Predicate
from proofs_checks.constants import Constant, Count
from proofs_checks.errors import ContradictionError, Discard, Inexact, StatementError
from proofs_checks.instance import Instance
from proofs_checks.proof import ProofStatus, Step, StepOutcome
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.verdict import Status, Verdict
from proofs_checks.verify import verify, verify_all

__all__ = [
    "EXACT",
    "FLOAT",
    "Arithmetic",
    "Claim",
    "Constant",
    "ContradictionError",
    "Count",
    "Discard",
    "Hypothesis",
    "Inequality",
    "Inexact",
    "Instance",
    "Predicate",
    "ProofStatus",
    "Statement",
    "StatementError",
    "Status",
    "Step",
    "StepOutcome",
    "Verdict",
    "is_false",
    "steps",
    "still_true",
    "strategies",
    "verify",
    "verify_all",
]

"""What every projection solver receives and returns, before anything is certified."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from margin_projection.projections.result import CertificateKind, Counts, Status
from margin_projection.sets.margin_set import ConstraintSystem


@dataclass(frozen=True)
class ProjectionProblem:
    """minimize ||theta - start||^2 over ``system``. Checked by `project`; solvers may assume it is valid.

    Attributes:
        start: (p,) float64.
        system: the constraints.
        tolerance: bound on violation and stationarity of the result.
        starts: how many initial points a local solver tries (exact solvers ignore it).
        seed: of every random choice.
        max_steps: step limit of a local solver, per start, and node limit of a branch-and-bound (times 100).
        all_minimizers: whether every global minimizer is wanted.
        progress: called with a short sentence now and then, or None.
    """

    start: Tensor
    system: ConstraintSystem
    tolerance: float = 1e-10
    starts: int = 4
    seed: int = 0
    max_steps: int = 200
    all_minimizers: bool = False
    progress: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Solution:
    """What a solver claims; `project` recomputes distance and residuals, and re-verifies the certificate.

    Attributes:
        points: minimizers, the chosen one first (at least one).
        multipliers: (n,) of the first point, see `Projection.multipliers`.
        status: what the solver believes.
        kind, lower_bound, bound_method, evidence: its certificate, verified independently later: what is proved, a
            lower bound on the *distance*, how it was obtained in words, and numbers behind it.
        complete: whether ``points`` provably holds all global minimizers.
        generalized_gradient: (p,) sum_i lambda_i g_i with g_i in the Clarke subdifferential of c_i at the point, where
            the point lies on kinks; None where the gradient is the classical one.
        counts: evaluations.
        method: the solver's name.
    """

    points: tuple[Tensor, ...]
    multipliers: Tensor
    status: Status
    kind: CertificateKind
    lower_bound: float
    bound_method: str
    method: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    counts: Counts = field(default_factory=Counts)
    generalized_gradient: Tensor | None = None


def stay(problem: ProjectionProblem) -> Solution:
    """The start lies in the set: it is its own and only projection."""
    return Solution(
        points=(problem.start,),
        multipliers=_no_multipliers(problem),
        status=Status.GLOBAL,
        kind=CertificateKind.GLOBAL,
        lower_bound=0.0,
        bound_method="the start lies in the set",
        method="none needed",
        complete=True,
    )


def without_point(
    problem: ProjectionProblem,
    point: Tensor,
    method: str,
    *,
    proof: str | None,
    evidence: Mapping[str, Any],
    lower_bound: float = 0.0,
    bound_method: str = "none",
    counts: Counts | None = None,
) -> Solution:
    """No point of the set was found: INFEASIBLE where ``proof`` says in words how it is proved empty, else NOT_FOUND.

    Args:
        point: (p,) of least violation.
        lower_bound, bound_method: on the distance, where the set is not proved empty.
    """
    proved = proof is not None
    return Solution(
        points=(point,),
        multipliers=_no_multipliers(problem),
        status=Status.INFEASIBLE if proved else Status.NOT_FOUND,
        kind=CertificateKind.INFEASIBLE if proved else CertificateKind.NONE,
        lower_bound=math.inf if proved else lower_bound,
        bound_method=bound_method if proof is None else proof,
        method=method,
        evidence=evidence,
        counts=Counts() if counts is None else counts,
    )


def _no_multipliers(problem: ProjectionProblem) -> Tensor:
    return torch.zeros(problem.system.num_constraints, dtype=problem.start.dtype, device=problem.start.device)

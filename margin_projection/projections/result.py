"""What a projection returns: the point and how good it is, with nothing left to trust."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Status(enum.Enum):
    """How a projection ended. Each member's value is a sentence: what happened, and what to try next."""

    GLOBAL = "A global minimizer: its distance equals the re-verified lower bound up to the reported gap."
    LOCAL = "A local minimizer: stationary and feasible, and the second-order condition holds; not known to be global."
    STATIONARY = (
        "Stationary and feasible, but the second-order condition could not be confirmed; try more starts."
    )
    INFEASIBLE = "The set is empty: the certificate holds an exact proof."
    NOT_FOUND = (
        "No feasible point was found and emptiness is not proved; the point has the least violation reached. "
        "Try more starts, or check whether the tasks are separable by this model."
    )
    STEP_LIMIT = "The step limit was reached before the tolerances; raise max_steps, or start nearer to the set."
    STALLED = "No further progress at float64 precision before the tolerances were met; scale the data or the start."

    @property
    def is_success(self) -> bool:
        """Whether the point is feasible and stationary to the tolerances."""
        return self in (Status.GLOBAL, Status.LOCAL, Status.STATIONARY)


class CertificateKind(enum.Enum):
    """What a certificate proves."""

    GLOBAL = "lower bound on the distance that matches it"
    LOCAL = "first- and second-order conditions at the point, and a lower bound on the distance that may be loose"
    INFEASIBLE = "the set is empty"
    NONE = "nothing"


@dataclass(frozen=True)
class Certificate:
    """Evidence that does not rely on the solver that produced it: re-verified from raw values.

    Attributes:
        kind: what is proved.
        lower_bound: a number no larger than the distance from the start to the set (infinite where it is empty).
        gap: distance - lower_bound, at least 0 up to rounding.
        method: how the lower bound was obtained, in words.
        verified: whether the re-verification from raw values passed.
        evidence: numbers behind it (dual values, smallest curvature, Farkas vector, ...), each JSON-serializable.
    """

    kind: CertificateKind
    lower_bound: float
    gap: float
    method: str
    verified: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Residuals:
    """How far the point is from the KKT conditions, in the units of theta (stationarity) and of f (the others).

    feasibility: the largest violation. stationarity: ||point - start - sum_i lambda_i grad c_i(point)||, with Clarke
    gradients at kinks. complementarity: max_i |lambda_i c_i| over inequalities. dual: the largest negative multiplier
    of an inequality, as a nonnegative number.
    """

    feasibility: float
    stationarity: float
    complementarity: float
    dual: float


@dataclass(frozen=True)
class Counts:
    """Work done. One Jacobian evaluation is one forward and one backward pass over all samples.

    A Hessian-vector product over a subset of the samples counts as that share of a full one; ``jacobian_equivalents``
    charges 2 Jacobians for a full Hessian-vector product (its cost in matrix products for layered networks) and one
    half for a forward pass whose point was not linearized.
    """

    jacobians: int = 0
    hessian_vectors: float = 0.0
    forwards: int = 0
    steps: int = 0

    @property
    def jacobian_equivalents(self) -> float:
        """jacobians + 2 hessian_vectors + forwards / 2."""
        return self.jacobians + 2.0 * self.hessian_vectors + 0.5 * self.forwards

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Projection:
    """The projection of a start onto a set, in the container (numpy or torch) and on the device of the start.

    Attributes:
        point: (p,) the minimizer found (of least violation where status is NOT_FOUND or INFEASIBLE).
        distance: ||point - start||, Euclidean.
        multipliers: (n,) lambda with point - start = sum_i lambda_i grad c_i(point), that is for the objective
            (1/2) ||theta - start||^2; nonnegative for inequalities.
        status: see `Status`.
        residuals: of the KKT conditions at the point.
        counts: evaluations over all starts.
        certificate: see `Certificate`.
        minimizers: all minimizers found, the point first; complete only where ``complete`` is true. Where a continuum
            of minimizers exists, representatives, and ``certificate.evidence["continuum"]`` describes it.
        complete: whether ``minimizers`` is proved to hold every global minimizer.
        method: the solver used.
    """

    point: Any
    distance: float
    multipliers: Any
    status: Status
    residuals: Residuals
    counts: Counts
    certificate: Certificate
    minimizers: tuple[Any, ...]
    complete: bool
    method: str


class ProjectionError(RuntimeError):
    """A projection ended without a feasible stationary point; ``projection`` holds what was reached."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        residuals = projection.residuals
        super().__init__(
            f"{projection.status.value} (violation {residuals.feasibility:.2e}, stationarity "
            f"{residuals.stationarity:.2e}; pass throw=False to inspect the result)"
        )

"""What `regularity` reports of a point of C*."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from margin_projection.regularity.ball import BallConstants
from margin_projection.regularity.basin import Basin
from margin_projection.regularity.global_constants import GlobalConstants
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.paper import PaperFormulas


class PointState(enum.Enum):
    """What kind of point theta* is. Each member's value is a sentence."""

    SMOOTH = "The model is differentiable at the point on every active sample: the classical conditions apply."
    KINK = (
        "The point lies on kinks of rectifiers in one layer: margins are taken over all Clarke subgradients, and no "
        "smoothness constant is finite on any ball; what needs one is not granted."
    )
    NESTED_KINKS = (
        "The point lies on kinks of rectifiers behind one another: the Clarke subgradients listed may not be all, and "
        "lower ends of margins count as sampled."
    )
    UNLISTED_KINKS = (
        "The point may lie on a kink of an operation whose kinks are not listed, such as a maximum: its pieces are not "
        "known, lower ends of margins count as sampled, and what needs smoothness is not granted."
    )
    INTERIOR = "No constraint is active: the point lies in the interior of C*, and nothing is left to converge to."


@dataclass(frozen=True)
class RegularityReport:
    """The regularity conditions of Schliserman et al. 2026 at theta* in C*, each figure with how it was obtained.

    Attributes:
        model_name, degree, num_parameters: the model, r and p.
        kind: "classification" or "regression".
        task_names: of the M tasks.
        theta_star: (p,) numpy.
        norm: ||theta*||.
        radius: rho of the ball B_rho(theta*) that the figures speak of.
        state: see `PointState`.
        notes: further states in words, such as a task without active constraints.
        active: per task, the samples (counted within the task) whose constraint is active.
        constraint_values: (n,) c_j(theta*) over all tasks.
        euler_residual: by how much Euler's identity <grad f, theta*> = r f fails, relative.
        mfcq_along_theta: the margin along theta* / ||theta*||: at least r / ||theta*|| (Lemma C.9), over all active.
        mfcq_best: the margin over all unit directions: the distance from 0 to the hull of the active gradients.
        mfcq_weights: (n,) of that hull's nearest point, its dual certificate.
        mfcq_direction: (p,) the unit direction that proves the lower end; None where there is none.
        mfcq_tasks: per task, the best margin for its own active constraints.
        unit_margin: the best margin with gradients divided by their norms; 1 / unit_margin bounds kappa in the limit.
        metric_regularity: the modulus mu of Proposition C.4 for C*, max over unit normals y of 1 / ||grad F^T y||.
        least_singular_value: of the Jacobian of all tasks (regression), else None.
        lipschitz, smoothness: G and beta on B_rho(theta*), over the constraints that can be violated there; at kinks
            the smoothness is infinite.
        global_constants: the paper's G and beta over all of parameter space, and why they are finite or not.
        constants_method, constants_obstacle: how the upper ends were obtained, and what made one infinite.
        kappa: of kappa-linear regularity on B_rho(theta*): [largest ratio met, proved].
        kappa_limit: the same as rho -> 0: [ratio of tangent cones, bound by the best directions].
        kappa_sampled: the largest ratio met in the ball by projections that need not be global; 0 where not searched.
        limit: everything proved as rho -> 0; ball: everything proved on B_rho(theta*).
        pairing: of (eps, delta)-regularity at delta = rho: [largest normalized pairing met, proved eps].
        paper_limit, paper_local, paper_global: the paper's formulas with the largest active gradient's norm for G (and
            beta of the ball), with G and beta of the ball, and with the global ones.
        basin_cyclic, basin_random: the basins proved here.
        cycle_spectral_radius: regression: of P_M ... P_1 off the joint tangent space, the asymptotic factor per cycle
            of sequences that converge to theta*; None for classification and at kinks.
        evidence: counts and points of the searches.
    """

    model_name: str
    degree: float
    num_parameters: int
    kind: str
    task_names: tuple[str, ...]
    theta_star: np.ndarray
    norm: float
    radius: float
    state: PointState
    notes: tuple[str, ...]
    active: tuple[np.ndarray, ...]
    constraint_values: np.ndarray
    euler_residual: float
    mfcq_along_theta: Interval
    mfcq_best: Interval
    mfcq_weights: np.ndarray
    mfcq_direction: np.ndarray | None
    mfcq_tasks: tuple[Interval, ...]
    unit_margin: Interval
    metric_regularity: Interval
    least_singular_value: Interval | None
    lipschitz: Interval
    smoothness: Interval
    global_constants: GlobalConstants
    constants_method: str
    constants_obstacle: str
    kappa: Interval
    kappa_limit: Interval
    kappa_sampled: float
    limit: BallConstants
    ball: BallConstants
    pairing: Interval
    paper_limit: PaperFormulas
    paper_local: PaperFormulas
    paper_global: PaperFormulas
    basin_cyclic: Basin
    basin_random: Basin
    cycle_spectral_radius: float | None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_tasks(self) -> int:
        """M."""
        return len(self.task_names)

    @property
    def kappa_gain(self) -> float:
        """The paper's kappa over the sharp one, both as rho -> 0: at least 1 where both are finite, else 1."""
        sharp, printed = self.kappa_limit.upper, self.paper_limit.kappa
        return printed / sharp if np.isfinite(sharp) and np.isfinite(printed) and sharp > 0.0 else 1.0

    def __repr__(self) -> str:
        return f"RegularityReport({self.model_name}, {self.num_tasks} tasks, {self.state.name}, radius {self.radius:g})"

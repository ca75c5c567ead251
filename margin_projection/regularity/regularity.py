"""The regularity conditions at a point of C*: one call that measures and proves them all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection._arrays import Array, parameters_to_tensor, to_numpy
from margin_projection._validation import InputError, check_integer, check_real
from margin_projection.networks.base import Model
from margin_projection.regularity import moduli
from margin_projection.regularity.adversarial_ball import BallSearch, search_ball
from margin_projection.regularity.adversarial_constants import adversarial_constants
from margin_projection.regularity.adversarial_kappa import TangentCones, TangentSearch, search_tangent_ratio
from margin_projection.regularity.adversarial_pairing import search_pairing
from margin_projection.regularity.ball import BallConstants
from margin_projection.regularity.basin import proved_basins
from margin_projection.regularity.constants import ConstantBounds, LocalConstants
from margin_projection.regularity.equality_ball import EqualityNeighbourhood
from margin_projection.regularity.global_constants import global_constants
from margin_projection.regularity.inequality_ball import InequalityNeighbourhood
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.paper import PaperFormulas, paper_formulas
from margin_projection.regularity.pieces import pieces_are_listed
from margin_projection.regularity.point_geometry import PointGeometry
from margin_projection.regularity.report import PointState, RegularityReport
from margin_projection.sets.margin_set import MarginSet, intersection
from margin_projection.tasks.task import Task

_BEYOND = 1e-6  # relative excess of a ratio met over a formula that rounding explains
_SEARCHABLE = 2_000_000  # parameters times samples up to which the ball is searched by projections
_SEARCHED = 8  # samples, those of the largest gradients, whose constants are searched for large values ...
_SEARCH_WORK = 250_000  # ... and fewer, down to 2, where their number times that of the parameters exceeds this
_HULL_CANDIDATES = 3
_FARTHEST = 0.01  # distance of theta* from C*, relative to the radius, beyond which a ball around it tells nothing


def regularity(
    model: Model,
    tasks: Sequence[Task],
    theta_star: Array,
    radius: float,
    *,
    tolerance: float = 1e-7,
    seed: int = 0,
    draws: int = 4,
    progress: Callable[[str], None] | None = None,
) -> RegularityReport:
    """The conditions under which sequential projections converge linearly near theta*, measured and proved.

    Every figure is an interval [largest value met by a search, or proved lower end; proved upper end]: the MFCQ margin
    along theta* and the best one, metric regularity, G and beta on the ball, kappa-linear regularity, (eps, delta)-
    regularity, and the radius of the basin, by the paper's formulas and by what is proved here (docs/regularity.md).

    Args:
        model: the network.
        tasks: M >= 1 tasks of one kind.
        theta_star: (p,) a point of C* = C_1 ∩ ... ∩ C_M.
        radius: rho in (0, ||theta*||): the ball B_rho(theta*) that the figures speak of.
        tolerance: the violation up to which theta* counts as a point of C*, and the value up to which a constraint
            counts as active (default 1e-7).
        seed: of the searches (default 0).
        draws: random points of the ball at which distances are compared by projections, at least 0 (default 4; none
            where p times n exceeds 2,000,000).
        progress: called with a sentence now and then (default None: silent).

    Returns:
        The report.

    Raises:
        InputError: theta* is not in C*, or not as near to it as a small radius needs, the ball reaches 0, the tasks are
            of two kinds, or an argument does not fit.

    The linear model of two orthogonal samples: each set is a halfspace, kappa = sqrt(2), the margin 1 / sqrt(2):

    >>> from margin_projection.networks import Linear
    >>> tasks = [Task([[1.0, 0.0]], [1]), Task([[0.0, 1.0]], [1])]
    >>> report = regularity(Linear(2), tasks, [1.0, 1.0], radius=0.5)
    >>> round(report.mfcq_best.lower**2, 6), round(report.kappa.upper**2, 6)
    (0.5, 2.0)
    """
    if isinstance(tasks, Task | str) or not isinstance(tasks, Sequence) or not tasks:
        raise InputError("tasks", tasks, "a nonempty sequence of tasks")
    sets = [MarginSet(model, task) for task in tasks]
    kinds = {task.kind for task in tasks}
    if len(kinds) > 1:
        raise InputError("tasks", sorted(kinds), "tasks of one kind")
    theta = parameters_to_tensor("theta_star", theta_star, model.num_parameters, batched=False)
    check_real("radius", radius, 0.0, open_below=True)
    check_real("tolerance", tolerance, 0.0, 1e-2, open_below=True)
    check_integer("seed", seed, 0)
    check_integer("draws", draws, 0)
    norm = float(theta.norm())
    if not radius < norm:
        raise InputError("radius", radius, f"below ||theta_star|| = {norm:.6g}, so that the ball does not reach 0")
    geometry = PointGeometry(intersection(sets), theta)
    violation = float(geometry.system.violation_array(geometry.values).max())
    if not violation <= tolerance:
        raise InputError("theta_star", f"a point with violation {violation:.3g}", f"in C*, up to {tolerance:g}")
    if not np.isfinite(geometry.gradient_norms).all():
        raise InputError("theta_star", "a point where a gradient is not finite", "a point with finite gradients")
    tell = progress if progress is not None else lambda sentence: None
    builder = _Builder(geometry, sets, float(radius), tolerance, seed, draws, tell)
    gap = violation * builder.sensitivity() if violation > 0.0 else 0.0
    if _FARTHEST * radius < gap < math.inf:
        found = f"a point with violation {violation:.3g}, perhaps {gap:.3g} away from C*"
        raise InputError("theta_star", found, f"nearer to C*, or radius = {radius:.3g} larger")
    return builder.build()


class _Builder:
    """Collects the figures of one report."""

    def __init__(
        self,
        geometry: PointGeometry,
        sets: list[MarginSet],
        radius: float,
        tolerance: float,
        seed: int,
        draws: int,
        tell: Callable[[str], None],
    ) -> None:
        self.geometry, self.sets, self.radius, self.seed = geometry, sets, radius, seed
        self.draws, self.tell = draws, tell
        self.system = geometry.system
        self.is_equality = bool(self.system.is_equality.all())
        self.active = np.abs(geometry.values) <= tolerance if not self.is_equality else np.ones_like(geometry.on_kinks)
        self.bounds = ConstantBounds(self.system.model, self.system.tensors(geometry.theta.device)[0], geometry.theta)
        self.listed = pieces_are_listed(geometry, self.bounds, self.active)
        self.neighbourhood: Any = (
            EqualityNeighbourhood(geometry, self.bounds)
            if self.is_equality
            else InequalityNeighbourhood(geometry, self.bounds, self.active)
        )

    def build(self) -> RegularityReport:
        geometry, active = self.geometry, self.active
        self.tell("margins")
        best = moduli.best_margin(geometry, active)
        unit = moduli.best_margin(geometry, active, np.where(geometry.clarke_norms > 0.0, geometry.clarke_norms, 1.0))
        tasks = self.system.task_index
        per_task = [moduli.best_margin(geometry, active & (tasks == m)).margin for m in range(len(self.sets))]
        self.tell("constants on the ball")
        limit, ball = self.neighbourhood.limit(), self.neighbourhood.at(self.radius)
        local = self.bounds.at(self.radius)
        lipschitz, smoothness = self._constants(local)
        self.tell("search for bad points")
        tangent = self._tangent_search(unit.weights)
        found = self._ball_search(tangent, unit.direction)
        paired = search_pairing(list(self.sets), geometry.theta, self.radius, self.seed)
        self.tell("basins")
        basins = proved_basins(self.neighbourhood, self.radius, len(self.sets))
        everywhere = global_constants(self.system.model, self.system.tensors(geometry.theta.device)[0])
        model = self.system.model
        return RegularityReport(
            model_name=repr(model),
            degree=geometry.degree,
            num_parameters=model.num_parameters,
            kind="regression" if self.is_equality else "classification",
            task_names=tuple(task.name for task in self.system.tasks),
            theta_star=to_numpy(geometry.theta).copy(),
            norm=geometry.norm,
            radius=self.radius,
            state=self._state(),
            notes=(*self._notes(limit, local), *self._against_the_paper(max(tangent.ratio, found.proved), limit, ball)),
            active=tuple(np.flatnonzero(active[tasks == m]) for m in range(len(self.sets))),
            constraint_values=geometry.values,
            euler_residual=geometry.euler_residual,
            mfcq_along_theta=self._margin(moduli.margin_along(geometry, active)),
            mfcq_best=self._margin(best.margin),
            mfcq_weights=best.weights,
            mfcq_direction=None if best.direction is None else to_numpy(best.direction),
            mfcq_tasks=tuple(self._margin(each) for each in per_task),
            unit_margin=self._margin(unit.margin),
            metric_regularity=self._modulus(moduli.metric_regularity(geometry, active, best, self.is_equality)),
            least_singular_value=moduli.least_singular_value(geometry, active) if self.is_equality else None,
            lipschitz=lipschitz,
            smoothness=smoothness,
            global_constants=everywhere,
            constants_method=local.method,
            constants_obstacle=local.obstacle,
            kappa=self._kappa(max(tangent.ratio, found.proved), ball),
            kappa_limit=self._kappa(tangent.ratio, limit),
            kappa_sampled=found.sampled,
            limit=limit,
            ball=ball,
            pairing=self._pairing(paired.pairing),
            paper_limit=self._paper(limit.lipschitz, ball.smoothness),
            paper_local=self._paper(ball.lipschitz, ball.smoothness),
            paper_global=self._paper(everywhere.lipschitz, everywhere.smoothness),
            basin_cyclic=basins[0],
            basin_random=basins[1],
            cycle_spectral_radius=self._spectral_radius(),
            evidence={
                "tangent_ratios": tangent.evaluations,
                "points_of_the_ball": found.points,
                "pairs": paired.pairs,
                "pairing_task": paired.task,
            },
        )

    def _state(self) -> PointState:
        if not self.active.any():
            return PointState.INTERIOR
        if self.geometry.nested[self.active].any():
            return PointState.NESTED_KINKS
        if not self.listed:
            return PointState.UNLISTED_KINKS
        return PointState.KINK if self.geometry.on_kinks[self.active].any() else PointState.SMOOTH

    def _notes(self, limit: BallConstants, local: LocalConstants) -> tuple[str, ...]:
        notes = []
        tasks = self.system.task_index
        for number, task in enumerate(self.system.tasks):
            if not self.active[tasks == number].any():
                notes.append(f"task {number} ({task.name}) has no active constraint: near theta* its set is everything")
        if self.system.model.nonsmooth_operations:
            names = ", ".join(self.system.model.nonsmooth_operations)
            notes.append(f"operations whose kinks are not listed: {names}")
        if not math.isfinite(limit.kappa):
            smooth = self._state() is PointState.SMOOTH
            reason = "the active gradients are dependent" if smooth else "the model may have a kink at the point"
            notes.append(f"{reason}: no finite kappa is proved, even in the limit")
        if local.obstacle:
            notes.append(local.obstacle)
        if self._smallest_label() == 0.0:
            notes.append("a label is 0: the formulas of Theorem 15, which divide by y_min, say nothing")
        return tuple(notes)

    def _against_the_paper(self, met: float, limit: BallConstants, ball: BallConstants) -> list[str]:
        """Where kappa and the paper's formula for it disagree."""
        in_limit, on_ball = (self._paper(each.lipschitz, each.smoothness).kappa for each in (limit, ball))
        number = "D.2" if self.is_equality else "C.11"
        if met > on_ball * (1.0 + _BEYOND):
            return [f"Lemma {number} is refuted here: its kappa is {on_ball:.4g}, but d(x, C*) reaches {met:.4g} "
                    f"max_m d(x, C_m) for x near theta*"]  # fmt: skip
        if in_limit < ball.kappa < math.inf and not self.is_equality:
            return [f"the kappa proved on the ball ({ball.kappa:.4g}) exceeds the formula of Lemma {number} at theta* "
                    f"({in_limit:.4g}), which is proved as the ball shrinks, not on the ball"]  # fmt: skip
        return []

    def _margin(self, margin: Interval) -> Interval:
        """Margins where a piece may be missing are sampled."""
        if self.listed:
            return margin
        return Interval(margin.lower, math.inf, margin.lower_method, "pieces may be missing at these kinks", False)

    def _modulus(self, modulus: Interval) -> Interval:
        """Metric regularity is not proved where a piece may be missing."""
        if self.listed:
            return modulus
        return Interval(modulus.lower, math.inf, modulus.lower_method, "pieces may be missing at these kinks")

    def _constants(self, local: LocalConstants) -> tuple[Interval, Interval]:
        """G and beta on the ball, over the constraints that can be violated there."""
        rows = self.active if self.is_equality else self.neighbourhood.relevant(local)
        if not rows.any():
            empty = Interval.exact(0.0, "no constraint can be violated on the ball")
            return empty, empty
        most = min(_SEARCHED, max(2, _SEARCH_WORK // self.system.model.num_parameters))
        steepest = np.flatnonzero(rows)[np.argsort(-self.geometry.gradient_norms[rows], kind="stable")[:most]]
        X = self.system.tensors(self.geometry.theta.device)[0][torch.as_tensor(steepest)]
        met = adversarial_constants(self.system.model, X, self.geometry.theta, self.radius, seed=self.seed)
        upper = float(local.lipschitz[rows].max()), float(local.smoothness[rows].max())
        how = "largest gradient met in the ball", "largest curvature met in the ball"
        return tuple(
            Interval.between(float(np.max(low)), high, word, local.method, False)
            for low, high, word in zip((met.lipschitz, met.smoothness), upper, how, strict=True)
        )  # type: ignore[return-value]

    def _tangent_search(self, weights: np.ndarray) -> TangentSearch:
        """Ratios of tangent cones, where those are the cones of the gradients.

        They need not be at kinks, nor where the gradients of one regression task depend on one another: its set may
        then be smaller than its linearization.
        """
        index = np.flatnonzero(self.active)
        dependent = self.is_equality and not (self.neighbourhood.least_singular_values > 0.0).all()
        if not index.size or dependent or self._state() is not PointState.SMOOTH:
            return TangentSearch(0.0, np.zeros(self.active.size), 0)
        cones = TangentCones(
            self.geometry.gram[np.ix_(index, index)], self.system.task_index[index], self.system.is_equality[index]
        )
        candidates = [-weights[index]]
        if self.is_equality:
            values, vectors = np.linalg.eigh(cones.gram)
            kept = vectors[:, values > 1e-12 * values[-1]][:, :_HULL_CANDIDATES]
            candidates += [*kept.T, *self.neighbourhood.worst_weights()]
        search = search_tangent_ratio(cones, candidates, self.seed)
        spread = np.zeros(self.active.size)
        spread[index] = search.weights
        return TangentSearch(search.ratio, spread, search.evaluations)

    def _ball_search(self, tangent: TangentSearch, direction: Tensor | None) -> BallSearch:
        sizes = self.system.model.num_parameters * self.system.num_constraints
        if not self.active.any() or self.draws == 0 or sizes > _SEARCHABLE:
            return BallSearch(0.0, 0.0, None, 0)
        directions = [-direction] if direction is not None else []
        worst = self.geometry.combine(tangent.weights)
        if float(worst.norm()) > 0.0:
            directions.append(worst / worst.norm())
        theta, sensitivity = self.geometry.theta, self.sensitivity()
        return search_ball(self.sets, self.system, theta, self.radius, directions, self.seed, self.draws, sensitivity)

    def sensitivity(self) -> float:
        """How far a point of small violation may be from its set, per unit of violation (scaling; a Newton step)."""
        if not self.is_equality:
            return 2.0 * self.geometry.norm / self.geometry.degree
        least = float(self.neighbourhood.least_singular_values.min())
        return 2.0 * math.sqrt(self.system.num_constraints) / least if least > 0.0 else math.inf

    def _kappa(self, lower: float, ball: BallConstants) -> Interval:
        how = "largest ratio of distances met, tangent cones included"
        return Interval.between(lower, ball.kappa, how, ball.kappa_method, True)

    def _pairing(self, met: float) -> Interval:
        """eps at delta = rho: chi rho, and never above 1 (Cauchy-Schwarz)."""
        upper = min(1.0, self.neighbourhood.curvature(self.radius) * self.radius)
        return Interval.between(met, upper, "largest pairing met", "curvature of the constraints", False)

    def _smallest_label(self) -> float:
        return float(np.abs(self.system.offsets).min()) if self.is_equality else 1.0

    def _paper(self, lipschitz: float, smoothness: float) -> PaperFormulas:
        return paper_formulas(
            lipschitz, smoothness, self.geometry.norm, self.geometry.degree, len(self.sets), self._smallest_label()
        )

    def _spectral_radius(self) -> float | None:
        if not self.is_equality or self._state() is not PointState.SMOOTH:
            return None
        return float(np.abs(np.linalg.eigvals(self.neighbourhood.cycle_map())).max(initial=0.0))

"""Projection for models without global structure: local minimizers from several initial points, with their evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from margin_projection.projections.contradictions import distinct_constraints, find_contradiction
from margin_projection.projections.lower_bounds import output_change_lower_bound
from margin_projection.projections.newton import LocalSolution, solve_locally
from margin_projection.projections.newton_step import Face
from margin_projection.projections.problem import ProjectionProblem, Solution, without_point
from margin_projection.projections.result import CertificateKind, Counts, Status
from margin_projection.projections.second_order import Curvature, least_curvature

_METHOD = "sequential quadratic programming over adjacent pieces with Newton correction"
_SPREADS = (1.0, 0.3, 3.0)  # sizes of random displacements of further initial points, relative to the least distance
_MAX_ESCAPES = 3
_SAME = 1e-6
_ON_KINK = 1e-9  # distance in theta within which the point lies on a kink
_PROBES = 16  # random parameters at which a unit that is always 0 shows itself


def project_local(problem: ProjectionProblem) -> Solution:
    """The best local minimizer over ``problem.starts`` runs, the first one from the start itself.

    Repeated constraints count once: their first row carries the multiplier. Contradictory ones prove the set empty.

    The status is LOCAL where the least curvature on the tangent space is positive and nothing else breaks
    smoothness, STATIONARY where that could not be confirmed, and why the best run stopped where none converged.
    """
    contradiction = find_contradiction(problem.system)
    if contradiction is not None:
        evidence = {"reason": contradiction.reason, "samples": list(contradiction.samples)}
        proof = "contradictory samples, compared exactly"
        return without_point(problem, problem.start, _METHOD, proof=proof, evidence=evidence, counts=Counts())
    system, kept = distinct_constraints(problem.system)
    if len(kept) < problem.system.num_constraints:
        solution = project_local(replace(problem, system=system))
        multipliers = torch.zeros_like(problem.system.tensors(problem.start.device)[1])
        multipliers[torch.as_tensor(kept, device=multipliers.device)] = solution.multipliers
        return replace(solution, multipliers=multipliers)
    return _best_of_runs(problem)


def _best_of_runs(problem: ProjectionProblem) -> Solution:
    """The best of several runs, with its evidence."""
    runs: list[tuple[LocalSolution, Curvature | None]] = []
    counts = Counts()
    for index in range(problem.starts):
        run, curvature, spent = _run(problem, _initial_point(problem, index, runs))
        counts += spent
        runs.append((run, curvature))
    runs.sort(key=lambda pair: _rank(problem, pair[0]))
    best, curvature = runs[0]
    bound, bound_method = output_change_lower_bound(problem.system, problem.start)
    status = _status(problem, best, curvature)
    return Solution(
        points=_distinct_minimizers(problem, [run for run, _ in runs]),
        multipliers=best.piece.multipliers,
        status=status,
        kind=CertificateKind.LOCAL if status.is_success else CertificateKind.NONE,
        lower_bound=bound,
        bound_method=bound_method,
        method=_METHOD,
        evidence=_evidence(problem, best, curvature, runs),
        counts=counts,
        generalized_gradient=_generalized_gradient(problem, best),
    )


def _rank(problem: ProjectionProblem, run: LocalSolution) -> tuple[int, float]:
    """Converged runs by distance, then the others by violation."""
    if run.status is Status.LOCAL:
        return 0, float((run.point - problem.start).norm())
    return 1, run.violation


def _initial_point(
    problem: ProjectionProblem, index: int, runs: list[tuple[LocalSolution, Curvature | None]]
) -> Tensor:
    """The start, the mirror image of the best point in it, twice the start, then seeded random displacements of it.

    A start where a violated output has no gradient (as 0 has, for degree above 1) is displaced at random.
    """
    start, model = problem.start, problem.system.model
    converged = [run.point for run, _ in runs if run.status is Status.LOCAL]
    nearest = min(converged, key=lambda point: float((point - start).norm()), default=None)
    if not _is_degenerate(problem):
        if index == 0:
            return start
        if index == 1 and nearest is not None:
            return start - (nearest - start)
        if index == 2:
            return 2.0 * start
    draw = model.initialize(problem.seed + 7919 * (index + 1), "he")
    noise = torch.as_tensor(draw, dtype=start.dtype, device=start.device)
    size = float((noise if nearest is None else nearest - start).norm())
    return start + _SPREADS[index % len(_SPREADS)] * size * noise / noise.norm()


def _is_degenerate(problem: ProjectionProblem) -> bool:
    """Whether a violated constraint has a vanishing gradient at the start, as all have at 0 for degree above 1."""
    X = problem.system.tensors(problem.start.device)[0]
    line = problem.system.model.linearize(problem.start, X)
    violated = problem.system.violation_values(problem.system.constraint_values(problem.start)) > problem.tolerance
    squares = torch.diagonal(line.gram())
    return bool((squares[violated] <= 1e-24).any())


def _run(problem: ProjectionProblem, initial: Tensor) -> tuple[LocalSolution, Curvature | None, Counts]:
    """One run; where it ends at a saddle point, it goes on from both sides of the descent direction."""
    counts, curvature = Counts(), None
    for escape in range(_MAX_ESCAPES + 1):
        arguments = (problem.tolerance, problem.max_steps, problem.progress)
        run = solve_locally(problem.system, problem.start, initial, *arguments)
        counts += run.counts
        if run.status is not Status.LOCAL:
            return run, None, counts
        face = Face(run.local, run.piece)
        curvature = least_curvature(face, run.point.numel(), run.point, problem.seed)
        counts += Counts(hessian_vectors=face.hessian_vectors)
        if curvature.least >= -1e-9 or escape == _MAX_ESCAPES:
            break
        size = 0.1 * max(float(run.local.offset.norm()), 1e-3)
        initial = run.point + (size if escape % 2 == 0 else -size) * curvature.direction
    return run, curvature, counts


def _status(problem: ProjectionProblem, run: LocalSolution, curvature: Curvature | None) -> Status:
    """LOCAL only where the second-order condition decides: nothing but stuck kinks breaks smoothness at the point."""
    if run.status is not Status.LOCAL or curvature is None:
        return run.status
    smooth = not problem.system.model.nonsmooth_operations and _unresolved_units(problem, run) == 0
    return Status.LOCAL if curvature.confirmed and smooth else Status.STATIONARY


def _unresolved_units(problem: ProjectionProblem, run: LocalSolution) -> int:
    """How many units of carried samples have z = 0 at the point without being stuck there.

    Beyond one the constraint has another piece (or another Hessian), on which nothing is known: it may come nearer to
    the start. Units whose z is 0 for every theta, as those that see only zero pixels, do not count.
    """
    values, samples = run.local.plain.breaks()
    near = values.abs() <= _ON_KINK * max(1.0, float(run.point.norm()))
    near &= (run.piece.multipliers.abs() > 1e-12)[samples]
    if run.piece.stuck.any():
        near[run.piece.kink_index[run.piece.stuck]] = False
    if not near.any():
        return 0
    model, X, moving = problem.system.model, problem.system.tensors(run.point.device)[0], torch.zeros_like(near)
    for draw in range(_PROBES):
        probe = torch.as_tensor(model.initialize(draw, "normal"), device=run.point.device)
        moving |= model.linearize(probe, X).breaks()[0] != 0.0
    return int((near & moving).sum())


def _generalized_gradient(problem: ProjectionProblem, run: LocalSolution) -> Tensor | None:
    """sum_i lambda_i g_i with the slopes that the multipliers over adjacent pieces imply at the point's kinks.

    Every kink on which the point lies is named with its slope: the sign of a z of rounding size decides nothing.
    """
    local, piece = run.local, run.piece
    z, fractions = local.plain.preactivations(), local.fractions.clone()
    named = (fractions != (z > 0)) | (z.abs() <= _ON_KINK * max(1.0, float(run.point.norm())))
    touching = named[piece.kink_index]
    fractions[piece.kink_index[touching]] = piece.fractions[touching]
    index = torch.nonzero(named).squeeze(1)
    if not index.numel():
        return None
    X, signs = problem.system.tensors(run.point.device)[:2]
    line = problem.system.model.linearize(run.point, X).with_fractions(index, fractions[index])
    return line.adjoint(signs * piece.multipliers)


def _distinct_minimizers(problem: ProjectionProblem, runs: list[LocalSolution]) -> tuple[Tensor, ...]:
    """The best point and, where asked for, other points of the same distance."""
    best = runs[0].point
    points, distance = [best], float((best - problem.start).norm())
    for run in runs[1:] if problem.all_minimizers else ():
        same_distance = abs(float((run.point - problem.start).norm()) - distance) <= _SAME * max(1.0, distance)
        new = all(float((run.point - point).norm()) > _SAME * max(1.0, distance) for point in points)
        if run.status is Status.LOCAL and same_distance and new:
            points.append(run.point)
    return tuple(points)


def _evidence(
    problem: ProjectionProblem,
    best: LocalSolution,
    curvature: Curvature | None,
    runs: list[tuple[LocalSolution, Curvature | None]],
) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "runs": [{"status": run.status.name, "violation": run.violation, "steps": run.counts.steps} for run, _ in runs],
        "distances": [float(run.local.offset.norm()) for run, _ in runs],
        "history": [list(row) for row in best.history],
        "stuck_kinks": int(best.piece.stuck.sum()),
        "unresolved_units": _unresolved_units(problem, best),
    }
    if curvature is not None and np.isfinite(curvature.least):
        evidence |= {"least_curvature": curvature.least, "curvature_residual": curvature.residual}
    return evidence

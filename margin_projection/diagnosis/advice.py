"""What to change, from everything found: one sentence each, the most basic first."""

from __future__ import annotations

from margin_projection.diagnosis.degree_groups import DegreeGroups, Homogeneity
from margin_projection.diagnosis.separation import Separation, SeparationStatus
from margin_projection.regularity.report import PointState, RegularityReport

_SMALL_BASIN = 1e-6  # relative to ||theta*||


def collect_advice(groups: DegreeGroups, separation: Separation, report: RegularityReport | None) -> tuple[str, ...]:
    """The advice of the degrees, of the separation and of the point's report."""
    advice = [*groups.advice, *_about_degrees(groups), *_about_scale(separation, groups)]
    return tuple(advice if report is None else advice + _about_point(report))


def _about_degrees(groups: DegreeGroups) -> list[str]:
    if groups.repaired_degree is not None:
        return [f"with all of this changed the network is homogeneous of degree {groups.repaired_degree:g} (tried)"]
    if groups.kind is Homogeneity.PARTIAL and len(groups.fixed) < len(groups.groups):
        names = ", ".join(f"'{name}'" for name in groups.fixed[:6]) + (", ..." if len(groups.fixed) > 6 else "")
        return [f"or freeze {names}: the network is homogeneous of degree {groups.degree:g} in the other groups"]
    return []


def _about_scale(separation: Separation, groups: DegreeGroups) -> list[str]:
    status, factor = separation.status, separation.factor
    if status is SeparationStatus.SCALED and abs(factor - 1.0) > 1e-9:
        how = "" if groups.kind is Homogeneity.COMMON else " (each group: by that to the power of its weight)"
        return [f"multiply the parameters by {factor:.6g}{how} to reach the boundary of C*"]
    return [] if status.is_success else [status.value]


def _about_point(report: RegularityReport) -> list[str]:
    advice = []
    if report.state is PointState.INTERIOR:
        return [report.state.value]
    if not report.smoothness.is_bounded:
        why = f" ({report.constants_obstacle})" if report.constants_obstacle else ""
        advice.append(f"use squared ReLUs, or a smaller radius: no beta is known on this ball{why}")
    if report.kind == "regression" and not report.metric_regularity.is_bounded:
        advice.append("the samples' gradients are dependent: use more parameters, or drop samples")
    radius = max(report.basin_cyclic.radius, report.basin_random.radius)
    if report.num_tasks == 1:
        return advice
    if 0.0 < radius < _SMALL_BASIN * report.norm:
        advice.append("the basin granted is tiny: start from parameters that nearly solve all tasks")
    if radius == 0.0:
        advice.append("no basin is granted: the theory promises nothing for starts near this point")
    return advice

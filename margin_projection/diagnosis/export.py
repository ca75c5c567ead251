"""A diagnosis as plain data: what JSON can hold, without the parameters themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from margin_projection.diagnosis.condition import Condition
from margin_projection.diagnosis.degree_groups import DegreeGroups
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.report import RegularityReport

if TYPE_CHECKING:
    from margin_projection.diagnosis.diagnosis import Diagnosis

_INTERVALS = (
    "mfcq_along_theta", "mfcq_best", "unit_margin", "metric_regularity", "least_singular_value", "lipschitz",
    "smoothness", "kappa", "kappa_limit", "pairing",
)  # fmt: skip


def plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """Dictionaries, lists, texts and numbers; infinite numbers stay infinite."""
    separation, report = diagnosis.separation, diagnosis.report
    return {
        "name": diagnosis.name,
        "num_parameters": diagnosis.num_parameters,
        "num_samples": diagnosis.num_samples,
        "num_tasks": diagnosis.num_tasks,
        "degrees": _degrees(diagnosis.groups),
        "separation": {
            "status": separation.status.name,
            "sentence": separation.status.value,
            "margins": list(separation.margins),
            "factor": separation.factor,
            "moved": separation.moved,
        },
        "conditions": [_condition(each) for each in diagnosis.conditions],
        "constants": None if report is None else _constants(report),
        "rates": {
            name: {
                "per_step": rate.per_step, "per_cycle": rate.per_cycle, "radius": rate.radius,
                "probability": rate.probability, "status": rate.status.name, "formula": rate.formula,
                "source": rate.source,
            }
            for name, rate in diagnosis.rates.items()
        },
        "advice": list(diagnosis.advice),
        "notes": list(diagnosis.notes),
        "restricted": None if diagnosis.restricted is None else plain(diagnosis.restricted),
    }  # fmt: skip


def _degrees(groups: DegreeGroups) -> dict[str, Any]:
    return {
        "kind": groups.kind.name,
        "sentence": groups.kind.value,
        "degree": groups.degree,
        "residual": groups.residual,
        "scaling_error": groups.scaling_error,
        "num_symmetries": groups.num_symmetries,
        "reason": groups.reason,
        "offender": groups.offender,
        "repaired_degree": groups.repaired_degree,
        "groups": [
            {"name": each.name, "size": each.size, "weight": each.weight, "own_degree": each.own_degree}
            for each in groups.groups
        ],
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "theorem": condition.theorem,
        "name": condition.name,
        "verdict": condition.verdict.name,
        "how": condition.how,
        "numbers": dict(condition.numbers),
    }


def _constants(report: RegularityReport) -> dict[str, Any]:
    intervals = {name: getattr(report, name) for name in _INTERVALS}
    return {
        "norm": report.norm,
        "radius": report.radius,
        "state": report.state.name,
        "active": [len(each) for each in report.active],
        "intervals": {name: _ends(each) for name, each in intervals.items() if each is not None},
        "proved_radius_cyclic": report.basin_cyclic.radius,
        "proved_radius_random": report.basin_random.radius,
        "paper_kappa": report.paper_local.kappa,
        "paper_radius": report.paper_local.delta,
    }


def _ends(interval: Interval) -> dict[str, Any]:
    return {
        "lower": interval.lower,
        "upper": interval.upper,
        "lower_proved": interval.lower_proved,
        "lower_method": interval.lower_method,
        "upper_method": interval.upper_method,
    }

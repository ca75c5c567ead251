"""One case of a sweep, anywhere: a table in, plain numbers or a reason out; nothing is raised."""

from __future__ import annotations

import time
import traceback
from typing import Any

from margin_projection.cli.loading import Table, validate

DIED = "the worker process died (killed, or out of memory)"
REASON = 500  # characters kept of what went wrong


def run_case(identifier: str, kind: str, table: Table) -> dict[str, Any]:
    """identifier, status ("done" or "failed"), result (name -> number or text), reason, seconds."""
    begin = time.perf_counter()
    try:
        result, status, reason = _RUNNERS[kind](table), "done", ""
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({where.name})"[:REASON]
        result, status = {}, "failed"
    seconds = round(time.perf_counter() - begin, 3)
    return {"identifier": identifier, "status": status, "result": result, "reason": reason, "seconds": seconds}


def failure(identifier: str, reason: str) -> dict[str, Any]:
    """The outcome of a case that could not tell anything itself."""
    return {"identifier": identifier, "status": "failed", "result": {}, "reason": reason, "seconds": 0.0}


def _follow(table: Table) -> Any:
    from margin_projection.cli.build import build
    from margin_projection.trajectories import sequential_projections

    configuration = validate(table)
    setting, keys = build(configuration), configuration.trajectory
    options = configuration.projection.model_dump(include={"tolerance", "starts", "max_steps", "method"})
    arguments = {**keys.model_dump(), **options, "num_steps": keys.steps}
    arguments.pop("store", None)
    return sequential_projections(setting.model, setting.tasks, start=setting.start, **arguments)


def _trajectory(table: Table) -> dict[str, Any]:
    found = _follow(table)
    statuses = [str(status) for status in found.statuses.ravel()]
    return {
        "num_steps": found.points.shape[1] - 1,
        "worst_forgetting": float(found.forgetting[:, -1].max()),
        "joint_distance": float(found.joint_distances[:, -1].max()),
        "global_steps": statuses.count("GLOBAL") / max(1, len(statuses)),
    }


def _rate(table: Table) -> dict[str, Any]:
    from margin_projection.rates import observed_rate

    found = observed_rate(_follow(table))
    rate = found.rate
    return {
        "observed": found.status.name, "certified": found.certified,
        "per_cycle": None if rate is None else float(rate.per_cycle),
    }  # fmt: skip


def _diagnosis(table: Table) -> dict[str, Any]:
    from margin_projection.cli.build import build_subject
    from margin_projection.cli.report import diagnosis_report
    from margin_projection.diagnosis import diagnose

    configuration = validate(table)
    subject, tasks, theta = build_subject(configuration)
    found = diagnose(subject, tasks, theta, **configuration.diagnosis.model_dump())
    return _flat(diagnosis_report(configuration, tasks, found))


def _plasticity(table: Table) -> dict[str, Any]:
    import tempfile

    from margin_projection.plasticity.configuration import Experiment
    from margin_projection.plasticity.experiment import run_experiment

    with tempfile.TemporaryDirectory() as folder:
        (outcome,) = run_experiment(Experiment.model_validate(table), folder)
    if outcome.failure is not None:
        raise ArithmeticError(outcome.failure)
    accuracies = [row["online_accuracy"] for row in outcome.rows]
    window = max(1, len(accuracies) // 10)
    return {
        "tasks": len(accuracies), "first": sum(accuracies[:window]) / window,
        "last": sum(accuracies[-window:]) / window,
    }  # fmt: skip


def _bridge(table: Table) -> dict[str, Any]:
    from margin_projection.bridge import BridgeSettings, run_bridge

    settings = {key: value for key, value in table.items() if key not in ("method", "seed")}
    rows = run_bridge(BridgeSettings(**settings), table.get("method", "bp"), table.get("seed", 0))
    return {f"last_{name}": rows[-1][name] for name in ("epsilon_rank", "mfcq_margin", "least_singular", "success")}


_RUNNERS = {
    "trajectory": _trajectory,
    "rate": _rate,
    "diagnosis": _diagnosis,
    "plasticity": _plasticity,
    "bridge": _bridge,
}


def _flat(report: Any, prefix: str = "") -> dict[str, Any]:
    """Numbers and short texts of a nested report by dotted names; lists are left out."""
    found: dict[str, Any] = {}
    for key, value in report.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool | int | float | str) or value is None:
            found[f"{prefix}{key}"] = value
    return found

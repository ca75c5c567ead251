"""One projection of a network of about a million parameters, in a process of its own: seconds and peak memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.row import Row, at_most
from benchmarks.settings import Settings

TITLE = "a million parameters"
WIDTHS, SAMPLES = (784, 1000, 255, 1), 256
_TINY_WIDTHS, _TINY_SAMPLES = (20, 12, 5, 1), 6
_LIMIT = 120.0  # seconds after which a projection that has not ended is given up


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Rows for relu and squared_relu: seconds of the call, peak memory of the process that makes it."""
    rows: list[Row] = []
    for activation in ("relu", "squared_relu"):
        name = f"{TITLE}, {activation}"
        result = _in_subprocess(activation, settings)
        report(f"{name}: {result}")
        if "seconds" not in result:
            rows.append(Row(f"{name}: one projection", "s", None, None, None, "at most 10 s", False, result))
            continue
        seconds = at_most(f"{name}: one projection", "s", result["seconds"], 10.0, result)
        rows.append(seconds if result["success"] else Row(**{**vars(seconds), "met": False}))
        rows.append(at_most(f"{name}: peak memory", "GiB", result["peak_gib"], 1.0))
    return rows


def _in_subprocess(activation: str, settings: Settings) -> dict[str, Any]:
    threads = str(settings.threads)
    size = "tiny" if settings.tiny else "full"
    command = [sys.executable, "-m", "benchmarks.million_parameters", activation, threads, size]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    try:
        done = subprocess.run(
            command, env=environment, cwd=root, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return {"note": f"no result within {_LIMIT:g} s"}
    return json.loads(done.stdout) if done.returncode == 0 else {"note": done.stderr[-2000:]}


def project_once(activation: str, threads: int, tiny: bool) -> dict[str, Any]:
    """Project 0.5 x He initialization onto a teacher's task, one start; JSON-serializable."""
    import torch

    import margin_projection as mp
    from benchmarks.timing import timed
    from margin_projection import tasks
    from margin_projection.networks import FullyConnected

    torch.set_num_threads(threads)
    model = FullyConnected(_TINY_WIDTHS if tiny else WIDTHS, activation)
    (task,), _ = tasks.teacher_tasks(model, num_tasks=1, samples=_TINY_SAMPLES if tiny else SAMPLES, seed=1)
    start, target = model.initialize(0, scale=0.5), mp.MarginSet(model, task)
    before = _peak_gib()
    projection, seconds = timed(lambda: mp.project(start, target, starts=1, throw=False))
    return {
        "seconds": seconds, "peak_gib": _peak_gib(), "peak_before_gib": before, "parameters": model.num_parameters,
        "success": projection.status.is_success, "status": projection.status.name, "distance": projection.distance,
        "violation": projection.residuals.feasibility, "stationarity": projection.residuals.stationarity,
        "jacobian_equivalents": projection.counts.jacobian_equivalents, "counts": vars(projection.counts),
    }  # fmt: skip


def _peak_gib() -> float:
    """Peak resident memory of this process (Linux reports KiB, macOS bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2.0**30 if sys.platform == "darwin" else 2.0**20)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(project_once(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "tiny")))

"""The job: run every part, show its tables, keep its numbers and pictures."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from margin_projection import __version__
from margin_projection._files import json_bytes, writable_folder, write_atomically
from margin_projection.projections import ProjectionError
from margin_projection.trajectories import TrajectoryError
from margin_projection.verify.ablation import ablation
from margin_projection.verify.basins import basins
from margin_projection.verify.counterexamples import counterexamples
from margin_projection.verify.depth import depth
from margin_projection.verify.digits_run import SEED, digits_run
from margin_projection.verify.figure_1 import figure_1
from margin_projection.verify.findings import Check, Part
from margin_projection.verify.gram_bridge import gram_bridge
from margin_projection.verify.local_rates import local_rates
from margin_projection.verify.plasticity import plasticity
from margin_projection.verify.predecessors import predecessors
from margin_projection.verify.rate_scatter import rate_scatter
from margin_projection.verify.report import Report
from margin_projection.verify.sharp_bounds import sharp_bounds
from margin_projection.verify.site import build_site
from margin_projection.verify.spectra import spectra
from margin_projection.verify.theorem_5 import EPS, theorem_5
from margin_projection.verify.vanishing_regularization import vanishing_regularization
from margin_projection.verify.verdicts import verdicts

PartRunner = Callable[[bool, Callable[[float], None]], Part]
PARTS: dict[str, PartRunner] = {
    "theorem_5": theorem_5,
    "figure_1": figure_1,
    "digits_run": digits_run,
    "vanishing_regularization": vanishing_regularization,
    "sharp_bounds": sharp_bounds,
    "local_rates": local_rates,
    "rate_scatter": rate_scatter,
    "depth": depth,
    "ablation": ablation,
    "predecessors": predecessors,
    "basins": basins,
    "plasticity": plasticity,
    "spectra": spectra,
    "gram_bridge": gram_bridge,
    "counterexamples": counterexamples,
    "verdicts": verdicts,
}
RESULTS = "verify.json"
_PACKAGES = ("numpy", "scipy", "torch", "clarabel", "daqp", "scikit-learn", "matplotlib")


def run(
    out: str | Path, *, quick: bool = False, report: Report | None = None, parts: Mapping[str, PartRunner] | None = None
) -> bool:
    """Run the parts; write ``out``/verify.json, ``out``/figures/ and the report, ``out``/report/index.html.

    Args:
        out: a folder, made where it is not there.
        quick: smaller sizes, for tests (default False).
        report: what shows tables and progress (default: on the terminal).
        parts: name -> part (default: `PARTS`).

    Returns:
        Whether every check passed. Claims of the papers that fail are findings and do not count here.

    Raises:
        InputError: the folder cannot be written to.
    """
    pictures = writable_folder("out", Path(out) / "figures")
    report = Report() if report is None else report
    found: dict[str, Part] = {}
    seconds: dict[str, float] = {}
    for name, runner in (PARTS if parts is None else parts).items():
        begin = time.perf_counter()
        with report.progress(name) as progress:
            found[name] = _attempt(name, runner, quick, progress)
        seconds[name] = round(time.perf_counter() - begin, 3)
        report.part(found[name], _draw(found[name], pictures))
    passed = all(part.passed for part in found.values())
    record = _record(found, quick, passed, seconds)
    write_atomically(Path(out) / RESULTS, json_bytes(record))
    report.summary(found, build_site(out, record, found))
    return passed


def _attempt(name: str, runner: PartRunner, quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; one whose projections fail is a part with a failed check."""
    try:
        return runner(quick, progress)
    except (ProjectionError, TrajectoryError) as error:
        check = Check("every projection ends at a feasible stationary point", False, str(error), "all")
        return Part(name, checks=[check])


def _draw(part: Part, folder: Path) -> list[Path]:
    if part.figure is None:
        return []
    drawing, data = part.figure
    return drawing.save(folder, data)


def _record(found: Mapping[str, Part], quick: bool, passed: bool, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What the JSON file holds; all but "timings" is the same in every run."""
    return {
        "job": "margin_projection.verify",
        "passed": passed,
        "settings": {"quick": quick, "seed": SEED, "eps": EPS},
        "versions": _versions(),
        "parts": {name: part.to_json() for name, part in found.items()},
        "timings": {"seconds": dict(seconds)},
    }


def _versions() -> dict[str, str]:
    versions = {"margin_projection": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions

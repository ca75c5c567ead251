"""``python -m benchmarks [--only NAME ...] [--quick] [--json FILE] [--threads N]``: measure, print the table."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.report import as_table, write_json
from benchmarks.row import Row
from benchmarks.settings import Settings

NAMES = (
    "digits_squared_relu", "digits_relu", "linear", "million_parameters", "trajectories", "scaling", "diagnosis",
    "limits", "spectra", "sweeps",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen measurements; the exit status is 1 where a requirement was measured and not met, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="fewer instances, short limits for the peers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--threads", type=int, default=2, help="of torch and of the BLAS libraries (default 2)")
    chosen = parser.parse_args(arguments)
    settings = Settings(quick=chosen.quick, threads=max(1, chosen.threads))
    rows = measure_all(chosen.only, settings, Console(stderr=True))
    Console().print(as_table(rows))
    if chosen.json is not None:
        write_json(chosen.json, rows, settings)
    return int(any(row.met is False for row in rows))


def measure_all(names: list[str] | tuple[str, ...], settings: Settings, console: Console) -> list[Row]:
    """The rows of the named benchmarks, with a line on ``console`` as each instance is done."""
    torch.set_num_threads(settings.threads)
    rows: list[Row] = []
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        with threadpool_limits(settings.threads):
            rows += module.run(settings, lambda line: console.print(line, style="dim"))
    return rows


if __name__ == "__main__":
    raise SystemExit(main())

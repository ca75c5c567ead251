"""``margin-projection spectrum``: the curvature spectrum of a network's loss, and the ranks read off it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from margin_projection.cli import options
from margin_projection.cli.errors import SUCCESS, BadInput

if TYPE_CHECKING:
    from margin_projection.curvature import CurvatureProblem, SpectralMeasure

_LOSSES = ("cross_entropy", "mse", "logistic")
_MATRICES = ("hessian", "ggn")


def spectrum(
    module: Annotated[str, typer.Option("--module", metavar="FILE.py:FACTORY", help="Your own torch module.")],
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE.npz", help="Samples: arrays X and y (whole numbers are classes).")
    ],
    weights: options.WeightsOption = None,
    loss: Annotated[str, typer.Option(help="cross_entropy, mse or logistic.")] = "cross_entropy",
    matrix: Annotated[str, typer.Option(help="hessian or ggn (generalized Gauss-Newton).")] = "hessian",
    order: Annotated[int, typer.Option(min=1, help="Lanczos steps a probe.")] = 100,
    probes: Annotated[int, typer.Option(min=1, help="Random start vectors.")] = 10,
    eps: Annotated[float, typer.Option(help="Threshold of the epsilon-rank, above 0.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Of the probes.")] = 0,
    json: options.JsonOption = None,
    plot: options.PlotOption = None,
    quiet: options.QuietOption = False,
) -> int:
    """Take the spectrum of a loss's Hessian by stochastic Lanczos quadrature, with error bars, and its epsilon-rank.

    For example: margin-projection spectrum --module nets.py:make --data digits.npz --eps 0.01
    """
    from margin_projection.cli.output import check_outputs, write_file, write_stdout
    from margin_projection.cli.progress import show_progress
    from margin_projection.cli.report import to_json

    for name, value, known in (("--loss", loss, _LOSSES), ("--matrix", matrix, _MATRICES)):
        if value not in known:
            raise BadInput(f"{name} must be one of {', '.join(known)}, got {value!r}")
    check_outputs({"--json": None if json == "-" else json, "--plot": plot}, [str(data), weights])
    problem = _problem(module, weights, data, loss)
    with show_progress("Lanczos", quiet=quiet):
        measure, report = _measured(problem, matrix, order, probes, eps, seed)
    if json not in (None, "-"):
        write_file("--json", Path(str(json)), lambda path: _write(path, report))
    if plot is not None:
        from margin_projection.curvature.plot import plot_spectrum

        write_file("--plot", plot, lambda path: plot_spectrum(measure, path, eps=eps))
    if json == "-":
        write_stdout(to_json(report))
    elif not quiet:
        write_stdout(_table(report))
    return SUCCESS


def _problem(module: str, weights: str | None, data: Path, loss: str) -> CurvatureProblem:
    import numpy as np
    import torch
    from torch import nn

    from margin_projection._files import DAMAGE
    from margin_projection._validation import check_array
    from margin_projection.cli.user_module import load_module
    from margin_projection.curvature import CurvatureProblem

    try:
        with np.load(data, allow_pickle=False) as opened:
            X, y = (check_array(f"data[{name!r}]", opened[name]) for name in ("X", "y"))
    except DAMAGE as error:
        raise BadInput(f"--data must be a .npz file with finite arrays X and y, got {str(data)!r} ({error})") from error
    targets = torch.as_tensor(y)
    if loss == "cross_entropy":
        if (y != np.round(y)).any():
            raise BadInput("--data: y must hold whole numbers (classes) for cross_entropy")
        targets = targets.long()
    losses: dict[str, nn.Module] = {
        "cross_entropy": nn.CrossEntropyLoss(), "mse": nn.MSELoss(), "logistic": nn.BCEWithLogitsLoss(),
    }  # fmt: skip
    try:
        return CurvatureProblem.of(load_module(module, weights), losses[loss], (torch.as_tensor(X), targets))
    except (RuntimeError, IndexError) as error:
        raise BadInput(f"--module, --data and --loss do not fit together: {error}") from error


def _measured(
    problem: CurvatureProblem, matrix: str, order: int, probes: int, eps: float, seed: int
) -> tuple[SpectralMeasure, dict[str, Any]]:
    from dataclasses import asdict

    from margin_projection.curvature import (
        epsilon_rank,
        extreme_eigenvalues,
        ggn_operator,
        hessian_operator,
        smoothed_epsilon_rank,
        spectral_measure,
    )

    operator = (hessian_operator if matrix == "hessian" else ggn_operator)(problem)
    measure = spectral_measure(operator, order=order, probes=probes, seed=seed)
    extremes = extreme_eigenvalues(operator, seed=seed)
    moments, errors = measure.moments(3)
    report = {
        "matrix": operator.name,
        "num_parameters": operator.size,
        "num_samples": problem.num_samples,
        "risk": problem.risk(),
        "order": order,
        "probes": probes,
        "seed": seed,
        "smallest_eigenvalue": float(extremes.smallest[0]),
        "largest_eigenvalue": float(extremes.largest[-1]),
        "eigenvalue_residual": extremes.residual,
        "mean_eigenvalue": float(moments[1]),
        "mean_eigenvalue_error": float(errors[1]),
        "epsilon_rank": asdict(epsilon_rank(measure, eps)),
        "smoothed": asdict(smoothed_epsilon_rank(measure, eps)),
        "nodes": [nodes.tolist() for nodes in measure.nodes],
        "weights": [weights.tolist() for weights in measure.weights],
    }
    return measure, report


def _write(path: Path, report: dict[str, Any]) -> None:
    from margin_projection.cli.report import to_json

    path.write_text(to_json(report), encoding="utf-8")


def _table(report: dict[str, Any]) -> str:
    from rich.table import Table

    from margin_projection.cli.tables import render

    sound, smoothed = report["epsilon_rank"], report["smoothed"]
    table = Table(title=f"{report['matrix']}, {report['num_parameters']} parameters, {report['num_samples']} samples")
    table.add_column("quantity")
    table.add_column("value")
    rows = (
        ("loss", f"{report['risk']:.6g}"),
        ("smallest, largest eigenvalue", f"{report['smallest_eigenvalue']:.8g}, {report['largest_eigenvalue']:.8g}"),
        ("mean eigenvalue", f"{report['mean_eigenvalue']:.6g} +- {report['mean_eigenvalue_error']:.2g}"),
        (f"eigenvalues outside +-{sound['eps']:g}", f"{sound['rank']:.1f} ({100 * sound['share']:.2f} %)"),
        ("  95 % interval", f"{sound['lower']} to {sound['upper']}"),
        ("  smoothed density says", f"{100 * smoothed['share']:.2f} % (kernel width {smoothed['width']:.2g})"),
        ("  of it, leaked from 0", f"up to {100 * smoothed['leak']:.2f} %"),
    )
    for row in rows:
        table.add_row(*row)
    return render(table)

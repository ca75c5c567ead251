"""Hessian spectra against PyHessian and curvlinops, and the Gram matrix against an explicit Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from curvlinops import HessianLinearOperator, lanczos_approximate_spectrum
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from benchmarks.peers import pyhessian
from benchmarks.row import Row, at_most, faster, missing
from benchmarks.settings import Settings
from benchmarks.timing import alternate
from margin_projection.curvature import (
    CurvatureProblem,
    ggn_operator,
    hessian_operator,
    loss_weighted_gram,
    spectral_measure,
)

ORDERS = (100, 40)  # the published order, and a short one, where the peer's slow orthogonalization weighs less
PROBES = 4


def run(settings: Settings, report: Callable[[str], None]) -> list[Row]:
    """Median seconds of whole calls in turns, float32 for the peers' sake, equal order and number of probes."""
    rows = []
    for title, module, X, y in (("MLP 64-128-128-10", *_dense()), ("two convolutions", *_convolutional())):
        for order in (4,) if settings.tiny else ORDERS:
            rows += _estimators(f"{title}, order {order}", module, (X, y), order, settings)
            report(f"spectra: {title}, order {order}")
    rows += _gram(settings)
    report("spectra: Gram matrix")
    return rows


def _estimators(
    title: str, module: nn.Module, data: tuple[Tensor, Tensor], order: int, settings: Settings
) -> list[Row]:
    (X, y), loss = data, nn.CrossEntropyLoss()
    parameters = sum(parameter.numel() for parameter in module.parameters())

    def ours() -> object:
        problem = CurvatureProblem.of(module, loss, (X, y), dtype="float32")
        return spectral_measure(hessian_operator(problem), order=order, probes=PROBES, seed=0)

    def curvlinops() -> object:
        operator = HessianLinearOperator(module, loss, list(module.parameters()), [(X, y)], check_deterministic=False)
        return lanczos_approximate_spectrum(operator, order, num_repeats=PROBES)

    calls: list[Callable[[], object]] = [ours, curvlinops]
    if pyhessian.installed():
        calls.append(partial(pyhessian.density, module, loss, X, y, order, PROBES))
    seconds = alternate(calls, settings.pick(7, 3, 1))
    details = {"parameters": parameters, "samples": len(X), "order": order, "probes": PROBES, "dtype": "float32"}
    rows = [faster(f"Hessian spectrum, {title}: curvlinops' estimator", seconds[0], seconds[1], 1.0, details)]
    if len(seconds) > 2:
        rows.append(faster(f"Hessian spectrum, {title}: PyHessian", seconds[0], seconds[2], 2.0, details))
    else:
        rows.append(missing(f"Hessian spectrum, {title}", "PyHessian", "at least 2 times faster"))
    return rows


def _gram(settings: Settings) -> list[Row]:
    """100,000 parameters, 256 samples, ten outputs, float64."""
    torch.manual_seed(0)
    first, second = (8, 8) if settings.tiny else (256, 310)
    layers = nn.Linear(64, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 10)
    module = nn.Sequential(*layers).double()
    X = torch.randn(settings.pick(256, 256, 32), 64, dtype=torch.float64)
    y = torch.randint(0, 10, (len(X),))
    problem = CurvatureProblem.of(module, nn.CrossEntropyLoss(), (X, y))
    seconds = alternate([partial(loss_weighted_gram, problem), partial(_explicit, module, X)], settings.pick(3, 2, 1))
    count = sum(parameter.numel() for parameter in module.parameters())
    details = {"parameters": count, "samples": len(X), "outputs": 10, "dtype": "float64"}
    small = CurvatureProblem.of(module, nn.CrossEntropyLoss(), (X[:16], y[:16]))
    return [
        faster("Gram matrix, 100,000 parameters: explicit Jacobian", seconds[0], seconds[1], 20.0, details),
        at_most("Gram and GGN spectra", "relative", _difference(small), 1e-10),
    ]


def _explicit(module: nn.Module, X: Tensor) -> Tensor:
    """J J^T from the Jacobian of every output by all parameters, vectorized over samples."""
    parameters = {name: parameter.detach() for name, parameter in module.named_parameters()}

    def outputs(values: dict[str, Tensor], sample: Tensor) -> Tensor:
        found: Tensor = functional_call(module, values, (sample[None],))
        return found[0]

    blocks: Any = vmap(jacrev(outputs), in_dims=(None, 0))(parameters, X)
    J = torch.cat([block.flatten(2) for block in blocks.values()], dim=2).flatten(0, 1)
    return J @ J.T


def _difference(problem: CurvatureProblem) -> float:
    """The largest difference of the five leading eigenvalues, relative to the first; GGN's by subspace iteration."""
    gram = torch.linalg.eigvalsh(loss_weighted_gram(problem)).flip(0)
    operator = ggn_operator(problem)
    start = torch.randn(operator.size, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    basis = torch.linalg.qr(start).Q
    for _ in range(60):
        basis = torch.linalg.qr(operator.apply(basis)).Q
    leading = torch.linalg.eigvalsh(basis.T @ operator.apply(basis)).flip(0)[:5]
    return float((leading - gram[:5]).abs().max() / gram[0])


def _dense() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    return module, torch.randn(512, 64), torch.randint(0, 10, (512,))


def _convolutional() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 10)
    )
    return module, torch.randn(256, 1, 8, 8), torch.randint(0, 10, (256,))

"""What is measured at the start of a task: the new task's data, the parameters that the tasks before left."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from margin_projection.curvature.epsilon_rank import epsilon_rank
from margin_projection.curvature.operators import hessian_operator
from margin_projection.curvature.problem import CurvatureProblem
from margin_projection.curvature.ranks import effective_rank, stable_rank
from margin_projection.curvature.readiness import readiness
from margin_projection.curvature.smoothed import smoothed_epsilon_rank
from margin_projection.curvature.spectral_measure import spectral_measure
from margin_projection.curvature.units import dead_units, dormant_units
from margin_projection.plasticity.learner import masked
from margin_projection.plasticity.network import MultilayerPerceptron
from margin_projection.plasticity.stream import StreamTask


@dataclass(frozen=True)
class SpectrumSettings:
    """How the Hessian's spectrum is taken.

    Attributes:
        every: tasks between two spectra, at least 1.
        samples: of the new task, the first ones.
        order, probes: of the Lanczos quadrature.
        eps: the threshold of the epsilon-rank.
    """

    every: int = 10
    samples: int = 256
    order: int = 40
    probes: int = 4
    eps: float = 0.01


def unit_measurements(network: MultilayerPerceptron, X: Tensor) -> dict[str, float]:
    """Dead and dormant units, ranks of the last hidden features, norms of the weights."""
    with torch.no_grad():
        _, features = network.with_features(X)
        weights = torch.cat([linear.weight.reshape(-1) for linear in network.linears])
    last = features[-1]
    return {
        "dead_units": float(sum(int(dead_units(each).sum()) for each in features)),
        "dormant_units": float(sum(int(dormant_units(each).sum()) for each in features)),
        "feature_effective_rank": float(effective_rank(last)),
        "feature_stable_rank": float(stable_rank(last)),
        "weight_norm": float(weights.norm()),
    }


def spectrum_measurements(
    network: MultilayerPerceptron, task: StreamTask, kind: str, settings: SpectrumSettings, seed: int
) -> dict[str, float]:
    """epsilon-rank (from the measure, with its interval, and smoothed), extreme Ritz values, gradients."""
    X, y = task.X_train[: settings.samples], task.y_train[: settings.samples]
    loss: nn.Module = nn.CrossEntropyLoss() if kind == "classification" else nn.MSELoss()
    problem = CurvatureProblem.of(_Masked(network, task), loss, (X, y))
    measure = spectral_measure(hessian_operator(problem), order=settings.order, probes=settings.probes, seed=seed)
    sound, smoothed = epsilon_rank(measure, settings.eps), smoothed_epsilon_rank(measure, settings.eps)
    gradients = readiness(problem)
    return {
        "epsilon_rank": sound.share,
        "epsilon_rank_lower": sound.lower / measure.size,
        "epsilon_rank_upper": sound.upper / measure.size,
        "epsilon_rank_smoothed": smoothed.share,
        "smoothing_leak": smoothed.leak,
        "smallest_eigenvalue": min(float(nodes[0]) for nodes in measure.nodes),
        "largest_eigenvalue": max(float(nodes[-1]) for nodes in measure.nodes),
        "gradient_norm": gradients.strength,
        "gradient_agreement": gradients.agreement,
    }


class _Masked(nn.Module):
    """The network with the outputs that do not count in a task at -infinity, constant: they have no derivatives."""

    def __init__(self, network: MultilayerPerceptron, task: StreamTask) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, X: Tensor) -> Tensor:
        """Masked outputs."""
        return masked(self.network(X), self.task)

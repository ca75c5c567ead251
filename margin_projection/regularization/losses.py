"""The scaled problem of Algorithm 1 at one s = log(1/lambda), in the log domain: loss and multipliers never overflow.

With c = s^{1/r} and theta = Theta / c the step minimizes Phi(theta) = ||theta - hat||^2 + sum_i T(m_i), T(m) =
loss(s m) / (n c^2 lambda). Its multipliers mu_i = -T'(m_i) / 2 satisfy theta - hat = sum_i mu_i grad m_i, the
convention of `project`, and m_i is a decreasing function of mu_i, the *level*. In regression nothing is scaled (c = 1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

_LARGE = 36.0  # exp(-36) is below the rounding of 1
CLASSIFICATION_LOSSES = ("exponential", "logistic")
REGRESSION_LOSSES = ("squared",)


class ScaledLoss(ABC):
    """What Newton's method needs of a loss. ``slack`` is c_i = y_i f - 1 (classification) or f - y_i (regression).

    ``dual`` is the variable that stands for the multiplier: log mu_i where ``in_logarithms``, else mu_i.
    """

    in_logarithms: bool = False

    @abstractmethod
    def multipliers(self, dual: Tensor) -> Tensor:
        """(n,) mu."""

    @abstractmethod
    def level(self, dual: Tensor) -> Tensor:
        """(n,) the slack at which the loss has these multipliers."""

    @abstractmethod
    def stiffness(self, dual: Tensor) -> Tensor:
        """(n,) -d mu / d slack, at least 0, perhaps infinite."""

    @abstractmethod
    def from_slack(self, slack: Tensor) -> Tensor:
        """(n,) the dual variable that the loss has at this slack."""

    @abstractmethod
    def advance(self, dual: Tensor, change: Tensor, pull: Tensor, length: float) -> Tensor:
        """The dual variable after ``length`` times a Newton step of the multipliers.

        Args:
            dual: (n,).
            change: (n,) the step of mu.
            pull: (n,) the step that is asked of the slack beyond the linearized one, for rows without stiffness.
            length: in (0, 1].
        """

    @abstractmethod
    def penalty(self, slack: Tensor) -> Tensor:
        """sum_i T(m_i) from raw slacks; infinite where float64 ends."""

    @abstractmethod
    def conjugate(self, dual: Tensor, offsets: Tensor) -> Tensor:
        """(n,) T(g) + 2 mu g at the level g of mu: T(m) >= this - 2 mu m for every m, as T is convex."""


class ClassificationLoss(ScaledLoss):
    """Logistic or exponential loss of degree-r models: s c_i = (1 - 2/r) log s - log(2 n mu_i) [+ log(1 - q_i)].

    The last term belongs to the logistic loss, with q_i = 2 n mu_i s^{2/r - 1} e^{-s} = 1 / (1 + exp(s m_i)).

    Args:
        name: "logistic" or "exponential".
        log_inverse_lambda: s > 0.
        degree: r.
        count: n, the samples of the task.
    """

    in_logarithms = True

    def __init__(self, name: str, log_inverse_lambda: float, degree: float, count: int) -> None:
        self.s, self.count, self.is_logistic = log_inverse_lambda, count, name == "logistic"
        self.shift = (1.0 - 2.0 / degree) * math.log(log_inverse_lambda) - math.log(2.0 * count)

    def _log_share(self, dual: Tensor) -> Tensor:
        """log q, below 0 for the logistic loss."""
        return (dual - self.shift - self.s).clamp_max(-1e-300)

    def multipliers(self, dual: Tensor) -> Tensor:
        return dual.exp()

    def level(self, dual: Tensor) -> Tensor:
        excess = self.shift - dual
        if self.is_logistic:
            excess = excess + torch.log(-torch.expm1(self._log_share(dual)))
        return excess / self.s

    def _steepness(self, dual: Tensor) -> Tensor:
        """-d dual / d slack."""
        return self.s * -torch.expm1(self._log_share(dual)) if self.is_logistic else torch.full_like(dual, self.s)

    def stiffness(self, dual: Tensor) -> Tensor:
        return dual.exp() * self._steepness(dual)

    def from_slack(self, slack: Tensor) -> Tensor:
        plain = self.shift - self.s * slack
        if not self.is_logistic:
            return plain
        z = self.s * (1.0 + slack)
        return torch.where(z > 0, plain - torch.log1p(torch.exp(-z.abs())), self.shift + self.s - _softplus(z))

    def dual_rounding(self, slack: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """A first-order bound on the error of `from_slack` at slacks that are known up to ``spread`` (n,)."""
        sizes = abs(math.log(self.s)) + math.log(2.0 * self.count) + self.s * np.abs(slack) + 2.0
        return np.asarray(self.s * spread + 4.0 * np.finfo(np.float64).eps * sizes)

    def advance(self, dual: Tensor, change: Tensor, pull: Tensor, length: float) -> Tensor:
        relative = length * torch.where(change != 0, change * torch.exp(-dual), pull * self._steepness(dual))
        largest = dual.max().clamp_min(0.0)
        grown = torch.minimum(dual + relative, torch.maximum(dual + torch.log1p(relative.clamp_min(0.0)), largest))
        shrunk = torch.where(relative > -0.5, dual + torch.log1p(relative.clamp_min(-0.5)), dual + relative)
        moved = torch.where(relative > 0, grown, shrunk)
        if self.is_logistic:
            top = self.shift + self.s
            moved = torch.where(moved >= top, (dual.clamp_max(top) + top) / 2.0, moved)
        return moved

    def penalty(self, slack: Tensor) -> Tensor:
        exponent = self.shift - self.s * slack
        if self.is_logistic:
            z = self.s * (1.0 + slack)
            near = self.shift + self.s + torch.log(_softplus(-z.clamp_max(_LARGE)))
            exponent = torch.where(z > _LARGE, exponent, near)
        return exponent.exp().sum() * (2.0 / self.s)

    def conjugate(self, dual: Tensor, offsets: Tensor) -> Tensor:
        multipliers, ratio = dual.exp(), torch.ones_like(dual)
        if self.is_logistic:
            share = self._log_share(dual).exp()
            ratio = torch.where(share > 1e-300, -torch.log1p(-share) / share.clamp_min(1e-300), ratio)
        return 2.0 * multipliers * (ratio / self.s + offsets + self.level(dual))


class SquaredLoss(ScaledLoss):
    """Mean squared error (Theorem 13): f_i - y_i = -n e^{-s} mu_i."""

    def __init__(self, log_inverse_lambda: float, count: int) -> None:
        self.softness = count * math.exp(-log_inverse_lambda)
        self.inverse = math.exp(min(log_inverse_lambda, 700.0)) / count if log_inverse_lambda < 700.0 else math.inf

    def multipliers(self, dual: Tensor) -> Tensor:
        return dual

    def level(self, dual: Tensor) -> Tensor:
        return -self.softness * dual

    def stiffness(self, dual: Tensor) -> Tensor:
        return torch.full_like(dual, self.inverse)

    def from_slack(self, slack: Tensor) -> Tensor:
        return torch.where(slack == 0, 0.0, -slack * self.inverse)

    def advance(self, dual: Tensor, change: Tensor, pull: Tensor, length: float) -> Tensor:
        return dual + length * change

    def penalty(self, slack: Tensor) -> Tensor:
        return torch.where(slack == 0, 0.0, slack.square() * self.inverse).sum()

    def conjugate(self, dual: Tensor, offsets: Tensor) -> Tensor:
        return 2.0 * dual * offsets - self.softness * dual.square()


class HardConstraints(ScaledLoss):
    """The limit s -> infinity on a fixed active set: slack 0 there, multiplier 0 elsewhere.

    Args:
        active: (n,) bool.
    """

    def __init__(self, active: Tensor) -> None:
        self.active = active

    def multipliers(self, dual: Tensor) -> Tensor:
        return dual * self.active

    def level(self, dual: Tensor) -> Tensor:
        return torch.zeros_like(dual)

    def stiffness(self, dual: Tensor) -> Tensor:
        return torch.where(self.active, math.inf, 0.0).to(dual.dtype)

    def from_slack(self, slack: Tensor) -> Tensor:
        return torch.zeros_like(slack)

    def advance(self, dual: Tensor, change: Tensor, pull: Tensor, length: float) -> Tensor:
        return (dual + length * change) * self.active

    def penalty(self, slack: Tensor) -> Tensor:
        return slack.new_zeros(())

    def conjugate(self, dual: Tensor, offsets: Tensor) -> Tensor:
        return 2.0 * dual * offsets


def _softplus(z: Tensor) -> Tensor:
    """log(1 + e^z), with full relative precision."""
    return z.clamp_min(0.0) + torch.log1p(torch.exp(-z.abs()))


def scaled_loss(name: str, log_inverse_lambda: float, degree: float, count: int) -> ScaledLoss:
    """The loss called ``name`` at s for n samples of a model of degree r."""
    if name == "squared":
        return SquaredLoss(log_inverse_lambda, count)
    return ClassificationLoss(name, log_inverse_lambda, degree, count)

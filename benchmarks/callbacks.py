"""Fast callbacks for the peers: constraints and dense Jacobian of networks with one hidden layer, in closed form."""

from __future__ import annotations

import numpy as np

from margin_projection.networks import FullyConnected
from margin_projection.tasks import Task

_POWERS = {"relu": 1, "squared_relu": 2}


class Callbacks:
    """c(theta) = y f(X; theta) - 1 and its Jacobian (n, p); at one point both share a forward pass.

    f = V phi(W x) with phi(z) = [z]_+^k. A peer that asked the model for its Jacobian would wait longer: here it is two
    products of broadcast arrays.

    Args:
        model: widths (d, h, 1), relu or squared_relu.
        task: classification.
        start: (p,), for the objective 1/2 ||theta - start||^2.
    """

    def __init__(self, model: FullyConnected, task: Task, start: np.ndarray) -> None:
        self.inputs, self.hidden, _ = model.widths
        self.power = _POWERS[model.activation.name]
        self.X, self.y, self.start = np.asarray(task.X), np.asarray(task.y), start
        self.count, self.size = self.y.size, start.size
        self.jacobians = 0
        self._at: np.ndarray | None = None

    def objective(self, theta: np.ndarray) -> float:
        return 0.5 * float((theta - self.start) @ (theta - self.start))

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        return theta - self.start

    def constraints(self, theta: np.ndarray) -> np.ndarray:
        self._forward(theta)
        return self.y * (self._features @ self._last) - 1.0

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        self._forward(theta)
        self.jacobians += 1
        result = np.empty((self.count, self.size))
        slopes = np.where(self._z > 0, self.power * np.maximum(self._z, 0.0) ** (self.power - 1), 0.0)
        backward = self.y[:, None] * slopes * self._last
        shape = (self.count, self.hidden, self.inputs)
        np.multiply(backward[:, :, None], self.X[:, None, :], out=result[:, : -self.hidden].reshape(shape))
        result[:, -self.hidden :] = self.y[:, None] * self._features
        return result

    def _forward(self, theta: np.ndarray) -> None:
        if self._at is not None and np.array_equal(self._at, theta):
            return
        self._at = theta.copy()
        self._last = self._at[-self.hidden :]
        self._z = self.X @ self._at[: -self.hidden].reshape(self.hidden, self.inputs).T
        self._features = np.maximum(self._z, 0.0) ** self.power

    def violation(self, theta: np.ndarray) -> float:
        """The largest [1 - y f]_+."""
        return float(np.maximum(-self.constraints(theta), 0.0).max())

    def distance(self, theta: np.ndarray) -> float:
        """||theta - start||."""
        return float(np.linalg.norm(theta - self.start))

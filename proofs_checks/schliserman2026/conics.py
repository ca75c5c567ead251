"""A quadratic model in the plane with two tasks that mirror one another; exact projections by the secular equation.

f(x_m; w) = lam (<u_m, w>^2 + mu <v_m, w>^2), r = 2, with u_1 = (cos, sin), u_2 = (cos, -sin), v_m = u_m turned by a
right angle and |mu| <= 1: hyperbolas for mu < 0, pairs of lines for mu = 0, ellipses for mu > 0, whose outside is not
convex. theta* = (size, 0) is a corner of C*: f(x_m; theta*) = 1, so lam = 1 / (size^2 (cos^2 + mu sin^2)). f is
beta-smooth on the plane, beta = 2 lam, and G = beta size (1 + rho) on the ball of radius rho size about theta*, so that
kappa = G ||theta*|| / r = lam size^2 (1 + rho). The narrower the corner, the slower the projections.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from flint import arb
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale, subtract
from proofs_checks.condition import Hypothesis, Predicate
from proofs_checks.errors import Discard, Inexact
from proofs_checks.instance import Instance
from proofs_checks.schliserman2026.secular import onto_form
from proofs_checks.strategies import instances, rationals

_ROUNDING = 1e-12  # in float64, of f = 1
WIDE = Hypothesis(
    "constants on a ball that holds B_{2 delta}", lambda q, c: q.rho * q.norm, ">=", lambda q, c: 2 * q.delta
)
INSIDE = Hypothesis("start in B_delta(theta*)", lambda q, c: abs(q.inside), "<=", lambda q, c: 1)
POSSIBLE = Predicate("theta* in C*", lambda q, c: bool(q.level > 0 and q.norm > 0 and -1 <= q.mu <= 1 and q.rho > 0))


def conic_tasks(dropped: frozenset[str], **more: SearchStrategy[Any]) -> SearchStrategy[Instance]:
    """u_1 and the direction of the start by their rational parameters, mu, size, rho, and the share of delta."""
    share = rationals(1, 6) if INSIDE.name in dropped else rationals("1/60", 1)
    wide = rationals("1/60", "1/10", 6) if WIDE.name in dropped else rationals("1/2", 2, 12)
    return instances(
        turn=rationals(0, 1, 40), mu=rationals(-1, 1, 40), size=rationals("1/2", 2, 6), rho=wide,
        offset=st.one_of(st.just("0"), rationals(-3, 3)), inside=share, **more,
    ).map(lambda each: _feasible(each, POSSIBLE.name in dropped))  # fmt: skip


def on_circle(parameter: Any) -> tuple[Any, Any]:
    """The point ((1 - t^2) / (1 + t^2), 2 t / (1 + t^2)) of the unit circle."""
    square = parameter * parameter
    return (1 - square) / (1 + square), 2 * parameter / (1 + square)


def _feasible(instance: Instance, dropped: bool) -> Instance:
    """mu is made positive where f(theta*) would not be; or theta* is where f is negative, where that is dropped."""
    cos, sin = on_circle(instance.turn)
    if dropped:
        return instance.with_values(turn="3/4", mu="-1")
    return instance if cos * cos + instance.mu * sin * sin > 0 else instance.with_values(mu=abs(instance.mu) or "1/2")


def geometry(x: SimpleNamespace, A: Arithmetic) -> dict[str, Any]:
    """theta*, the tasks (`Conic`), beta, G, kappa, and eps, delta for M = 2, and the start.

    ``offset`` 0 puts the start behind the corner, between theta* and 0.

    Raises:
        Discard: f(theta*) is 0.
    """
    cos, sin = on_circle(x.turn)
    level = cos * cos + x.mu * sin * sin
    if level == 0 or x.size == 0:
        raise Discard("f(theta*) = 0")
    lam = 1 / (x.size * x.size * level)
    beta, kappa = 2 * lam, (1 + x.rho) / level
    gain = 1 / (2 * kappa * kappa) if kappa != 0 else 1
    eps = gain / (1 + gain)
    delta = 2 * eps / (beta * x.size)
    theta, (behind, beside) = (x.size, 0 * x.size), on_circle(x.offset)
    return {
        "theta": theta, "norm": x.size, "tasks": Conic(lam, x.mu, (cos, sin), x.size), "beta": beta, "kappa": kappa,
        "G": beta * x.size * (1 + x.rho), "eps": eps, "delta": delta, "rho": x.rho, "inside": x.inside,
        "level": level, "mu": x.mu, "start": add(theta, scale(x.inside * delta, (-behind, beside))),
    }  # fmt: skip


class Conic:
    """The two tasks of an instance: values, gradients, projections, distances."""

    def __init__(self, lam: Any, mu: Any, u: Vector, size: Any) -> None:
        self.lam, self.mu, self.size = lam, mu, size
        self.frames = tuple((axis, (-axis[1], axis[0])) for axis in ((u[0], u[1]), (u[0], -u[1])))

    def _coordinates(self, point: Vector, task: int) -> tuple[Any, Any]:
        first, second = self.frames[task]
        return dot(first, point), dot(second, point)

    def values(self, point: Vector) -> tuple[Any, ...]:
        """f(x_1; .) and f(x_2; .)."""
        pairs = [self._coordinates(point, task) for task in (0, 1)]
        return tuple(self.lam * (p * p + self.mu * q * q) for p, q in pairs)

    def gradient(self, point: Vector, task: int) -> Vector:
        """grad f(x_m; .)."""
        (first, second), (p, q) = self.frames[task], self._coordinates(point, task)
        return scale(2 * self.lam, add(scale(p, first), scale(self.mu * q, second)))

    def onto(self, point: Vector, task: int, A: Arithmetic) -> Vector:
        """The projection onto C_m."""
        first, second = self.frames[task]
        p, q = onto_form(self._coordinates(point, task), (self.lam, self.lam * self.mu), A)
        return add(scale(p, first), scale(q, second))

    def to_task2(self, point: Vector, task: int, A: Arithmetic) -> Any:
        """d^2(point, C_m)."""
        move = subtract(self.onto(point, task, A), point)
        return dot(move, move)

    def to_joint2(self, point: Vector, A: Arithmetic, within: int | None = None) -> Any:
        """d^2(point, C*): 0, or the least over the projections onto one set that are in the other, and the corners.

        Args:
            point: any.
            A: the arithmetic.
            within: a task whose set holds the point for certain (the last one that it was projected onto).

        Raises:
            Inexact: it cannot be told which of these are in C*.
        """
        held = [task == within or _holds(value) for task, value in enumerate(self.values(point))]
        if all(held):
            return A.number(0)
        onto = [point if held[task] else self.onto(point, task, A) for task in (0, 1)]
        candidates = [each for task, each in enumerate(onto) if _holds(self.values(each)[1 - task])]
        candidates += [(self.size, 0 * self.size), (-self.size, 0 * self.size)]
        cos, sin = self.frames[0][0]
        level = self.lam * (sin * sin + self.mu * cos * cos)
        if level > 0:
            height = A.sqrt(1 / level)
            candidates += [(0 * self.size, height), (0 * self.size, -height)]
        moves = [subtract(each, point) for each in candidates]
        return A.minimum([dot(move, move) for move in moves])

    def trajectory(self, start: Vector, order: Sequence[int], A: Arithmetic) -> list[Vector]:
        """The iterates of Algorithm 2, the start first."""
        points: list[Vector] = [tuple(start)]
        previous = None
        for task in order:
            points.append(points[-1] if task == previous else self.onto(points[-1], task, A))
            previous = task
        return points

    def forgetting(self, point: Vector, A: Arithmetic) -> Any:
        """max_m F_m = max_m [1 - f(x_m; .)]_+."""
        errors = [1 - value for value in self.values(point)]
        return A.maximum([A.number(0), *(error if A.exact or error > _ROUNDING else A.number(0) for error in errors)])


def _holds(value: Any) -> bool:
    """value >= 1, for certain."""
    if value >= 1 or (isinstance(value, float) and value > 1 - _ROUNDING):
        return True
    if isinstance(value, arb) and not value < 1:
        raise Inexact("a point on the boundary of a set")
    return False

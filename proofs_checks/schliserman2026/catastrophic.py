"""Theorem 5's two tasks in the coordinates (x, y, z) = (u[1], u[2], v[2]), v[1] = 0, and their exact trajectories.

C_1 = {a1 x^2 + b y^2 - b z^2 >= 1}, C_2 = {a2 x^2 - c y^2 + c z^2 >= 1} with a1 = 1/9 + eps, b = 1 - eps, a2 = 1/9 -
eps, c = 1 + eps. From a point with x = 0 a projection onto C_1 moves (y, z) onto y^2 - z^2 = 1/b, one onto C_2 onto
z^2 - y^2 = 1/c: the nearest point of a hyperbola, whose equation `onto_hyperbola` solves with a rigorous enclosure.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from flint import arb

import margin_projection as mp
from proofs_checks.arithmetic import Arithmetic, Scalar
from proofs_checks.errors import Discard, Inexact

_HALVINGS = 400


def coefficients(eps: Any, A: Arithmetic) -> SimpleNamespace:
    """a1, b, a2, c."""
    ninth = A.number("1/9")
    return SimpleNamespace(a1=ninth + eps, b=1 - eps, a2=ninth - eps, c=1 + eps)


def onto_hyperbola(far: Scalar, near: Scalar, level: Scalar, A: Arithmetic) -> tuple[Scalar, Scalar]:
    """The point of {p^2 - q^2 >= level} nearest to (far, near), far >= 0, level > 0.

    It is (far, near) itself where that is inside; else p = far / (1 - m), q = near / (1 + m) for the one multiplier m
    in (0, 1) with p^2 - q^2 = level, and p = sqrt(level + near^2 / 4), q = near / 2 in the limit far = 0, m = 1.

    Raises:
        Inexact: it cannot be told which case applies.
    """
    inside = far * far - near * near - level
    if inside >= 0:
        return far, near
    if not inside < 0:
        raise Inexact("a point on the boundary of the set") if A.exact else Discard("not a number")
    if not isinstance(far, arb) and far == 0:
        return A.sqrt(level + near * near / 4), near / 2
    if not far > 0:
        raise Inexact("a point on the axis") if A.exact else Discard("a point beyond the axis")
    multiplier = _root(far, near, level, A)
    return far / (1 - multiplier), near / (1 + multiplier)


def _root(far: Scalar, near: Scalar, level: Scalar, A: Arithmetic) -> Scalar:
    """m in (0, 1) with (far / (1 - m))^2 - (near / (1 + m))^2 = level, by bisection: the left side increases in m."""
    low, high = A.number(0), A.number(1)
    for _ in range(_HALVINGS if A.exact else 100):
        middle = (low + high) / 2
        value = (far / (1 - middle)) ** 2 - (near / (1 + middle)) ** 2 - level
        if value > 0:
            high = middle
        elif value < 0:
            low = middle
        else:
            break
    return arb(low).union(arb(high)) if A.exact else (low + high) / 2


def trapped_trajectory(eps: Any, order: Sequence[int], A: Arithmetic) -> list[tuple[Scalar, Scalar]]:
    """(y, z) of the iterates of Algorithm 2 from 0, the choices y > 0 and z > 0 where a projection is not unique.

    Exact by the closed form above; in float64 by the library's certified projections, whose x must be 0.
    """
    if not A.exact:
        tasks = mp.tasks.catastrophic_pair(float(eps))
        model = mp.networks.SquaredLinear(2)
        run = mp.sequential_projections(model, tasks, list(order), num_steps=len(order), measure="none")
        points = np.abs(run.points[0])
        assert points[:, [0, 2]].max() < 1e-9, "the iterates left the plane u[1] = v[1] = 0"
        return [(float(point[1]), float(point[3])) for point in points]
    known = coefficients(eps, A)
    y, z = A.number(0), A.number(0)
    points = [(y, z)]
    for previous, task in zip([None, *order], order, strict=False):
        if task == previous:
            pass  # the point is in that set already
        elif task == 0:
            y, z = onto_hyperbola(y, z, 1 / known.b, A)
        else:
            z, y = onto_hyperbola(z, y, 1 / known.c, A)
        points.append((y, z))
    return points


def margins(x: Scalar, y: Scalar, z: Scalar, known: SimpleNamespace) -> tuple[Scalar, Scalar]:
    """f(x_1; .), f(x_2; .)."""
    square = x * x
    return known.a1 * square + known.b * (y * y - z * z), known.a2 * square + known.c * (z * z - y * y)


def joint_bound2(eps: Any, A: Arithmetic) -> Scalar:
    """1 / (1/9 + eps^2): u[1]^2 is at least this at every point of C*."""
    return 1 / (A.number("1/9") + eps * eps)




def trajectory_from(
    start: Sequence[Scalar], samples: Sequence[Sequence[Scalar]], order: Sequence[int], A: Arithmetic
) -> list[tuple[Scalar, ...]]:
    """Iterates (u[1], u[2], v[1], v[2]) from a start with u[2], v[2] > 0, for x_1 = (p, q), x_2 = (s, -t), labels +1.

    Exact by the secular equation, in float64 by the library's certified projections.
    """
    if not A.exact:
        tasks = [mp.Task(np.array([sample], dtype=float), np.array([1.0])) for sample in samples]
        model, begin = mp.networks.SquaredLinear(2), np.array(start, dtype=float)
        run = mp.sequential_projections(model, tasks, list(order), begin, num_steps=len(order), measure="none")
        return [tuple(map(float, point)) for point in run.points[0]]
    points = [tuple(start)]
    for task in order:
        form = (*samples[task], *(-entry for entry in samples[task]))
        points.append(_onto_form(points[-1], form, A))
    return points


def _onto_form(point: Sequence[Scalar], form: Sequence[Scalar], A: Arithmetic) -> tuple[Scalar, ...]:
    """The nearest point of {sum_i form_i theta_i^2 >= 1}: theta_i / (1 - m form_i) with m in [0, 1 / max form)."""

    def moved(multiplier: Scalar) -> tuple[Scalar, ...]:
        return tuple(entry / (1 - multiplier * weight) for entry, weight in zip(point, form, strict=True))

    def excess(multiplier: Scalar) -> Scalar:
        pairs = zip(moved(multiplier), form, strict=True)
        return sum((weight * entry * entry for entry, weight in pairs), A.number(-1))

    if excess(A.number(0)) >= 0:
        return tuple(point)
    low, high = A.number(0), 1 / A.maximum(form)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        value = excess(middle)
        if value > 0:
            high = middle
        elif value < 0:
            low = middle
        else:
            break
    return moved(arb(low).union(arb(high)))


def joint_distance(point: Sequence[Scalar], samples: Sequence[Sequence[Scalar]], A: Arithmetic) -> Scalar:
    """d(point, C*): in float64 that of the library, in exact arithmetic a ball that holds it.

    At least [sqrt(U*) - |u[1]|]_+ and at most the distance to the point of C* with u[1]^2 = U* + v[1]^2 and the one
    value of u[2]^2 - v[2]^2 that both tasks then allow.
    """
    if not A.exact:
        tasks = [mp.Task(np.array([sample], dtype=float), np.array([1.0])) for sample in samples]
        model = mp.networks.SquaredLinear(2)
        joint = mp.intersection([mp.MarginSet(model, task) for task in tasks])
        return float(mp.project(np.array(point, dtype=float), joint).distance)
    (p, q), (s, negative) = samples
    t = -negative
    least = (q + t) / (t * p + q * s)
    u, y, v, z = point
    square = A.maximum([least, u * u - v * v])
    first, difference = A.sqrt(square + v * v), y * y - z * z
    low, high = (1 - p * square) / q, (s * square - 1) / t
    wanted = A.minimum([A.maximum([difference, low]), high])
    second = A.sqrt(A.maximum([A.number(0), wanted + z * z]))
    third = A.sqrt(A.maximum([A.number(0), second * second - wanted]))
    moves = (first - abs(u), second - abs(y), third - abs(z))
    nearest = A.maximum([A.number(0), A.sqrt(least) - abs(u)])
    return arb(nearest).union(arb(A.norm(moves)))

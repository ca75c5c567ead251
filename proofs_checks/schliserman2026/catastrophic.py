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
from proofs_checks.schliserman2026.secular import onto_form, root_of

Samples = tuple[tuple[Scalar, Scalar], tuple[Scalar, Scalar]]


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

    def excess(multiplier: Scalar) -> Scalar:
        return (far / (1 - multiplier)) ** 2 - (near / (1 + multiplier)) ** 2 - level

    multiplier = root_of(excess, A.number(0), A.number(1), A)
    return far / (1 - multiplier), near / (1 + multiplier)


def pair_of_samples(eps: Any, A: Arithmetic) -> Samples:
    """Theorem 5's x_1 and x_2."""
    known = coefficients(eps, A)
    return (known.a1, known.b), (known.a2, -known.c)


def trapped_trajectory(
    samples: Samples, order: Sequence[int], A: Arithmetic, kind: str = "classification"
) -> list[tuple[Scalar, Scalar]]:
    """(y, z) of the iterates of Algorithm 2 from 0, the choices y > 0 and z > 0 where a projection is not unique.

    For x_1 = (p, q), x_2 = (s, -t) with 0 < p < q, 0 < s < t, labels 1. Exact by the closed form above; in float64 by
    the library's certified projections onto the sets of that kind of task, whose u[1] and v[1] must be 0.
    """
    if not A.exact:
        tasks = [mp.Task(np.array([sample]), np.array([1.0]), kind=kind) for sample in samples]
        model = mp.networks.SquaredLinear(2)
        run = mp.sequential_projections(model, tasks, list(order), num_steps=len(order), measure="none")
        points = np.abs(run.points[0])
        assert points[:, [0, 2]].max() < 1e-9, "the iterates left the plane u[1] = v[1] = 0"
        return [(float(point[1]), float(point[3])) for point in points]
    (_, q), (_, negative) = samples
    y, z = A.number(0), A.number(0)
    points = [(y, z)]
    for previous, task in zip([None, *order], order, strict=False):
        if task == previous:
            pass  # the point is in that set already
        elif task == 0:
            y, z = onto_hyperbola(y, z, 1 / q, A)
        else:
            z, y = onto_hyperbola(z, y, -1 / negative, A)
        points.append((y, z))
    return points


def margins(point: Sequence[Scalar], samples: Samples) -> tuple[Scalar, ...]:
    """f(x_1; .), f(x_2; .) at (u[1], u[2], v[1], v[2])."""
    u, y, v, z = point
    return tuple(first * (u * u - v * v) + second * (y * y - z * z) for first, second in samples)


def joint_bound2(eps: Any, A: Arithmetic) -> Scalar:
    """1 / (1/9 + eps^2): u[1]^2 is at least this at every point of C*."""
    return 1 / (A.number("1/9") + eps * eps)




def trajectory_from(
    start: Sequence[Scalar], samples: Samples, order: Sequence[int], A: Arithmetic
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
        points.append(onto_form(points[-1], form, A))
    return points


def joint_distance(point: Sequence[Scalar], samples: Samples, A: Arithmetic) -> Scalar:
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

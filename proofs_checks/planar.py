"""Polyhedra {w : <a_i, w> >= b_i for all i} in the plane: nearest points by enumeration, exact for rational data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale, subtract
from proofs_checks.errors import Discard

Rows = Sequence[tuple[Vector, Any]]  # (a, b), a != 0
_ROUNDING = 1e-10  # in float64, relative to |<a, w>| + |b|


def nearest_point(point: Vector, rows: Rows, A: Arithmetic) -> Vector:
    """The point of the polyhedron nearest to ``point``.

    It is ``point`` itself, its projection onto one line, or a vertex: the nearest of those that are feasible.

    Args:
        point: rational in exact arithmetic.
        rows: (a, b), one for each half-plane.
        A: the arithmetic.

    Raises:
        Discard: no candidate is feasible (the polyhedron is empty, or rounding has made it so).
    """
    if _feasible(point, rows, A):
        return tuple(point)
    candidates = [_onto_line(point, row) for row in rows]
    candidates += [vertex for pair in itertools.combinations(rows, 2) if (vertex := _vertex(*pair)) is not None]
    feasible = [each for each in candidates if _feasible(each, rows, A)]
    if not feasible:
        raise Discard("no feasible candidate")
    return min(feasible, key=lambda each: square_length(subtract(each, point)))


def square_distance(point: Vector, rows: Rows, A: Arithmetic) -> Any:
    """The squared distance from a point to the polyhedron."""
    return square_length(subtract(nearest_point(point, rows, A), point))


def square_length(vector: Vector) -> Any:
    """<v, v>."""
    return dot(vector, vector)


def _feasible(point: Vector, rows: Rows, A: Arithmetic) -> bool:
    for normal, level in rows:
        value = dot(normal, point)
        margin = 0 if A.exact else _ROUNDING * (abs(value) + abs(level))
        if value < level - margin:
            return False
    return True


def _onto_line(point: Vector, row: tuple[Vector, Any]) -> Vector:
    normal, level = row
    return add(point, scale((level - dot(normal, point)) / square_length(normal), normal))


def _vertex(first: tuple[Vector, Any], second: tuple[Vector, Any]) -> Vector | None:
    (a, b), (c, d) = first, second
    determinant = a[0] * c[1] - a[1] * c[0]
    if determinant == 0:
        return None
    return (b * c[1] - d * a[1]) / determinant, (d * a[0] - b * c[0]) / determinant

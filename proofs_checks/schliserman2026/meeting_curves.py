"""Sets through one point whose regularity is known exactly: lines through 0, and a circle with a line.

Lines {<n_m, w> = 0}, M = 2 to 4 of them: C* = {0}, projections are linear, every set is (0, delta)-regular for every
delta, and the least kappa is attained where two of the |<n_m, w>| are equal. A circle of radius 1 through 0 with
centre (0, 1), and a line through 0: C* near 0 is {0}; the circle is (delta, delta)-regular at 0, since <u, y - x> =
||u|| ||y - x||^2 / 2 at most, and on the ball of radius delta/2 one may take 1/kappa = sin(phi/2) - delta / (2 (2 -
delta)).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.arithmetic import Arithmetic, Vector, add, dot, scale, subtract
from proofs_checks.errors import Discard
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.schliserman2026.conics import on_circle
from proofs_checks.strategies import instances, rationals

ARC, LINES = "a circle and a line", "lines"


def meeting_curves(share: SearchStrategy[Any], inside: SearchStrategy[Any]) -> SearchStrategy[Instance]:
    """Directions of the lines by their rational parameters, delta, eps, and a start in B_{delta/2}(0).

    For the circle eps is delta, and only the first direction, the line's, counts. For lines eps is a share of
    1 / (2 M^2 kappa^2), below which rho < 1.
    """
    turns = st.integers(2, 4).flatmap(lambda count: st.tuples(*[rationals(-2, 2, 48)] * count))
    lines = instances(kind=LINES, turns=turns, delta="1", eps=share, offset=rationals(-3, 3), inside=inside)
    arc = instances(
        kind=ARC, turns=st.tuples(rationals("1/3", 3, 48)), delta=rationals("1/100", "1/40"), eps="0",
        offset=rationals(-3, 3), inside=inside,
    )  # fmt: skip
    return st.one_of(lines, arc).map(_apart)


def _apart(instance: Instance) -> Instance:
    """Lines that coincide are turned away from one another, and eps is scaled."""
    if instance.kind == ARC:
        return instance
    turns: list[Fraction] = []
    for turn in instance.turns:
        while any(turn == other or turn * other == -1 for other in turns):  # the same line
            turn += Fraction(7, 48)
        turns.append(turn)
    kappa2 = _lines_kappa2([(-sin, cos) for cos, sin in map(on_circle, turns)])
    return instance.with_values(turns=turns, eps=instance.eps / (2 * len(turns) ** 2 * kappa2))


class Curves:
    """The sets of an instance."""

    def __init__(self, x: SimpleNamespace, A: Arithmetic) -> None:
        self.arc, self.delta = x.kind == ARC, x.delta
        directions = [on_circle(turn) for turn in x.turns]
        self.normals = [(-direction[1], direction[0]) for direction in directions]
        self.eps = x.delta if self.arc else x.eps
        self.count = 2 if self.arc else len(self.normals)
        # kappa^2 on B_{delta/2}(0): the least one for lines, a valid one for the circle
        self.kappa2 = self._arc_kappa2(directions[0], A) if self.arc else _lines_kappa2(self.normals)

    def _arc_kappa2(self, direction: Vector, A: Arithmetic) -> Any:
        cosine = abs(direction[0])  # of the angle phi between the line and the circle's tangent
        inverse = A.sqrt((1 - cosine) / 2) - self.delta / (2 * (2 - self.delta))
        if not inverse > 0:
            raise Discard("the circle bends too much for this delta")
        return 1 / (inverse * inverse)

    def onto(self, point: Vector, task: int, A: Arithmetic) -> Vector:
        """The projection onto C_m; the circle is the first set."""
        if self.arc and task == 0:
            centre = (A.number(0), A.number(1))
            radius = subtract(point, centre)
            return add(centre, scale(1 / A.norm(radius), radius))
        normal = self.normals[task - 1 if self.arc else task]
        return subtract(point, scale(dot(normal, point), normal))

    def onto_all(self, point: Vector, order: Sequence[int], A: Arithmetic) -> Vector:
        """The point after projections in that order."""
        for task in order:
            point = self.onto(point, task, A)
        return point

    def to_joint2(self, point: Vector) -> Any:
        """d^2(point, C*) = ||point||^2, for lines and for points nearer to 0 than to the circle's other end."""
        if self.arc:
            normal = self.normals[0]
            other = scale(2, subtract((0, 1), scale(normal[1], normal)))  # the line meets the circle again there
            if not square_length(subtract(point, other)) > square_length(point):
                raise Discard("the other point of the circle and the line is nearer")
        return square_length(point)


def _lines_kappa2(normals: Sequence[Vector]) -> Any:
    """1 / min over w != 0 of max_m <n_m, w>^2 / ||w||^2: at the least one, two of the products are equal in size."""
    least = None
    for first, second in itertools.combinations(normals, 2):
        for sign in (1, -1):
            across = add(first, scale(sign, second))
            w = (-across[1], across[0])
            if square_length(w) == 0:
                continue
            value = max(dot(normal, w) ** 2 for normal in normals) / square_length(w)
            least = value if least is None or value < least else least
    if least is None or least == 0:
        raise Discard("the lines coincide")
    return 1 / least


def start_of(x: SimpleNamespace) -> Vector:
    """A point of B_{delta/2}(0) at the share ``inside`` of its radius."""
    return scale(x.inside * x.delta / 2, on_circle(x.offset))

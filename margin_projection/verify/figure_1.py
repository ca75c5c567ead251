"""Figure 1: the projections drawn there are certified, and not unique where symmetry says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from margin_projection.verify.findings import Check, Claim, Part, Verdict

CLOSED_FORM = 1e-9
_RESOLUTION = 4001  # points on each edge of a boundary


def figure_1(quick: bool, progress: Callable[[float], None]) -> Part:
    """The part; it takes a second, ``quick`` or not."""
    from figures import figure_1 as figure

    data = figure.compute(progress)
    part = Part("Figure 1: three feasible sets and their projections", figure=(figure, data))
    for panel, title in figure.TITLES.items():
        found = data[panel]
        part.checks += _checks(panel, found, figure)
        part.results[panel] = {"title": title, **found}
    part.claims = [
        _uniqueness("Figure 1a", "linear: every projection is unique", data["a"], unique=True),
        _uniqueness("Figure 1b", "sum of ReLUs: nonunique projections", data["b"], unique=False),
        _uniqueness("Figure 1c", "squared linear: nonunique projections", data["c"], unique=False),
    ]
    part.tables.append(_table(data, figure.TITLES))
    return part


def _uniqueness(source: str, statement: str, found: dict[str, Any], unique: bool) -> Claim:
    """Judged on the starts drawn, by minimizers that are proved to be all of them."""
    several = int(((found["counts"] > 1) & found["complete"]).sum())
    single = int(((found["counts"] == 1) & found["complete"]).sum())
    measured = f"{single} starts with one nearest point, {several} with several"
    if unique and several:
        return Claim(source, statement, Verdict.FAILS, measured)
    holds = single == len(found["counts"]) if unique else several > 0
    return Claim(source, statement, Verdict.HOLDS if holds else Verdict.UNDECIDED, measured)


def _checks(panel: str, found: dict[str, Any], figure: Any) -> list[Check]:
    certified = [
        status == "GLOBAL" and complete and verified
        for status, complete, verified in zip(found["statuses"], found["complete"], found["verified"], strict=True)
    ]
    deviation, excess = closed_form_deviation(panel, found), boundary_excess(found, figure.boundaries(panel))
    return [
        Check.all_of(f"panel {panel}: certified global, with all minimizers", sum(certified), len(certified)),
        Check.at_most(f"panel {panel}: minimizers against closed forms", deviation, CLOSED_FORM),
        Check.at_most(f"panel {panel}: distance beyond the nearest boundary point sampled", excess, CLOSED_FORM),
    ]


def closed_form_deviation(panel: str, found: dict[str, Any]) -> float:
    """The largest distance between the minimizers found and the closed forms, infinite where their numbers differ."""
    worst = 0.0
    for index, start in enumerate(found["starts"]):
        points, expected = found["minimizers"][found["owners"] == index], _nearest(panel, start)
        if len(points) != len(expected):
            return math.inf
        distances = np.linalg.norm(points[:, None] - expected[None], axis=-1)
        worst = max(worst, float(distances.min(1).max()), float(distances.min(0).max()))
    return worst


def _nearest(panel: str, start: np.ndarray) -> np.ndarray:
    """The nearest points (k, 2) of an infeasible start: the best candidates on each smooth part of the boundary."""
    candidates = {"a": _wedge, "b": _corner_cut, "c": _hyperbola}[panel](*map(float, start))
    distances = np.linalg.norm(candidates - start, axis=1)
    best = candidates[distances <= distances.min() * (1 + 1e-12)]
    return np.unique(best.round(12), axis=0)


def _wedge(x: float, y: float) -> np.ndarray:
    """Onto {5 w1 - w2 >= 1} alone, {2 w1 + 2 w2 >= 1} alone, and their corner; infeasible ones dropped."""
    point, rows = np.array([x, y]), np.array([[5.0, -1.0], [2.0, 2.0]])
    candidates = [point + (1.0 - row @ point) / (row @ row) * row for row in rows]
    feasible = [each for each in candidates if (rows @ each >= 1.0 - 1e-12).all()]
    return np.array([*feasible, [0.25, 0.25]])


def _corner_cut(x: float, y: float) -> np.ndarray:
    """Onto the two half-lines and the segment that bound {[w1]_+ + [w2]_+ >= 1/2}."""
    along = min(max(0.25 + 0.5 * (x - y), 0.0), 0.5)
    return np.array([[0.5, min(y, 0.0)], [min(x, 0.0), 0.5], [along, 0.5 - along]])


def _hyperbola(x: float, y: float) -> np.ndarray:
    """Onto w1^2 - w2^2 = 1/2: w1 = x / (1 - l), w2 = y / (1 + l), l the root in (0, 1); for x = 0, l = 1."""
    if x == 0.0:
        side = math.sqrt(0.5 + 0.25 * y * y)
        return np.array([[side, 0.5 * y], [-side, 0.5 * y]])
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        below = middle < 1.0 and (x / (1.0 - middle)) ** 2 - (y / (1.0 + middle)) ** 2 < 0.5
        low, high = (middle, high) if below else (low, middle)
    return np.array([[x / (1.0 - low), y / (1.0 + low)]])


def boundary_excess(found: dict[str, Any], boundaries: list[np.ndarray]) -> float:
    """How far a reported distance exceeds the distance to the nearest of many points on the boundary; at least 0."""
    edges = np.concatenate([_dense(boundary) for boundary in boundaries])
    nearest = [np.linalg.norm(edges - start, axis=1).min() for start in found["starts"]]
    return max(0.0, float((found["distances"] - np.array(nearest)).max()))


def _dense(boundary: np.ndarray) -> np.ndarray:
    """A polyline sampled; a curve that is sampled already keeps its own points, which alone lie on it."""
    if len(boundary) > 10:
        return boundary
    share = np.linspace(0.0, 1.0, _RESOLUTION)[:, None]
    return np.concatenate([a + share * (b - a) for a, b in pairwise(boundary)])


def _table(data: dict[str, Any], titles: dict[str, str]) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for panel, title in titles.items():
        found = data[panel]
        for index, start in enumerate(found["starts"]):
            points = found["minimizers"][found["owners"] == index]
            shown = ", ".join(_pair(point) for point in points)
            rows.append([f"{panel}, {title}", _pair(start), shown, f"{found['distances'][index]:.6f}"])
    return "Projections, with all minimizers", ["panel", "start", "nearest points", "distance"], rows


def _pair(point: np.ndarray) -> str:
    return "(" + ", ".join(f"{value + 0.0:.4f}" for value in point) + ")"

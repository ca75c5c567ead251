"""The panels of the figure of counterexamples: each draws one instance and returns the two sides that it depicts.

Everything is computed here from the instance with closed forms in float64, and with nothing of `proofs_checks`: the
sides must agree with those of the exact evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.optimize import minimize

from figures.style import BLACK, BLUE, SKY, VERMILLION

Sides = tuple[float, float]
Values = Mapping[str, Any]
_DOT: Any = {"marker": "o", "linestyle": "none", "markersize": 3.5}


def _frame(axes: Axes, width: float, height: float | None = None, center: tuple[float, float] = (0.0, 0.0)) -> None:
    height = width if height is None else height
    axes.set(xlim=(center[0] - width, center[0] + width), ylim=(center[1] - height, center[1] + height))


def _shade(axes: Axes, inside: Callable[[Any, Any], Any]) -> None:
    """The set {inside >= 0} within the frame."""
    x, y = (np.linspace(*limits, 301) for limits in (axes.get_xlim(), axes.get_ylim()))
    values = inside(*np.meshgrid(x, y))
    axes.contourf(x, y, values, levels=[0.0, np.inf], colors=[SKY], alpha=0.3)
    axes.contour(x, y, values, levels=[0.0], colors=[BLUE], linewidths=0.8)


def _arrow(axes: Axes, start: Any, end: Any, color: str = VERMILLION) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": color, "linewidth": 0.9})


def _label(axes: Axes, point: Any, text: str, color: str = BLACK) -> None:
    axes.annotate(text, point, xytext=(3, 3), textcoords="offset points", fontsize=6.5, color=color)


def _point(axes: Axes, point: Any, text: str, color: str = BLACK) -> None:
    axes.plot([point[0]], [point[1]], color=color, **_DOT)
    _label(axes, point, text, color)


def _circle(axes: Axes, radius: float, first: float = 0.0) -> None:
    """About (first, 0)."""
    turns = np.linspace(0.0, 2.0 * np.pi, 200)
    axes.plot(first + radius * np.cos(turns), radius * np.sin(turns), color=VERMILLION, linestyle="--", linewidth=0.9)


def definition_10(axes: Axes, x: Values) -> Sides:
    """C = {<n, w> >= 0}, x = 0 on its boundary, y in C, u = -n a normal."""
    n = x["normal"]
    y, u = x["depth"] * n + x["shift"] * np.array([-n[1], n[0]]), -n
    _frame(axes, 1.6)
    _shade(axes, lambda a, b: n[0] * a + n[1] * b)
    _arrow(axes, (0.0, 0.0), u)
    _label(axes, u, "$u$", VERMILLION)
    _point(axes, (0.0, 0.0), "$x$")
    _point(axes, y, "$y$")
    return float(u @ -y), float(x["eps"] * np.linalg.norm(u) * np.linalg.norm(y))


def figure_1a(axes: Axes, x: Values) -> Sides:
    """A point of the set, and its multiple by a factor below 1, which has left it."""
    w = x["first"]
    scaled = x["factor"] * w
    _frame(axes, 1.4)
    _shade(axes, lambda a, b: np.minimum(5.0 * a - b, 2.0 * a + 2.0 * b) - 1.0)
    _arrow(axes, w, scaled)
    _point(axes, w, "$w$")
    _point(axes, scaled, f"${x['factor']:g}\\,w$")
    return float(min(5.0 * scaled[0] - scaled[1], 2.0 * scaled.sum())), 1.0


def proposition_b2(axes: Axes, x: Values) -> Sides:
    """{c z^2 - c y^2 >= 1} in the plane x = 0, the start, and the listed points."""
    start = np.array([x["b"] ** -0.5, 0.0])
    z = np.sqrt(1.0 / (4.0 * x["b"]) + 1.0 / x["c"])
    _frame(axes, 1.7)
    _shade(axes, lambda a, b: x["c"] * (b * b - a * a) - 1.0)
    costs = {}
    for sign, color in ((1, BLACK), (x["sign"], VERMILLION)):
        for side in (z, -z):
            point = np.array([sign * start[0] / 2.0, side])
            axes.plot(*zip(start, point, strict=True), color=color, linewidth=0.8)
            axes.plot([point[0]], [point[1]], color=color, **_DOT)
        costs[sign] = float(((point - start) ** 2).sum())
    _point(axes, start, "start")
    return costs[x["sign"]], costs[1]


def _two_lines(axes: Axes, x: Values, steps: int) -> tuple[Any, Any, float]:
    """The lines {<x_m, w> = <x_m, theta*>} about theta* = 0, and the iterates, in units of the start's distance."""
    samples = (x["x1"], x["x2"])
    labels = [abs(sample @ x["theta"]) for sample in samples]
    lipschitz = max(np.linalg.norm(sample) for sample in samples)
    gain = 1.0 / (2.0 * lipschitz**2 * (x["theta"] @ x["theta"]))
    sizes = np.abs(x["theta"]).sum() * np.abs(x["offset"]).sum()  # the ball's radius is at most this much smaller
    unit = float(x["inside"] * min(labels) * gain / (1.0 + gain) / sizes * np.linalg.norm(x["offset"]))
    points = [x["offset"] / np.linalg.norm(x["offset"])]
    for k in range(steps):
        sample = samples[k % 2]
        points.append(points[-1] - (sample @ points[-1]) / (sample @ sample) * sample)
    _frame(axes, 1.3)
    for sample in samples:
        along = 3.0 * np.array([-sample[1], sample[0]]) / np.linalg.norm(sample)
        axes.plot([-along[0], along[0]], [-along[1], along[1]], color=BLUE, linewidth=0.9)
    axes.plot(*np.array(points).T, color=BLACK, linewidth=0.7, **{**_DOT, "linestyle": "-"})
    _label(axes, points[-1], f"$\\theta_{steps}$" if steps else "$x$")
    axes.plot([0.0], [0.0], color=BLUE, marker="s", markersize=3.5)
    return points, samples, unit


def lemma_d2(axes: Axes, x: Values) -> Sides:
    """Two nearly parallel lines: the printed bound is the dashed circle about C* = {theta*}."""
    points, samples, unit = _two_lines(axes, x, 0)
    lipschitz = max(np.linalg.norm(sample) for sample in samples)
    kappa = lipschitz * np.linalg.norm(x["theta"]) / min(abs(sample @ x["theta"]) for sample in samples)
    farthest = max(abs(sample @ points[0]) / np.linalg.norm(sample) for sample in samples)
    _circle(axes, kappa * farthest)
    return unit**2 * float(points[0] @ points[0]), float((unit * kappa * farthest) ** 2)


def theorem_15(axes: Axes, x: Values) -> Sides:
    """A cycle of projections onto two lines: the printed rate is the dashed circle about C* = {theta*}."""
    steps = 2 * x["cycles"]
    points, samples, unit = _two_lines(axes, x, steps)
    least = min(abs(sample @ x["theta"]) for sample in samples)
    square = max(sample @ sample for sample in samples) * (x["theta"] @ x["theta"])
    factor = np.exp(-steps * least**2 / (4.0 * 2.0 * square))  # M = 2
    _circle(axes, float(np.sqrt(factor)))
    return unit**2 * float(points[-1] @ points[-1]), float(unit**2 * factor)


def lemma_d3(axes: Axes, x: Values) -> Sides:
    """The set w_2 = w_3^2 / eta near theta*, and the cone in which regularity would keep it; axes in units of y."""
    eta = x["eta"]
    delta = x["eps"] * 2.0 / (2.0 + eta * eta)
    third = x["share"] * min(delta, eta)
    second = third * third / eta
    bound = x["eps"] * np.hypot(second, third)
    t = np.linspace(-1.5, 1.5, 200)
    _frame(axes, 1.5, 1.2, (0.0, 0.9))
    axes.plot(t, t * t, color=BLUE, linewidth=0.9)
    axes.plot(t, np.abs(t) * bound / second, color=VERMILLION, linestyle="--", linewidth=0.9)
    _point(axes, (0.0, 0.0), r"$\theta^*$")
    _point(axes, (1.0, 1.0), "$y$")
    return second, float(bound)


def proposition_c4(axes: Axes, x: Values) -> Sides:
    """|F| must exceed the distance to C = {F >= 0} (dashed) near 0 and does not."""
    a = x["a"]
    at = -x["share"] * x["more"] / ((1.0 + x["more"]) * a)
    t = np.linspace(1.6 * at, -0.3 * at, 200)
    axes.plot(t, np.maximum(0.0, -(t + a * t * t)), color=BLUE, linewidth=0.9)
    axes.plot(t, np.maximum(0.0, -t), color=VERMILLION, linestyle="--", linewidth=0.9)
    violation = -(at + a * at * at)
    _point(axes, (at, violation), "$d(F(x), D)$")
    _point(axes, (at, -at), "$d(x, C)$", VERMILLION)
    axes.set(xlim=(1.6 * at, -0.6 * at), ylim=(-0.05, -1.8 * at))
    return -at, violation


def lemma_14(axes: Axes, x: Values) -> Sides:
    """max_m F_m over t: 1 at t = 0, near 4 afterwards; the printed bound is 3 for every t >= 0."""
    b, c = 1.0 - x["eps"], 1.0 + x["eps"]
    after = {0: (1.0 + c / b) ** 2, 1: (1.0 + b / c) ** 2}
    values = [1.0, *(after[k % 2] for k in range(7))]
    axes.plot(range(8), values, color=BLACK, **_DOT)
    axes.plot([0], values[:1], color=VERMILLION, marker="o", markersize=4.5)
    axes.axhline(3.0, color=VERMILLION, linestyle="--", linewidth=0.9)
    axes.set(ylim=(0.0, 4.6), xticks=range(0, 8, 2))
    return values[0], 3.0


def nonzero_start(axes: Axes, x: Values) -> Sides:
    """d(theta_t, C*) over t, from a start at distance 2 and more: it falls below 2."""
    eps = 1.0 / 200.0
    (p, q), (s, t) = ((x["ratio"] * (1 + eps), 1 - eps), (x["ratio"] * (1 - eps), 1 + eps))
    points = [np.array([x["u"], x["y"], x["v"], x["z"]])]
    for k in range(x["length"]):
        points.append(_onto_form(points[-1], *((p, q, -p, -q) if k % 2 == 0 else (s, -t, -s, t))))
    distances = [_to_joint(point, p, q, s, t) for point in points]
    axes.plot(distances, color=BLACK, linewidth=0.9)
    axes.axhline(2.0, color=VERMILLION, linestyle="--", linewidth=0.9)
    axes.set(ylim=(0.0, 1.15 * max(distances)))
    return distances[-1], 2.0


def _onto_form(point: Any, *weights: float) -> Any:
    """The nearest point of {sum_i w_i x_i^2 >= 1}, for a start that is not 0 where the largest weight is."""
    w = np.array(weights)
    if w @ point**2 >= 1.0:
        return point
    low, high = 0.0, 1.0 / w.max()
    for _ in range(200):
        middle = (low + high) / 2.0
        low, high = (middle, high) if w @ (point / (1.0 - middle * w)) ** 2 < 1.0 else (low, middle)
    return point / (1.0 - low * w)


def _to_joint(point: Any, p: float, q: float, s: float, t: float) -> float:
    """The distance to C*, by the dual of the problem in the squares (convex, exact for diagonal forms)."""
    rows = np.array([[p, q, -p, -q], [s, -t, -s, t]])

    def negative(multipliers: Any) -> float:
        scale = 1.0 - multipliers @ rows
        return 1e9 if scale.min() <= 1e-12 else -float(multipliers.sum() + (point**2).sum() - (point**2 / scale).sum())

    best = min((minimize(negative, start, method="Nelder-Mead", bounds=[(0.0, None)] * 2,
                         options={"xatol": 1e-12, "fatol": 1e-14, "maxiter": 4000}) for start in ((0.1, 0.1), (1, 1))),
               key=lambda found: found.fun)  # fmt: skip
    return float(np.sqrt(max(-best.fun, 0.0)))


def lemma_3(axes: Axes, x: Values) -> Sides:
    """Parabolas a n + (x - d n)^2: they run away and up, so that their limit is infinite everywhere."""
    t = np.linspace(-6.0, 3.0, 200)
    for n in range(1, 5):
        axes.plot(t, x["a"] * n + (t - x["d"] * n) ** 2, color=BLUE, linewidth=0.9, alpha=1.0 - 0.18 * (n - 1))
        axes.plot([x["d"] * n], [x["a"] * n], color=VERMILLION, **_DOT)
    axes.set(xlim=(-6.0, 3.0), ylim=(0.0, 9.0))
    return float(x["d"] == 0.0), 1.0  # whether the minimizers d n have a convergent subsequence


def from_zero(axes: Axes, x: Values) -> Sides:
    """theta* = (1, 0), the ball B_delta(theta*) in which Theorem 6 starts, and 0."""
    kappa = 1.0 + x["rho"]  # mu = 0: f = (w_1 / size)^2
    gain = 1.0 / (2.0 * kappa * kappa)
    delta = gain / (1.0 + gain) * x["size"]  # eps r / (beta size) with r = 2, beta = 2 / size^2
    _frame(axes, 1.6 * x["size"])
    _shade(axes, lambda a, b: np.abs(a) - x["size"])
    _circle(axes, delta, x["size"])
    _point(axes, (x["size"], 0.0), r"$\theta^*$")
    _point(axes, (0.0, 0.0), "0")
    return x["size"], delta


def first_coordinate(axes: Axes, x: Values) -> Sides:
    """C* of Theorem 5 for v[1] = 0, in the coordinates u[1] and u[2]^2 - v[2]^2: both signs of u[1] are there."""
    eps = x["eps"]
    _frame(axes, 4.5, 1.4)
    first, second = 1 / 9 + eps, 1 / 9 - eps
    _shade(axes, lambda a, b: np.minimum(first * a * a + (1 - eps) * b, second * a * a - (1 + eps) * b) - 1)
    axes.axvline(2.0, color=VERMILLION, linestyle="--", linewidth=0.9)
    least = float(np.sqrt(x["factor"] / (1.0 / 9.0 + eps * eps)))
    at = (1 - 2 * x["sign"]) * least
    axes.plot([at], [(1 - first * at * at) / (1 - eps)], color=BLACK, **_DOT)
    return at, 2.0


PANELS: dict[str, tuple[str, str, Callable[[Axes, Values], Sides]]] = {  # key -> title, what is seen, panel
    "schliserman2026/definition-10": (
        "Definition 10", "as displayed, <u, x - y> must be small, which it is not for a half-plane", definition_10),
    "schliserman2026/figure-1a [a cone with apex 0]": (
        "Figure 1a", "the region of Figure 1a is no cone about 0", figure_1a),
    "schliserman2026/proposition-b2 [each listed point is a minimizer]": (
        "Proposition B.2", "the listed points with y of the other sign are farther (plane x = 0)", proposition_b2),
    "schliserman2026/lemma-d2": (
        "Lemma D.2", "two nearly parallel regression tasks, x is outside the circle in which the printed kappa puts it",
        lemma_d2),
    "schliserman2026/theorem-15-cyclic [the rate alone]": (
        "Theorem 15, cyclic", "after a cycle theta_2 is outside the circle of the printed rate", theorem_15),
    "schliserman2026/lemma-d3": (
        "Lemma D.3", "a regression set of two samples leaves the cone of (eps, delta)-regularity at once", lemma_d3),
    "schliserman2026/proposition-c4": (
        "Proposition C.4", "F(x) = x + a x^2 is less than the distance at every x < 0", proposition_c4),
    "schliserman2026/lemma-14": (
        "Lemma 14", "the largest error over t, which is 1 < 3 at t = 0", lemma_14),
    "schliserman2026/text-nonzero-initialization": (
        "nonzero start", "the distance to C* over t from a start in the unit ball", nonzero_start),
    "schliserman2026/lemma-03": (
        "Lemma 3", "equicoercive functions with an infinite limit, whose minimizers run away", lemma_3),
    "schliserman2026/text-applies-from-zero": (
        "Theorem 6 from 0", "the ball in which Theorem 6 starts does not hold 0, where Algorithm 2 starts", from_zero),
    "schliserman2026/text-u1-at-least-2": (
        r"$u[1] \geq 2$", "C* of Theorem 5 has two branches, u[1] against u[2]^2 - v[2]^2", first_coordinate),
}  # fmt: skip

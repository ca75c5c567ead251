"""Every refutation once more, from the numbers alone: no engine; rationals, and sixty digits for one trajectory."""

from __future__ import annotations

from fractions import Fraction as F

import mpmath


def on_line(point, sample, label):
    """The projection onto {<sample, .> = label}."""
    step = (label - sum(s * p for s, p in zip(sample, point, strict=True))) / sum(s * s for s in sample)
    return tuple(p + step * s for p, s in zip(point, sample, strict=True))


def test_lemma_d2():
    """x = theta* + (0, 1), samples (1, 0) and (1, 1/100), theta* = (1, 0), labels 1: d = 1, kappa^2 max d_m^2 < 1."""
    samples, distance2 = ((F(1), F(0)), (F(1), F(1, 100))), F(1)
    squares = [(sample[1]) ** 2 / (sample[0] ** 2 + sample[1] ** 2) for sample in samples]
    lipschitz2 = max(s[0] ** 2 + s[1] ** 2 for s in samples)
    assert distance2 > lipschitz2 * 1 / 1 * max(squares)


def test_theorem_15_rates():
    """The same tasks; exp(-x) <= 1/(1 + x) bounds the printed factors from above."""
    samples, labels, star = ((F(1), F(0)), (F(1), F(1, 100))), (F(1), F(1)), (F(1), F(0))
    start = (F(1), F(1, 1000))
    lipschitz2 = 1 + F(1, 10_000)

    def square(point):
        return sum((p - s) ** 2 for p, s in zip(point, star, strict=True))

    first, second = (on_line(start, sample, label) for sample, label in zip(samples, labels, strict=True))
    cycle = on_line(first, samples[1], labels[1])
    assert square(cycle) > square(start) / (1 + F(2, 4) / (2 * lipschitz2))
    assert (square(first) + square(second)) / 2 > square(start) / (1 + F(1, 2) / (2 * lipschitz2))


def test_theorem_15_error_bounds():
    """Samples (3, 0) and (1, 1), theta* = (1, 0): after one cycle F_1 / G > d^2 with G = 3."""
    star, start = (F(1), F(0)), (F(1), F(1, 50))
    end = on_line(on_line(start, (F(3), F(0)), F(3)), (F(1), F(1)), F(1))
    assert (3 * end[0] - 3) ** 2 / 3 > sum((e - s) ** 2 for e, s in zip(end, star, strict=True))


def test_lemma_d3():
    """f_1 = w_1^2, f_2 = w_1^2 + eta w_1 w_2 - w_3^2: the set bends faster than beta and the labels allow."""
    eta, eps = F(1, 10), F(1, 10)
    beta = 2 + eta**2
    delta, third = eps * 2 / beta, F(1, 20)
    second = third**2 / eta
    point = (F(1), second, third)
    assert point[0] ** 2 == 1 and point[0] ** 2 + eta * point[0] * second - third**2 == 1
    length2 = second**2 + third**2
    assert length2 <= delta**2 and second**2 > eps**2 * length2


def test_theorem_5_and_lemma_14_at_the_start():
    """theta_0 = 0: f = 0, so forgetting is 1 < 3/2 and the squared error 1 < 3."""
    f = 0
    assert max(0, 1 - f) < F(3, 2) and (f - 1) ** 2 < 3


def test_u1_may_be_negative():
    """eps = 1/200: (u[1], u[2], v[1], v[2]) = (-4, 0, 0, 0) has both margins above 1."""
    u1, eps = F(-4), F(1, 200)
    assert (F(1, 9) + eps) * u1**2 >= 1 and (F(1, 9) - eps) * u1**2 >= 1 and u1 < 2


def test_the_trap_is_left_from_a_start_in_the_unit_ball():
    """Ratio 1/8, start (1/2, 1/3, 0, 1/3): all of C* is farther than 2; after 60 steps a point of it is nearer."""
    mpmath.mp.dps = 60
    ratio, e = mpmath.mpf(1) / 8, mpmath.mpf(1) / 200
    (p, q), (s, t) = samples = ((ratio * (1 + e), 1 - e), (ratio * (1 - e), 1 + e))
    u, y, z = mpmath.mpf(1) / 2, mpmath.mpf(1) / 3, mpmath.mpf(1) / 3
    least = mpmath.sqrt((q + t) / (t * p + q * s))  # |u[1]| at least, on C*
    assert least - u > 2 and u**2 + y**2 + z**2 <= 1
    for k in range(60):
        (first, second), ahead, behind = samples[k % 2], *((y, z) if k % 2 == 0 else (z, y))
        low, high = mpmath.mpf(0), 1 / second
        for _ in range(220):
            m = (low + high) / 2
            value = first * (u / (1 - m * first)) ** 2 + second * (
                (ahead / (1 - m * second)) ** 2 - (behind / (1 + m * second)) ** 2
            )
            low, high = (low, m) if value > 1 else (m, high)
        u, ahead, behind = u / (1 - m * first), ahead / (1 - m * second), behind / (1 + m * second)
        y, z = (ahead, behind) if k % 2 == 0 else (behind, ahead)
    wanted = (1 - p * least**2) / q  # of u[2]^2 - v[2]^2 at u[1] = least: both margins are then 1
    above = wanted + z**2 > 0
    point = (least, mpmath.sqrt(wanted + z**2), z) if above else (least, y, mpmath.sqrt(y**2 - wanted))
    assert abs(s * least**2 - t * wanted - 1) < mpmath.mpf(10) ** -50
    assert mpmath.norm([a - b for a, b in zip(point, (u, y, z), strict=True)]) < 2


def test_proposition_b2():
    """b = c = 1: from (0, 1, 0) the listed point with y = -1/2 is farther than the one with y = 1/2."""
    z2 = F(1, 4) + 1
    assert (F(-1, 2) - 1) ** 2 + z2 > (F(1, 2) - 1) ** 2 + z2

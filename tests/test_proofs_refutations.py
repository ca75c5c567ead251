"""Every refutation once more, from the numbers alone: no engine, rational arithmetic only."""

from __future__ import annotations

from fractions import Fraction as F


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


def test_proposition_b2():
    """b = c = 1: from (0, 1, 0) the listed point with y = -1/2 is farther than the one with y = 1/2."""
    z2 = F(1, 4) + 1
    assert (F(-1, 2) - 1) ** 2 + z2 > (F(1, 2) - 1) ** 2 + z2

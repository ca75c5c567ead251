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


def test_definition_10():
    """C = {w_1 >= 0}, x = 0, u = (-1, 0), y = (1, 0): <u, x - y> = 1 > 0 = eps ||u|| ||x - y|| for eps = 0."""
    u, y = (F(-1), F(0)), (F(1), F(0))
    assert y[0] >= 0 and sum(a * -b for a, b in zip(u, y, strict=True)) == 1 > 0


def test_lemma_3():
    """G_n(x) = n + (x - n)^2: sublevel sets are in one compact set, the minimizers n diverge."""
    level = 50
    members = [(n, x) for n in range(1, 200) for x in range(-300, 300) if n + (x - n) ** 2 <= level]
    assert members and max(abs(x) for _, x in members) <= 2 * level  # {G_n <= c} for all n lies in [-2c, 2c]
    minimizers = [min(range(-300, 300), key=lambda x, n=n: n + (x - n) ** 2) for n in range(1, 200)]
    assert minimizers == list(range(1, 200))


def test_lemma_c9():
    """f(w) = w^2 at w = 1: <grad f, w> = 2 is not greater than r = 2."""
    w, r = F(1), 2
    assert w**2 == 1 and not 2 * w * w > r


def test_proposition_c4():
    """F(x) = x + x^2, D = [0, oo), mu = 1: d(x, C) = t > t - t^2 = d(F(x), D) at x = -t, for every small t."""
    for t in (F(1, 2), F(1, 100), F(1, 10**9)):
        violation = -(-t + t * t)
        assert 0 < violation < t


def test_lemma_c5_with_the_margin_attained():
    """Unit discs about (-3/5, +-4/5) meet at 0; x = (-t, 0) is t from it and nearer than t sin to both circles."""
    sin, cos = F(3, 5), F(4, 5)
    for t in (F(1, 2), F(1, 10), F(1, 10**6)):
        squared = (sin - t) ** 2 + cos**2  # of the distance to either centre
        # 1 - sqrt(squared) < t sin  <=>  squared > (1 - t sin)^2
        assert squared > (1 - t * sin) ** 2
        assert t <= sin  # so that 0 is the nearer of the two points where the circles meet


def test_figure_1a_is_no_cone_about_zero():
    """(1/4, 1/4) is in the set, half of it is not."""
    w = (F(1, 4), F(1, 4))
    assert 5 * w[0] - w[1] >= 1 and 2 * w[0] + 2 * w[1] >= 1
    assert not 5 * w[0] / 2 - w[1] / 2 >= 1


def test_networks_do_not_satisfy_the_assumptions():
    """a max(w, 0)^2: f(2u) = 8 f(u), more than a Lipschitz (2) or a smooth (4) homogeneous function may have."""
    f = lambda a, w: a * max(w, 0) ** 2  # noqa: E731
    assert f(F(2), F(2)) == 8 * f(F(1), F(1)) > 4 * f(F(1), F(1)) > 0


def test_theorem_6_does_not_apply_from_zero():
    """f(w) = w^2, theta* = 1, beta = 2, r = 2: delta = eps < 1 = ||theta*|| for every eps < 1."""
    beta, r, theta = 2, 2, F(1)
    for eps in (F(1, 9), F(999, 1000)):
        assert eps * r / (beta * theta) < theta


def test_gram_and_ggn_shares():
    """J = (0, 0, 1), Lambda = 1, n = 1: one eigenvalue of three against one of one."""
    J = (F(0), F(0), F(1))
    ggn, gram = [J[0] ** 2, J[1] ** 2, J[2] ** 2], [sum(j * j for j in J)]  # J^T J is diagonal here
    eps = F(1, 3)
    shares = [F(sum(value > eps for value in spectrum), len(spectrum)) for spectrum in (ggn, gram)]
    assert shares == [F(1, 3), F(1)]


def test_epsilon_ranks_are_not_multiplicative():
    """A = 1/20, S = 41/20, eps = 1/10: the product 41/400 exceeds eps, A alone does not."""
    A, S, eps = F(1, 20), F(41, 20), F(1, 10)
    assert A <= eps < A * S


def test_effective_ranks_of_features_and_of_the_factor():
    """sigma (1, 1) -> (1, .1 x 7): 2 -> 4.4 for the features, 2 -> 1.4 for A."""

    def effective_rank(values):
        shares = [value / mpmath.fsum(values) for value in values]
        return mpmath.exp(-mpmath.fsum(share * mpmath.log(share) for share in shares))

    before, after = [mpmath.mpf(1)] * 2, [mpmath.mpf(1), *[mpmath.mpf(1) / 10] * 7]
    assert effective_rank(after) > 4 > 2.1 > effective_rank(before)
    assert effective_rank([s * s for s in after]) < 1.5 < 1.9 < effective_rank([s * s for s in before])


def test_dead_units_wake_up_where_the_other_distance_is_small():
    """w = 1, b = -1, X = {0}, X' = {0, 9}: every x is 0 from X', and the unit is active at 9."""
    X, moved = [F(0)], [F(0), F(9)]
    assert max(min(abs(x - y) for y in moved) for x in X) == 0 < 1
    assert max(x - 1 for x in moved) == 8


def test_training_from_an_epsilon_rank_of_zero():
    """a w at a = w = 1/100, y = 2e-4: eigenvalues 1e-4 < 1e-2, and one step brings the loss down by 99 %."""
    s, y = F(1, 100), F(2, 10_000)
    hessian = [[s * s, 2 * s * s - y], [2 * s * s - y, s * s]]
    assert hessian[0][1] == 0 and hessian[0][0] == F(1, 10_000)
    moved = s - F(29, 70) / s**2 * (s * s - y) * s
    assert 100 * (moved**2 - y) ** 2 <= (s * s - y) ** 2


def test_training_from_a_hessian_of_zero():
    """(u^2 - 3)^2 / 2 at u = 1: second derivative 6 u^2 - 2 y = 0, and one step brings the loss down by 99 %."""
    u, y = F(1), F(3)
    assert 6 * u**2 - 2 * y == 0
    moved = u - F(15, 82) * 2 * u * (u * u - y)
    assert 100 * (moved**2 - y) ** 2 <= (u * u - y) ** 2

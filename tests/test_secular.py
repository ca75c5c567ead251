"""One quadratic constraint: closed forms of Appendix B, high precision near the hard case, peers."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from margin_projection.networks.squared_linear import SquaredLinear
from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.quadratic_bound import quadratic_lower_bound
from margin_projection.projections.result import CertificateKind, Status
from margin_projection.projections.secular import Spectrum, project_secular, secular_batch
from margin_projection.sets import MarginSet
from margin_projection.tasks.task import Task

CLOSED_FORM, GAP, PEER = 1e-12, 1e-12, 1e-6
EPSILONS = (1e-6, 0.003, 0.0099)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def project(sample, label, start, kind="classification"):
    margin_set = MarginSet(SquaredLinear(len(sample)), Task([sample], [label], kind))
    return project_secular(ProjectionProblem(tensor(start), margin_set))


def as_set(points, digits=9):
    return {tuple(np.round(point.numpy(), digits) + 0.0) for point in points}


@pytest.mark.parametrize("eps", EPSILONS)
def test_first_projection_of_theorem_5_matches_b1(eps):
    b = 1 - eps
    solution = project([1 / 9 + eps, b], 1, [0.0] * 4)
    assert solution.status is Status.GLOBAL and solution.complete
    assert as_set(solution.points, 12) == as_set([tensor([0, s * b**-0.5, 0, 0]) for s in (1, -1)], 12)
    assert abs(solution.lower_bound - b**-0.5) <= CLOSED_FORM


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("eps", EPSILONS)
def test_second_projection_of_theorem_5_matches_b2(eps, kind):
    b, c = 1 - eps, 1 + eps
    start = [0.0, b**-0.5, 0.0, 0.0]
    solution = project([1 / 9 - eps, -c], 1, start, kind)
    z = np.sqrt(1 / (4 * b) + 1 / c)
    expected = [tensor([0, 0.5 * b**-0.5, 0, s * z]) for s in (1, -1)]
    assert solution.status is Status.GLOBAL and solution.complete and len(solution.points) == 2
    for point in expected:
        assert min(float((point - found).abs().max()) for found in solution.points) <= CLOSED_FORM
    assert abs(solution.multipliers.item() - 0.5 / c) <= CLOSED_FORM


def test_figure_1c_from_the_origin_and_from_a_symmetric_start():
    origin = project([2.0], 1, [0.0, 0.0])
    assert as_set(origin.points) == as_set([tensor([s * 0.5**0.5, 0]) for s in (1, -1)]) and origin.complete
    side = project([2.0], 1, [0.0, 1.0])
    assert as_set(side.points) == as_set([tensor([s * 0.75**0.5, 0.5]) for s in (1, -1)]) and side.complete
    assert len(project([2.0], 1, [1e-9, 1.0]).points) == 1


def near_hard(values, start, bound, digits=900):
    """The point by bisection on d = 1 - l * max(values), in high precision."""
    with mpmath.workdps(digits):
        a, z = [mpmath.mpf(v) for v in values], [mpmath.mpf(v) for v in start]
        largest = max(a)

        def point(d):
            return [zj / ((largest - aj) / largest + d * aj / largest) for aj, zj in zip(a, z, strict=True)]

        low, high = mpmath.mpf(10) ** -400, mpmath.mpf(1)
        for _ in range(1500):
            middle = mpmath.sqrt(low * high) if high > 2 * low else (low + high) / 2
            reached = sum(aj * tj**2 for aj, tj in zip(a, point(middle), strict=True))
            low, high = (middle, high) if reached > mpmath.mpf(bound) else (low, middle)
            if high - low < low * mpmath.mpf(10) ** -40:
                break
        return np.array([float(v) for v in point((low + high) / 2)])


@pytest.mark.parametrize("small", [0.3, -1e-5, 1e-10, -1e-17, 1e-100, 1e-149, -1e-151, 1e-300, 5e-324])
@pytest.mark.parametrize("values", [(0.1, 1.005, -1.005, -0.3), (1.004, 1.005, 0.0, -40.0)])
def test_near_hard_case_agrees_with_high_precision(values, small):
    start = [0.3, small, 0.2, 0.1]
    batch = secular_batch(tensor([start]), Spectrum(tensor(values)), 30.0, False)
    expected = near_hard(values, start, 30.0)
    assert np.abs(batch.points[0].numpy() - expected).max() <= 4e-14
    assert not batch.hard.item()
    assert -1e-14 <= np.linalg.norm(expected - start) - batch.lower_bounds.item() <= 1e-13


sizes = st.floats(-3, 3).map(lambda value: 0.0 if abs(value) < 1e-3 else value)
vectors = st.lists(sizes, min_size=3, max_size=3)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(vectors, vectors, st.sampled_from([-2.0, -1.0, 0.0, 1e-6, 1.0, 3.0]), st.booleans())
def test_optimality_conditions_hold_for_random_data(values, start, bound, is_equality):
    a, z = np.array(values), np.array(start)
    batch = secular_batch(
        tensor(start[None] if isinstance(start, np.ndarray) else [start]), Spectrum(tensor(values)), bound, is_equality
    )
    if not batch.found.item():
        assert (a.max() <= 0 and bound > 0) or (is_equality and (a.min() >= 0 and bound < 0)) or (not a.any() and bound)
        return
    t, slope = batch.points[0].numpy(), 2 * batch.multipliers.item()
    value = float(a @ t**2)
    scale = 1 + abs(bound) + float(np.abs(a) @ t**2)
    assert (abs(value - bound) if is_equality else max(bound - value, 0.0)) <= 1e-14 * scale
    distance = np.linalg.norm(t - z)
    assert batch.lower_bounds.item() <= distance + 1e-15 * scale
    terms = abs(slope) * float(np.abs(a) @ (t**2 + z**2)) if np.isfinite(slope) else 0.0
    rounding = 1e-14 * terms + 1e-15 * scale  # terms cancel in the dual; points are rounded in units of the scale
    assert distance - batch.lower_bounds.item() <= 1e-12 * (distance + 1e-3) + rounding
    if np.isfinite(slope):
        assert np.all(1 - slope * a >= -1e-13) and (is_equality or slope >= 0)
        assert np.abs((1 - slope * a) * t - z).max() <= 1e-13 * (1 + np.abs(t).max())
        bound_again = quadratic_lower_bound(z, a[None], [1.0], [bound], [is_equality], [slope / 2])
        assert bound_again <= distance + 1e-15 * scale and distance - bound_again <= 1e-10 * (distance + 1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_no_slsqp_start_finds_a_nearer_point(seed):
    generator = np.random.default_rng(seed)
    sample, start = generator.standard_normal(2), 0.5 * generator.standard_normal(4)
    solution = project(sample, 1, start)
    q = np.concatenate([sample, -sample])
    constraint = {"type": "ineq", "fun": lambda t: q @ t**2 - 1, "jac": lambda t: 2 * q * t}
    runs = [
        minimize(lambda t: np.sum((t - start) ** 2), guess, constraints=constraint, method="SLSQP")
        for guess in generator.standard_normal((10, 4))
    ]
    best = min(np.sqrt(run.fun) for run in runs if run.success)
    distance = float(torch.linalg.vector_norm(solution.points[0] - tensor(start)))
    assert abs(best - distance) <= PEER and distance - solution.lower_bound <= GAP


def test_a_tie_between_coordinates_is_a_sphere_of_minimizers():
    solution = project([1.0, 1.0], 1, [0.0, 0.0, 0.5, 0.0])
    continuum = solution.evidence["continuum"]
    assert not solution.complete and len(solution.points) == 4 and len(continuum["basis"]) == 2
    assert np.isclose(continuum["radius"], np.sqrt(1 + 0.0625), atol=CLOSED_FORM)
    lengths = [float(torch.linalg.vector_norm(p - tensor([0, 0, 0.5, 0]))) for p in solution.points]
    assert np.ptp(lengths) <= CLOSED_FORM


def test_batch_rows_are_independent_and_signs_can_be_chosen():
    starts = torch.as_tensor(np.random.default_rng(0).standard_normal((40, 4)))
    starts[::3, 0] = 0.0
    spectrum = Spectrum(tensor([1.0, 0.2, -0.2, -1.0]))
    choice = torch.where(torch.arange(40) % 2 == 0, 1.0, -1.0).double()
    for is_equality in (False, True):
        batch = secular_batch(starts, spectrum, 0.5, is_equality, choice)
        pairs = zip(starts, choice, strict=True)
        single = [secular_batch(start[None], spectrum, 0.5, is_equality, sign[None]) for start, sign in pairs]
        assert torch.allclose(batch.points, torch.cat([each.points for each in single]), atol=1e-14, rtol=0)
        assert bool((batch.points[batch.hard, 0] * choice[batch.hard] >= 0).all())


@pytest.mark.parametrize("diagonal", [True, False])
def test_empty_sets_are_proved_and_zero_targets_handled(diagonal):
    empty = project([0.0], 1, [0.3, 0.4])
    assert empty.status is Status.INFEASIBLE and empty.kind is CertificateKind.INFEASIBLE
    form = tensor([-1.0, 0.0, -3.0])
    spectrum = Spectrum(form) if diagonal else Spectrum.of(torch.diag(form))
    batch = secular_batch(tensor([[1.0, 2.0, 3.0]]), spectrum, 0.0, True)
    assert batch.points.tolist() == [[0.0, 2.0, 0.0]] and abs(batch.lower_bounds.item() - 10**0.5) <= 1e-13
    assert not secular_batch(tensor([[1.0, 2.0, 3.0]]), spectrum, 1.0, False).found.item()


def test_regression_target_zero_from_the_cone():
    solution = project([1.0], 0.0, [0.0, 1.0], "regression")
    assert as_set(solution.points) == {(0.5, 0.5), (-0.5, 0.5)} and solution.complete


def test_dense_form_agrees_with_its_diagonal():
    generator = np.random.default_rng(3)
    basis = torch.as_tensor(np.linalg.qr(generator.standard_normal((5, 5)))[0])
    values = tensor([2.0, 2.0, 0.5, 0.0, -1.0])
    starts = torch.as_tensor(generator.standard_normal((20, 5))) * 0.3
    dense = secular_batch(starts, Spectrum.of(basis * values @ basis.T), 1.0, False)
    plain = secular_batch(starts @ basis, Spectrum(values), 1.0, False)
    assert torch.allclose(dense.points @ basis, plain.points, atol=1e-12, rtol=0)
    origin = secular_batch(torch.zeros(1, 5).double(), Spectrum.of(basis * values @ basis.T), 1.0, False)
    assert origin.hard.item() and abs(origin.radius.item() - 0.5**0.5) <= CLOSED_FORM


def test_bound_is_never_fooled_by_wrong_multipliers():
    start, forms = np.array([0.0, 0.3]), np.array([[1.0, -1.0]])
    distance = float(np.sqrt(1 + 0.15**2 + 0.15**2))
    for multiplier in (-3.0, 0.0, 0.1, 0.5, 0.7, 1e6, np.inf):
        assert quadratic_lower_bound(start, forms, [1.0], [1.0], [False], [multiplier]) <= distance
        dense = quadratic_lower_bound(start, np.diag(forms[0])[None], [1.0], [1.0], [True], [multiplier])
        assert dense <= distance
    assert distance - quadratic_lower_bound(start, forms, [1.0], [1.0], [False], [0.5]) <= 1e-14


def test_squared_linear_derivatives_and_module():
    model, generator = SquaredLinear(3), np.random.default_rng(1)
    theta, X = generator.standard_normal(6), generator.standard_normal((4, 3))
    module = model.to_module(theta)
    assert np.allclose(module(torch.as_tensor(X)).detach().numpy(), model(theta, X), atol=1e-14)
    assert np.array_equal(model.from_state(module.state_dict()), theta)
    tangent, rows = torch.as_tensor(theta), torch.as_tensor(X)
    line = model.linearize(tangent, rows)
    jacobian = torch.autograd.functional.jacobian(lambda t: model.forward(t, rows), tangent)
    assert torch.allclose(line.jacobian(), jacobian)
    weights, vector = torch.as_tensor(generator.standard_normal(4)), torch.as_tensor(generator.standard_normal(6))
    hessian = torch.autograd.functional.hessian(lambda t: weights @ model.forward(t, rows), tangent)
    assert torch.allclose(line.hessian_vector(weights, vector), hessian @ vector)


def test_badly_scaled_forms_stay_feasible_to_rounding():
    generator = np.random.default_rng(1)
    for _ in range(300):
        p = int(generator.integers(1, 6))
        values = generator.standard_normal(p) * 10.0 ** generator.integers(-8, 8, p)
        start = generator.standard_normal(p) * 10.0 ** generator.integers(-10, 6, p)
        bound = float(generator.standard_normal() * 10.0 ** generator.integers(-8, 8))
        is_equality = bool(generator.random() < 0.5)
        batch = secular_batch(
            tensor(start[None] if isinstance(start, np.ndarray) else [start]),
            Spectrum(tensor(values)),
            bound,
            is_equality,
        )
        if batch.found.item():
            squares = batch.points[0].numpy() ** 2
            violation = abs(values @ squares - bound) if is_equality else max(bound - values @ squares, 0.0)
            assert violation <= 1e-14 * (abs(bound) + np.abs(values) @ squares)


@given(
    start=st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    form=st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    feasible=st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    multiplier=st.floats(0, 1e6),
)
def test_no_multiplier_makes_the_lower_bound_exceed_a_distance(start, form, feasible, multiplier):
    start, form, feasible = np.array(start), np.array(form), np.array(feasible)
    offset = float(form @ feasible**2)
    bound = quadratic_lower_bound(start, [form], [1.0], [offset], [False], [multiplier])
    assert bound <= np.linalg.norm(feasible - start) * (1.0 + 1e-12) + 1e-12


def test_a_multiplier_far_too_large_proves_no_distance_beyond_the_true_one():
    for multiplier in (0.5, 1.0, 2.0, 1e3, 1e12):
        assert quadratic_lower_bound([0.5], [[1.0]], [1.0], [1.0], [False], [multiplier]) <= 0.5

"""Each method does what its paper says: what is added to a gradient, what is replaced, what is drawn anew."""

from __future__ import annotations

import pytest
import torch

from margin_projection.plasticity.learner import OptimizerSettings
from margin_projection.plasticity.learners import build_learner
from margin_projection.plasticity.streams import build_stream

STILL = OptimizerSettings("sgd", 1e-9)  # the data loss moves nothing that a test can see
RATE = 0.1


def stream():
    return build_stream("random_label_digits", 3, 0, samples=48)


def learner(name, optimizer=STILL, **settings):
    return build_learner(name, stream(), (16, 16), optimizer, 0, **settings)


def stepped(found):
    """Parameters before and after one update."""
    task = stream().task(0)
    before = [each.detach().clone() for each in found.network.parameters()]
    found.step(task.X_train, task.y_train, task)
    return before, [each.detach().clone() for each in found.network.parameters()]


def gradients(found):
    """Of the data loss alone, at the present parameters."""
    plain = learner("bp")
    plain.network.load_state_dict(found.network.state_dict())
    task = stream().task(0)
    plain.step(task.X_train, task.y_train, task)
    return [each.grad.clone() for each in plain.network.parameters()]


def test_l2_adds_weight_decay_times_every_parameter_to_its_gradient():
    found = learner("l2", OptimizerSettings("sgd", RATE), weight_decay=0.5)
    slopes = gradients(found)
    before, after = stepped(found)
    for old, new, slope in zip(before, after, slopes, strict=True):
        torch.testing.assert_close(new, old - RATE * (slope + 0.5 * old))


def test_l2_init_pulls_towards_the_initialization():
    found = learner("l2_init", OptimizerSettings("sgd", RATE), strength=0.5)
    start = [each.detach().clone() for each in found.network.parameters()]
    with torch.no_grad():
        for parameter in found.network.parameters():
            parameter.add_(0.01)
    slopes = gradients(found)
    before, after = stepped(found)
    for first, old, new, slope in zip(start, before, after, slopes, strict=True):
        torch.testing.assert_close(new, old - RATE * (slope + 2.0 * 0.5 * (old - first)))


def test_layer_norm_normalizes_preactivations():
    found = learner("layer_norm_l2")
    outputs, features = found.network.with_features(stream().task(0).X_train)
    assert found.network.layer_norm and not learner("l2").network.layer_norm
    with torch.no_grad():
        for linear in found.network.linears[:-1]:
            linear.weight.mul_(7.0)
            linear.bias.mul_(7.0)
    again, _ = found.network.with_features(stream().task(0).X_train)
    torch.testing.assert_close(again, outputs, atol=1e-3, rtol=1e-3)  # up to LayerNorm's own 1e-5
    assert len(features) == 2


def test_spectral_penalty_is_that_of_the_exact_largest_singular_values():
    found = learner("spectral", strength=1.0, power=2, target=2.0, iterations=500)
    expected = sum(
        (torch.linalg.matrix_norm(linear.weight, 2) ** 2 - 2.0) ** 2 + linear.bias.square().sum() ** 2
        for linear in found.network.linears
    )
    assert found.penalty().item() == pytest.approx(expected.item(), rel=1e-5)
    slopes = torch.autograd.grad(found.penalty(), [linear.weight for linear in found.network.linears])
    exact = torch.autograd.grad(expected, [linear.weight for linear in found.network.linears])
    for slope, other in zip(slopes, exact, strict=True):
        torch.testing.assert_close(slope, other, atol=1e-4, rtol=1e-3)


def test_shrink_and_perturb_shrinks_and_adds_noise_of_the_given_size():
    found = learner("shrink_perturb", shrink=0.25, noise=0.125)
    before, after = stepped(found)
    noise = torch.cat([(new - 0.75 * old).reshape(-1) for old, new in zip(before, after, strict=True)])
    assert float(noise.std()) == pytest.approx(0.125, rel=0.1)
    assert abs(float(noise.mean())) < 0.02


def test_full_reset_draws_weights_and_moments_anew():
    found = learner("reset", OptimizerSettings("adam", 1e-2))
    stepped(found)
    before = found.network.linears[0].weight.detach().clone()
    assert found.optimizer.state
    found.start_task(stream().task(1))
    assert not found.optimizer.state
    assert float((found.network.linears[0].weight.detach() - before).abs().min()) > 0.0


def test_continual_backprop_replaces_the_mature_unit_of_least_utility():
    """One unit a layer is due: the least |h| sum |w_out|; its mean activation goes into the next bias."""
    found = learner("cbp", replacement_rate=1.0 / 16.0, decay=0.0, maturity=0)
    task, (first, second) = stream().task(0), list(found.network.hidden_layers())
    features = found.network.with_features(task.X_train)[1][0].detach()
    utility = features.abs().mean(0) * first.outgoing.weight.detach().abs().sum(0)
    least = int(utility.argmin())
    weights, outgoing = first.incoming.weight.detach().clone(), first.outgoing.weight.detach().clone()
    bias = first.outgoing.bias.detach().clone()
    found.step(task.X_train, task.y_train, task)
    changed = (first.incoming.weight.detach() - weights).abs().amax(1) > 1e-6
    assert changed.nonzero().ravel().tolist() == [least]
    kept = found.age[1] > 0  # the second layer replaces a unit of its own, whose incoming weights are drawn anew
    assert int((~kept).sum()) == 1 and second.incoming is first.outgoing
    assert float(first.outgoing.weight.detach()[kept, least].abs().max()) == 0.0
    assert float(first.incoming.bias.detach()[least]) == 0.0
    moved, expected = first.outgoing.bias.detach() - bias, outgoing[:, least] * features.mean(0)[least]
    torch.testing.assert_close(moved[kept], expected[kept].to(moved), atol=1e-5, rtol=1e-4)
    assert int(found.age[0][least]) == 0 and int(found.age[0].max()) == 1


def test_continual_backprop_protects_young_units():
    found = learner("cbp", replacement_rate=1.0, maturity=5)
    weights = next(iter(found.network.hidden_layers())).incoming.weight.detach().clone()
    for _ in range(5):
        stepped(found)
    after = next(iter(found.network.hidden_layers())).incoming.weight.detach()
    torch.testing.assert_close(after, weights, atol=1e-6, rtol=0.0)
    stepped(found)
    assert float((next(iter(found.network.hidden_layers())).incoming.weight.detach() - weights).abs().max()) > 1e-3


def test_l2_er_is_er_with_weight_decay():
    found = learner("l2_er", weight_decay=0.25)
    assert all(group["weight_decay"] == 0.25 for group in found.optimizer.param_groups)
    assert all(group["weight_decay"] == 0.0 for group in learner("er").optimizer.param_groups)

"""Brute force for the tests of local constants: gradients, difference quotients and Hessians over the ball."""

import numpy as np
import torch

from margin_projection.regularity.constants import ConstantBounds

RELATIVE, ABSOLUTE = 1e-9, 1e-11  # rounding of the brute force
SHORTEST = 1e-5  # distance, relative to the radius, from which on difference quotients are meaningful
QUOTIENT = 1e-8


def problem(model, seed, samples=3):
    """(X, theta): some samples zero or nonnegative, some weights zero, scales from 0.1 to 3."""
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((samples, *model.input_shape))
    theta = generator.standard_normal(model.num_parameters) * 10.0 ** generator.uniform(-1.0, 0.5)
    if seed % 2:
        X[0], X[1] = 0.0, np.abs(X[1])
    if seed % 3 == 2:
        theta[generator.random(theta.size) < 0.5] = 0.0
    return torch.from_numpy(X), torch.from_numpy(theta)


def points_of_ball(theta, radius, seed, count=6):
    """theta, random points on the sphere and inside, along few coordinates, and outward and inward along theta."""
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((count, theta.numel()))
    directions[1::3] *= generator.random((len(directions[1::3]), theta.numel())) < 0.2
    directions[0], directions[1] = theta.numpy(), -theta.numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True) + 1e-300
    lengths = radius * (1.0 - 1e-12) * np.where(np.arange(count) % 4 == 3, generator.random(count), 1.0)
    return torch.cat([theta[None], theta + torch.from_numpy(lengths[:, None] * directions)])


def steepest_point(model, x, theta, radius, steps=3):
    """A point of the ball where ||grad f(x; .)|| is large, by linear maximization of its square."""

    def square(point):
        return torch.func.grad(lambda t: model.forward(t, x[None])[0])(point).square().sum()

    best, point = float(square(theta)), theta
    for _ in range(steps):
        slope = torch.func.grad(square)(point)
        if float(slope.norm()) == 0.0:
            break
        point = theta + radius * (1.0 - 1e-12) * slope / slope.norm()
        best = max(best, float(square(point)))
    return point


def gradients(model, points, X):
    """(B, n, p)."""
    return torch.stack([model.linearize(point, X).jacobian() for point in points])


def hessian_norms(model, point, X):
    """(n,) spectral norms."""
    return torch.linalg.matrix_norm(torch.func.hessian(lambda t: model.forward(t, X))(point), 2).numpy()


def check_soundness(model, X, theta, radius, seed=0, hessians=1):
    """No gradient, Hessian or difference quotient met in the ball exceeds its bound; returns the bounds."""
    local = ConstantBounds(model, X, theta).at(radius)
    points = torch.cat([points_of_ball(theta, radius, seed), steepest_point(model, X[-1], theta, radius)[None]])
    slopes = gradients(model, points, X).detach()
    norms = slopes.norm(dim=2).numpy()
    assert (norms <= local.lipschitz * (1.0 + RELATIVE) + ABSOLUTE).all(), norms / local.lipschitz
    curvatures = np.array([hessian_norms(model, points[-1 - k], X) for k in range(hessians)]).reshape(-1, len(X))
    assert (curvatures <= local.smoothness * (1.0 + RELATIVE) + ABSOLUTE).all(), curvatures / local.smoothness
    distances = torch.cdist(points, points)
    quotients = (slopes[:, None] - slopes).norm(dim=3) / distances[:, :, None]
    far = distances > SHORTEST * max(radius, 1e-300)
    rounding = QUOTIENT * float(slopes.norm(dim=2).max()) / max(radius, 1e-300) * 1e-2
    assert (quotients[far].numpy() <= local.smoothness * (1.0 + QUOTIENT) + rounding).all()
    return local

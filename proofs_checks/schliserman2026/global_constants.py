"""What globally Lipschitz and globally smooth leave of the homogeneous models: the linear ones."""

from __future__ import annotations

import sympy

from proofs_checks import steps


def only_linear_models() -> tuple[steps.Step, ...]:
    """f r-homogeneous, r > 0, not 0, G-Lipschitz and beta-smooth on all of R^p implies f linear
    (docs/regularity.md)."""
    c, r = sympy.symbols("c r", positive=True)
    return (
        steps.argued(
            "f is not 0", "C* is not empty, so f(x; theta*) != 0 for every sample",
            "y f >= 1 at theta*; f(x; c theta*) = c^r f(x; theta*).",
        ),
        steps.argued(
            "Lipschitz", "r = 1",
            "|f(c theta*) - f(0)| = c^r |f(theta*)| <= G c ||theta*|| for all c > 0, and f(theta*) != 0: c^{r-1} is "
            "bounded both as c tends to infinity (r <= 1) and as c tends to 0 (r >= 1).",
        ),
        steps.identity("Lipschitz, the exponent", "c^r / c = c^{r-1}", c**r / c, c ** (r - 1)),
        steps.argued(
            "smooth", "then the gradient is constant",
            "beta-smooth functions (both signs of footnote 3) are differentiable, with ||grad f(u) - grad f(w)|| <= "
            "beta ||u - w||. For r = 1 the gradient is 0-homogeneous: ||grad f(u) - grad f(w)|| = ||grad f(c u) - grad "
            "f(c w)|| <= beta c ||u - w|| for every c > 0; let c tend to 0.",
        ),
        steps.argued("linear", "f(x; theta) = <grad f(x), theta>", "The gradient is constant and f(x; 0) = 0."),
    )  # fmt: skip

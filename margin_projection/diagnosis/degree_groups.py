"""The degree of homogeneity of a module by groups of parameters: common, different ones, of some groups, or none."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from margin_projection._validation import InputError, check_integer
from margin_projection.diagnosis.euler import EulerEquations, euler_equations, random_points
from margin_projection.diagnosis.remedies import find_remedies
from margin_projection.diagnosis.scalings import TOLERANCE, Scaling, scaling_space, simplest_scaling
from margin_projection.networks.homogeneity import find_degree
from margin_projection.networks.module_function import ModuleFunction

FACTORS = (0.5, 2.0, 3.0, 2.0**-8, 2.0**8, 2.0**-16, 2.0**16)
_SCALING_TRIALS = 6
_LARGEST_EXPONENT = 250.0


class Homogeneity(enum.Enum):
    """Which scalings of the parameters multiply f by a power of the factor."""

    COMMON = "Positively homogeneous: scaling all parameters by c multiplies f by c^degree."
    QUASI = (
        "Quasi-homogeneous: f is multiplied by c^degree when each group of parameters is scaled by its own power of c; "
        "no common power will do."
    )
    PARTIAL = (
        "Homogeneous in some groups of parameters alone: those of weight 0 must stay fixed; no positive powers for all "
        "groups exist."
    )
    NONE = "Not homogeneous: no scaling of the groups by nonnegative powers multiplies f by a power of the factor."

    @property
    def is_homogeneous(self) -> bool:
        """Whether f is homogeneous in the paper's sense, of one degree in all parameters."""
        return self is Homogeneity.COMMON


@dataclass(frozen=True)
class ParameterGroup:
    """One trainable parameter tensor.

    Attributes:
        name: as in ``named_parameters``.
        size: how many numbers it holds.
        weight: the power of c that it is scaled by; 0 where it must stay fixed (or where no scaling exists).
        own_degree: k if f is homogeneous of degree k in this group alone, the others fixed; 0 for a group that f
            depends on through its direction alone (or not at all); None where there is no such k.
    """

    name: str
    size: int
    weight: float
    own_degree: float | None


@dataclass(frozen=True)
class DegreeGroups:
    """f(x; (c^{weight_g} theta_g)_g) = c^degree f(x; theta) for all c > 0, as measured.

    Attributes:
        kind: see `Homogeneity`.
        groups: one a trainable parameter tensor, in the order of theta.
        degree: of f under that scaling; None for NONE. For COMMON all weights are 1 and this is the paper's r.
        residual: of Euler's equations sum_g w_g <grad_g f, theta_g> = f at the best (signed) w, relative to the largest
            term of each; at rounding level where a scaling exists.
        scaling_error: the largest relative error of f(c theta) = c^degree f(theta) met, for c from 2^-16 to 2^16 (for
            NONE: of the scaling that was tried last, 0 where none was).
        num_symmetries: dimension of the scalings (any signs) that leave f as it is.
        equations: how many Euler equations were solved.
        reason: what was measured, one sentence.
        offender: where a common degree is lost first, one sentence; empty for COMMON.
        advice: what to change for a common degree, one sentence each; empty for COMMON.
        repaired_degree: the degree with all of that changed, where zeros alone did it and it was tried; else None.
    """

    kind: Homogeneity
    groups: tuple[ParameterGroup, ...]
    degree: float | None
    residual: float
    scaling_error: float
    num_symmetries: int
    equations: int
    reason: str
    offender: str = ""
    advice: tuple[str, ...] = ()
    repaired_degree: float | None = None

    @property
    def fixed(self) -> tuple[str, ...]:
        """The groups of weight 0."""
        return tuple(group.name for group in self.groups if group.weight == 0.0)

    def __str__(self) -> str:
        lines = [self.kind.value, self.reason]
        if self.kind in (Homogeneity.QUASI, Homogeneity.PARTIAL):
            weights = ", ".join(f"{group.name}: {group.weight:g}" for group in self.groups)
            lines.append(f"degree {self.degree:g} with the weights {weights}")
        lines += [self.offender] if self.offender else []
        lines += [f"advice: {sentence}" for sentence in self.advice]
        if self.repaired_degree is not None:
            lines.append(f"with all of this changed, the degree is {self.repaired_degree:g}")
        return "\n".join(lines)


def degree_groups(
    module: nn.Module, input_shape: tuple[int, ...] | None = None, *, X: Any = None, seed: int = 0
) -> DegreeGroups:
    """Which powers of c, one a parameter tensor, make f(x; theta) a power of c times as large.

    By Euler's identity these are the solutions of sum_g w_g <grad_{theta_g} f, theta_g> = d f, linear in (w, d), at all
    theta and x. It is solved at many random points, and the solution is confirmed by scaling at other ones: evidence in
    float64, no proof. A bias of layer l, for instance, scales like the product of l weight matrices.

    Args:
        module: as for `networks.from_module`: (n, *input_shape) to (n,) or (n, 1), each sample by itself. It is copied
            to float64 and evaluation mode.
        input_shape: the shape of one sample; by default that of ``X``, or the width of a first linear layer.
        X: example inputs (n, *input_shape), used beside random ones.
        seed: of the random points (default 0).

    Raises:
        InputError: no trainable parameters, outputs of another shape, samples that influence each other, outputs that
            vanish everywhere, or derivatives by autograd that are not those of the function.

    >>> found = degree_groups(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    >>> found.kind.name, found.degree, [group.weight for group in found.groups]
    ('QUASI', 2.0, [1.0, 1.0, 1.0, 2.0])
    """
    check_integer("seed", seed, 0)
    function = ModuleFunction(module, input_shape, X)
    return degree_groups_of(function, X, seed)


def degree_groups_of(function: ModuleFunction, X: Any = None, seed: int = 0) -> DegreeGroups:
    """`degree_groups` of a module that was wrapped before."""
    equations = euler_equations(function, X, seed)
    space = scaling_space(equations)
    scaling = simplest_scaling(space)
    common = _measured_degree(function, X)
    if common is not None and not (scaling is not None and scaling.is_common):
        evidence = f"degree {common:g} by scaling, but not by Euler's identity"
        raise InputError("module", evidence, "a module with true derivatives by autograd")
    error = 0.0 if scaling is None else scaling_error(function, scaling, X, seed)
    failed = scaling is not None and not error <= TOLERANCE
    weights = (0.0,) * len(function.sizes) if scaling is None or failed else scaling.weights
    own = _own_degrees(function, equations, X, seed)
    named = zip(function.parameter_names, function.sizes, weights, own, strict=True)
    kind = _kind(None if failed else scaling)
    remedies = None if kind.is_homogeneous else find_remedies(function, X)
    return DegreeGroups(
        kind,
        tuple(ParameterGroup(*entries) for entries in named),
        None if scaling is None or failed else scaling.degree,
        space.residual,
        error,
        space.num_symmetries,
        len(equations.values),
        _reason(equations, space.residual, scaling, error, failed),
        "" if remedies is None else remedies.offender,
        () if remedies is None else remedies.advice,
        None if remedies is None else remedies.degree,
    )


def _measured_degree(function: ModuleFunction, X: Any) -> float | None:
    """The common degree above 0, by scaling alone."""
    degree = find_degree(function.outputs, function.num_parameters, X=function.examples(X)).degree
    return degree if degree is not None and degree > 0.0 else None


def scaling_error(function: ModuleFunction, scaling: Scaling, X: Any = None, seed: int = 0) -> float:
    """The largest |f(c theta) - c^degree f(theta)|, relative to the largest output, at `FACTORS` and random points.

    The factor of the groups with the largest weight is c itself. Infinite where a value is not finite.
    """
    top = max(scaling.weights)
    powers = torch.from_numpy(np.repeat(np.array(scaling.weights) / top, function.sizes))
    worst = 0.0
    with torch.no_grad():
        for theta, inputs in random_points(function, X, seed + 1, _SCALING_TRIALS):
            base = function.outputs(theta, inputs)
            size = float(base.abs().max())
            if not (0.0 < size < np.inf):
                continue
            for factor in FACTORS:
                exponent = scaling.degree / top * np.log10(factor)
                if abs(np.log10(size) + exponent) <= _LARGEST_EXPONENT:
                    moved = function.outputs(theta * factor**powers, inputs)
                    worst = max(worst, _relative(moved, base * factor ** (scaling.degree / top)))
    return worst


def _relative(value: Tensor, expected: Tensor) -> float:
    error = float((value - expected).abs().max() / expected.abs().max())
    return error if np.isfinite(error) else np.inf


def _own_degrees(function: ModuleFunction, equations: EulerEquations, X: Any, seed: int) -> list[float | None]:
    """For each group the k with <grad_g f, theta_g> = k f at every equation, confirmed by scaling the group alone."""
    pairings, values = equations.pairings, equations.values
    ratios = pairings.T @ values / float(values @ values)
    found: list[float | None] = []
    for group, ratio in enumerate(ratios):
        degree = round(float(ratio), 9) + 0.0
        if np.abs(pairings[:, group] - degree * values).max() > TOLERANCE:
            found.append(None)
            continue
        alone = tuple(float(other == group) for other in range(len(ratios)))
        found.append(degree if scaling_error(function, Scaling(alone, degree), X, seed) <= TOLERANCE else None)
    return found


def _kind(scaling: Scaling | None) -> Homogeneity:
    if scaling is None:
        return Homogeneity.NONE
    if scaling.is_common:
        return Homogeneity.COMMON
    return Homogeneity.QUASI if scaling.is_positive else Homogeneity.PARTIAL


def _reason(equations: EulerEquations, residual: float, scaling: Scaling | None, error: float, failed: bool) -> str:
    count = len(equations.values)
    if failed:
        return f"Euler's identity holds at {count} random points, but scaling changes f by {error:.1e} of its size"
    if scaling is not None:
        return f"Euler's identity holds at {count} random points (residual {residual:.1e}), scaling to {error:.1e}"
    if residual <= TOLERANCE:
        return "f only scales if some groups of parameters are scaled by negative powers"
    if np.abs(equations.pairings.sum(1)).max() <= TOLERANCE:
        return "f does not change when all parameters are scaled: degree 0"
    return f"Euler's identity fails for all weights: the least-squares residual is {residual:.1e}"

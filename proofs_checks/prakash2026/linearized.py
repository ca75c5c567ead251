"""Statement 5: necessary and sufficient conditions on the epsilon-rank in the linearized network. Both proved.

r_T = (I - eta K)^T r_0. The necessary condition needs eta eps <= 1, which is not written; the sufficient one that eta
mu <= 2 - eta eps for the largest eigenvalue. `curvature.linearized_training` computes both.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import z3
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, dot, scale, subtract
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals, vectors

_SMALL, _STABLE, _PSD = "eta eps <= 1", "eta mu_max <= 2 - eta eps", "K is positive semidefinite"


def _kernels(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Three eigenvalues, two rotations, r_0, eta and eps as shares, one to four steps."""
    low = "-1" if _PSD in dropped else "0"
    step = rationals("1/10", 6, 59) if {_SMALL, _STABLE} & dropped else rationals("1/10", 1, 18)
    return instances(
        mu=st.tuples(*[rationals(low, 1, 40)] * 3), turns=vectors(2), residual=vectors(3),
        eta=step, eps=rationals("1/20", "19/20", 18), T=st.integers(1, 4),
    )  # fmt: skip


def _basis(turns: Any) -> list[Any]:
    """An orthogonal basis of space from two rotations by rational parameters."""
    (c, s), (d, t) = [((1 - u * u) / (1 + u * u), 2 * u / (1 + u * u)) for u in turns]
    return [(c, s, 0 * c), (-s * d, c * d, t), (s * t, -c * t, d)]


def _training(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """r_T by T products with I - eta K, K = sum mu q q^T; and the parts of r_0 below and above eps."""
    basis, residual = _basis(x.turns), tuple(x.residual)
    parts = [dot(direction, residual) for direction in basis]
    for _ in range(x.T):
        image = tuple(0 * entry for entry in residual)
        for mu, direction in zip(x.mu, basis, strict=True):
            weight = mu * dot(direction, residual)
            image = tuple(i + weight * d for i, d in zip(image, direction, strict=True))
        residual = subtract(residual, scale(x.eta, image))
    below = [part * part for mu, part in zip(x.mu, parts, strict=True) if mu <= x.eps]
    above = [part * part for mu, part in zip(x.mu, parts, strict=True) if not mu <= x.eps]
    return {
        "end2": square_length(residual), "below": sum(below, A.number(0)), "above": sum(above, A.number(0)),
        "shrink": (1 - x.eta * x.eps) ** (2 * x.T), "step": x.eta * x.eps, "largest": x.eta * A.maximum(x.mu),
        "least": A.minimum(x.mu), "eta": A.minimum([x.eta, x.eps]),
    }  # fmt: skip


_SIGNS = Hypothesis(_PSD, lambda q, c: q.least, ">=", lambda q, c: 0)
_POSITIVE = Hypothesis("eta, eps > 0", lambda q, c: q.eta, ">", lambda q, c: 0)
_CORNERS = {
    "all below eps": Instance(
        mu=("1/2", "1/2", "1/2"), turns=("0", "0"), residual=("1", "1", "1"), eta="1", eps="1/2", T=3
    ),
    "all above eps": Instance(
        mu=("1", "1", "1"), turns=("1", "1/2"), residual=("1", "0", "0"), eta="1", eps="1/2", T=2
    ),
    "eta eps = 1": Instance(mu=("1/2", "1", "0"), turns=("1", "0"), residual=("1", "1", "0"), eta="1", eps="1", T=1),
    "eigenvalue 0": Instance(mu=("0", "0", "1"), turns=("0", "1"), residual=("1", "0", "0"), eta="1", eps="1/2", T=4),
}


def _lower_step() -> steps.Step:
    eta, mu, eps = z3.Reals("eta mu eps")
    return steps.implication(
        "one "
        "direction", "1 - eta mu >= 1 - eta eps >= 0 for mu <= eps, eta eps <= 1", [eta > 0, mu <= eps, eta * eps <= 1],
        z3.And(1 - eta * mu >= 1 - eta * eps, 1 - eta * eps >= 0),
    )  # fmt: skip


def _upper_step() -> steps.Step:
    eta, mu, eps = z3.Reals("eta mu eps")
    small = z3.Implies(mu <= eps, z3.And(1 - eta * mu <= 1, 1 - eta * mu >= -1))
    large = z3.Implies(mu > eps, z3.And(1 - eta * mu <= 1 - eta * eps, 1 - eta * mu >= -(1 - eta * eps)))
    return steps.implication(
        "one direction", "|1 - eta mu| <= 1, and <= 1 - eta eps for mu > eps",
        [eta > 0, eps > 0, mu >= 0, eta * mu <= 2 - eta * eps, eta * eps <= 2], z3.And(small, large),
    )  # fmt: skip


_MODES = steps.argued(
    "modes", "<q_k, r_T> = (1 - eta mu_k)^T <q_k, r_0>, and ||r_T||^2 is the sum of their squares",
    "K is symmetric: its eigenvectors form an orthogonal basis.",
)  # fmt: skip
NECESSARY = Statement(
    id="prakash2026/linearized-necessary",
    source="Prakash et al. 2026, abstract (reconstructed, 4.5)",
    title="epsilon-rank, necessary: what is below eps is learned slowly",
    text=(
        "r_T = (I - eta K)^T r_0, K PSD with eigenpairs (mu_k, q_k): ||r_T||^2 >= (1 - eta eps)^{2T} sum over mu_k "
        "<= eps of <q_k, r_0>^2."
    ),
    instances=_kernels,
    derive=_training,
    hypotheses=(_SIGNS, _POSITIVE, Hypothesis(_SMALL, lambda q, c: q.step, "<=", lambda q, c: 1, silent=True)),
    claims=(Claim("loss", lambda q, c: q.end2, ">=", lambda q, c: c.share * q.shrink * q.below),),
    constants={"share": Constant(1, "up", "factor of the bound")},
    corners=_CORNERS,
    own_proof=(
        _MODES,
        _lower_step(),
        steps.argued("sum", "drop the directions with mu_k > eps", "Squares are nonnegative."),
    ),
    fates={
        "share doubled": is_false("equality where every eigenvalue is eps"),
        f"without {_SMALL}": is_false("eta = 1/mu learns a direction at once, whatever (1 - eta eps)^{2T} is"),
        f"without {_PSD}": still_true("negative eigenvalues make the residual grow"),
        "without eta, eps > 0": still_true("the strategy has no others"),
    },
)  # fmt: skip
SUFFICIENT = replace(
    NECESSARY,
    id="prakash2026/linearized-sufficient",
    title="epsilon-rank, sufficient: what is above eps is learned",
    text=(
        "r_T = (I - eta K)^T r_0, K PSD, eta mu_max <= 2 - eta eps: ||r_T||^2 <= sum over mu_k <= eps of <q_k, "
        "r_0>^2 + (1 - eta eps)^{2T} sum over mu_k > eps of <q_k, r_0>^2."
    ),
    hypotheses=(
        _SIGNS,
        _POSITIVE,
        Hypothesis(
            _STABLE, lambda q, c: (q.largest, q.step), "<=", lambda q, c: (2 - q.step, 2), silent=True
        ),
    ),
    claims=(Claim("loss", lambda q, c: q.end2, "<=", lambda q, c: q.below + c.share * q.shrink * q.above),),
    constants={"share": Constant(1, "down", "factor of the second part")},
    corners={name: each for name, each in _CORNERS.items() if name != "eta eps = 1"},
    own_proof=(_MODES, _upper_step(), steps.argued("sum", "add up the directions", "Each square is bounded.")),
    fates={
        "share halved": is_false("equality in the limit mu -> eps from above"),
        f"without {_STABLE}": is_false("large steps diverge"),
        f"without {_PSD}": is_false("negative eigenvalues make the residual grow"),
        "without eta, eps > 0": still_true("the strategy has no others"),
    },
)

STATEMENTS = (NECESSARY, SUFFICIENT)

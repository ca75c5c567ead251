"""Statement 6: spectra of Kronecker products, and what raising the features' effective rank does to a layer's block.

lambda_i(A) lambda_j(S) is exact for A (x) S; that a layer's GGN block is close to such a product is K-FAC's
assumption and not judged here. Rank and entropy-based effective rank are multiplicative, the epsilon-rank is not. The
effective rank of the *features* takes singular values sigma, that of A = Phi^T Phi / n their squares: raising one can
lower the other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import sympy
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement, still_true
from proofs_checks.strategies import instances, rationals

_SOURCE = "Prakash et al. 2026, abstract (reconstructed, 4.6)"
_P, _Q = sympy.symbols("p q", positive=True)
_TINY = "1/10000000000"


def _entropy(values: list[Any], A: Arithmetic) -> Any:
    """-sum p log p with p = values / sum."""
    total = sum(values[1:], values[0])
    shares = [value / total for value in values if value > 0]
    return -sum((share * A.log(share) for share in shares), A.number(0))


def _spectra(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Eigenvalues of A and S, nonnegative, the first ones positive."""
    def values(size: int) -> SearchStrategy[Any]:
        return st.tuples(rationals("1/20", 3, 59), *[rationals(0, 3, 60)] * (size - 1))

    sizes = st.tuples(st.integers(1, 4), st.integers(1, 4))
    return sizes.flatmap(lambda size: instances(A=values(size[0]), S=values(size[1]), eps=rationals("1/10", 2, 19)))


def _products(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    both = [a * s for a in x.A for s in x.S]
    entropies = [_entropy(list(values), A) for values in (x.A, x.S, both)]

    def count(values: Any, level: Any) -> int:
        return sum(bool(value > level) for value in values)

    return {
        "ranks": (count(both, 0), count(x.A, 0) * count(x.S, 0)), "tiny": A.number(_TINY),
        "gap": abs(entropies[2] - entropies[0] - entropies[1]), "least": A.minimum([*x.A, *x.S]),
        "eps_ranks": (count(both, x.eps), count(x.A, x.eps) * count(x.S, x.eps)),
        "sums": (sum(x.A, A.number(0)), sum(x.S, A.number(0))),
    }  # fmt: skip


_NONNEGATIVE = Hypothesis("A, S positive semidefinite", lambda q, c: q.least, ">=", lambda q, c: 0)
_NOT_ZERO = Hypothesis("A, S not 0", lambda q, c: q.sums, ">", lambda q, c: 0)
_CORNERS = {
    "one by one": Instance(A=("1",), S=("1",), eps="1/2"),
    "equal eigenvalues": Instance(A=("1", "1", "1"), S=("2", "2"), eps="1/2"),
    "a rank-one factor": Instance(A=("1", "0"), S=("1", "2"), eps="1/2"),
}
KRONECKER = Statement(
    id="prakash2026/kfac",
    source=_SOURCE,
    title="Rank and effective rank of a Kronecker product",
    text=(
        "A (x) S, both PSD and not 0, has the eigenvalues lambda_i(A) lambda_j(S); its rank and its effective rank "
        "exp(entropy) are the products of the factors'. (Entropies are compared up to 1e-10, the width of enclosures.)"
    ),
    instances=_spectra,
    derive=_products,
    hypotheses=(_NONNEGATIVE, _NOT_ZERO),
    claims=(
        Claim("rank", lambda q, c: q.ranks[0], "=", lambda q, c: q.ranks[1]),
        Claim("effective rank", lambda q, c: q.gap, "<=", lambda q, c: q.tiny),
    ),
    corners=_CORNERS,
    own_proof=(
        steps.argued(
            "eigenvalues", "(A (x) S)(u (x) v) = A u (x) S v", "Products of eigenvectors form an orthogonal eigenbasis."
        ),
        steps.argued("rank", "lambda_i mu_j != 0 iff both are not 0", "Count the pairs."),
        steps.identity(
            "entropy", "-p q log(p q) = -p q log p - p q log q, and shares are products p_i q_j that sum to 1",
            sympy.expand_log(-_P * _Q * sympy.log(_P * _Q)), -_P * _Q * (sympy.log(_P) + sympy.log(_Q)),
        ),
    ),
    reading="effective ranks of the factors A and S",
    fates={f"without {_NONNEGATIVE.name}": still_true("the strategy has no others"),
           f"without {_NOT_ZERO.name}": still_true("the strategy has no others")},
    remarks=("That a layer's GGN block is a Kronecker product is exact for one sample, and an approximation else.",),
)  # fmt: skip
_EPS_RANK = replace(
    KRONECKER,
    text="... and so is its epsilon-rank, the number of eigenvalues above eps.",
    claims=(Claim("epsilon-rank", lambda q, c: q.eps_ranks[0], "=", lambda q, c: q.eps_ranks[1]),),
    own_proof=(),
    reading="epsilon-ranks of the factors",
    fates={},
    remarks=(),
)


# the features' effective rank


def _features(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Singular values of the features before and after: two flat ones, then one with a long tail."""
    plain = st.tuples(*[rationals("1/20", 3, 59)] * 4)
    tail = st.builds(lambda low, count: (Fraction(1), *[low] * count), rationals("1/20", "1/2", 9), st.integers(2, 12))
    return instances(before=st.one_of(plain, st.just(("1", "1"))), after=st.one_of(tail, plain))


def _two_ranks(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    features = [_entropy(list(values), A) for values in (x.before, x.after)]
    factors = [_entropy([value * value for value in values], A) for values in (x.before, x.after)]
    return {"features": features, "factors": factors, "least": A.minimum([*x.before, *x.after])}


_RAISED = Hypothesis("the features' effective rank rises", lambda q, c: q.features[1], ">", lambda q, c: q.features[0])
_LOWER = Statement(
    id=KRONECKER.id,
    source=_SOURCE,
    title="Raising the features' effective rank raises the block's",
    text=(
        "If the effective rank of the features Phi (of their singular values, as the ER objective takes it) rises "
        "and S stays, the effective rank of A (x) S, A = Phi^T Phi / n, rises."
    ),
    instances=lambda dropped: _features(dropped).map(_ordered),
    derive=_two_ranks,
    hypotheses=(_RAISED, Hypothesis("sigma > 0", lambda q, c: q.least, ">", lambda q, c: 0)),
    claims=(Claim("the block's rises", lambda q, c: q.factors[1], ">=", lambda q, c: q.factors[0]),),
    corners={"one large, seven small": Instance(before=("1", "1"), after=("1", *["1/10"] * 7))},
    reading="effective rank of the features",
    remarks=("sigma = (1, 1) has 2 and 2; (1, .1, ..., .1) has 4.4 for the features and 1.4 for A.",),
)  # fmt: skip


def _ordered(instance: Instance) -> Instance:
    """The pair in the order in which the features' effective rank rises."""
    def entropy(values: Any) -> float:
        total = float(sum(values))
        return -sum(float(v) / total * math.log(float(v) / total) for v in values)

    first, second = instance.before, instance.after
    if entropy(first) > entropy(second):
        first, second = second, first
    return Instance(before=first, after=second) if first != second else Instance(before=("1",), after=("1", "1"))


KRONECKER = replace(KRONECKER, readings=(_EPS_RANK, _LOWER))
STATEMENTS = (KRONECKER,)

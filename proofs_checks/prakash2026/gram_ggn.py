"""Statement 1: the loss-weighted Gram matrix and the GGN matrix have the same nonzero spectrum. Proved.

As counts, the epsilon-ranks agree for every eps > 0; as shares of the spectrum, which is how the experiments define the
epsilon-rank, they do not, unless p = n C.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from flint import fmpq, fmpq_mat
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.instance import Instance
from proofs_checks.prakash2026.spectra import count_above, matrix, nonzero_part, rational
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import dyadics, instances, rational_matrices

_PSD = "Lambda is positive semidefinite"


def _problems(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """J (n C x p), a root B of Lambda = B^T B block by block (n samples, C outputs), eps = a power of two."""
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 5))
    small = dyadics(2, 2)

    def built(shape: tuple[int, int, int]) -> SearchStrategy[Instance]:
        samples, outputs, parameters = shape
        blocks = st.tuples(*[rational_matrices(outputs, outputs, small)] * samples)
        return instances(
            J=rational_matrices(samples * outputs, parameters, small), roots=blocks,
            eps=st.sampled_from(["1/64", "1/4", "1", "4"]), power=st.just(1 if _PSD in dropped else 0),
        )  # fmt: skip

    return shapes.flatmap(built)


def _lambda(x: SimpleNamespace) -> fmpq_mat:
    """blockdiag(B_i^T B_i); or blockdiag(B_i^T D B_i) with D of both signs, where that is dropped."""
    size = len(x.J)
    result, start = fmpq_mat(size, size), 0
    for root in x.roots:
        block = matrix(root)
        middle = fmpq_mat(len(root), len(root))
        for i in range(len(root)):
            middle[i, i] = fmpq(-1) if x.power and i == 0 else fmpq(1)
        product = block.transpose() * middle * block
        for i in range(len(root)):
            for j in range(len(root)):
                result[start + i, start + j] = product[i, j]
        start += len(root)
    return result


def _spectra(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """GGN = J^T Lambda J / n, and Gram = B J J^T B^T / n with Lambda = B^T B, similar to the symmetric square root's.

    Both are computed in rational arithmetic, also where the search is in float64: entries are dyadic.
    """
    J, samples = matrix(x.J), fmpq(len(x.roots))
    ggn = J.transpose() * _lambda(x) * J * (1 / samples)
    size, start = len(x.J), 0
    root = fmpq_mat(size, size)
    for block in x.roots:
        for i in range(len(block)):
            for j in range(len(block)):
                root[start + i, start + j] = rational(block[i][j])
        start += len(block)
    gram = root * J * J.transpose() * root.transpose() * (1 / samples)
    eps = rational(x.eps)
    ranks = count_above(ggn, eps), count_above(gram, eps)
    first, second = nonzero_part(ggn), nonzero_part(gram)
    width = max(len(first), len(second))
    return {
        "ggn": _padded(first, width), "gram": _padded(second, width), "eps": x.eps, "psd": x.power == 0, "ranks": ranks,
        "shares": (fmpq(ranks[0], ggn.nrows()), fmpq(ranks[1], gram.nrows())),
    }  # fmt: skip


def _padded(polynomial: tuple[fmpq, ...], width: int) -> tuple[fmpq, ...]:
    return (*[fmpq(0)] * (width - len(polynomial)), *polynomial)


_HYPOTHESES = (
    Predicate(_PSD, lambda q, c: q.psd),
    Hypothesis("eps > 0", lambda q, c: q.eps, ">", lambda q, c: 0),
)
_SAME_COUNT = Claim("the same number of eigenvalues above eps", lambda q, c: q.ranks[0], "=", lambda q, c: q.ranks[1])
_ONE = (("1", "0"), ("0", "1"))
STATEMENT = Statement(
    id="prakash2026/gram-ggn",
    source="Prakash et al. 2026, abstract (reconstructed, 4.1)",
    title="The loss-weighted Gram matrix has the GGN's nonzero spectrum",
    text=(
        "(1/n) J^T Lambda J and (1/n) Lambda^{1/2} J J^T Lambda^{1/2}, Lambda PSD, have the same nonzero eigenvalues "
        "with multiplicity; so the same number of eigenvalues above eps for every eps > 0."
    ),
    instances=_problems,
    derive=_spectra,
    hypotheses=_HYPOTHESES,
    claims=(Claim("the same nonzero spectrum", lambda q, c: q.ggn, "=", lambda q, c: q.gram), _SAME_COUNT),
    corners={
        "p < n C": Instance(J=[("1",), ("2",)], roots=[_ONE], eps="1/4", power=0),
        "p > n C": Instance(J=[("1", "2", "3")], roots=[(("1",),)], eps="1/4", power=0),
        "dependent rows": Instance(J=[("1", "1"), ("1", "1")], roots=[(("1",),), (("2",),)], eps="1", power=0),
        "Lambda is 0": Instance(J=[("1", "1")], roots=[(("0",),)], eps="1", power=0),
    },
    own_proof=(
        steps.argued(
            "X^T X and X X^T", "X = Lambda^{1/2} J / sqrt(n): GGN = X^T X, Gram = X X^T",
            "X^T X v = mu v with mu != 0 gives X v != 0 and X X^T (X v) = mu X v, and v -> X v is a bijection of the "
            "eigenspaces (its inverse is X^T / mu). So multiplicities agree.",
        ),
        steps.argued("counts", "eigenvalues above eps > 0 are nonzero", "Both matrices have the same of these."),
    ),
    reading="numbers of eigenvalues",
    fates={
        f"without {_PSD}": is_false("Lambda has no real root then; B^T D B is not what B J J^T B^T has in it"),
        "without eps > 0": still_true("the strategy has no others"),
    },
    remarks=("curvature.loss_weighted_gram agrees with curvlinops' GGN to 2e-15 relative, on networks.",),
    cost=2.0,
)  # fmt: skip
_SHARES = replace(
    STATEMENT,
    text=(
        "... so the same epsilon-rank for every eps > 0, where the epsilon-rank is the share of the spectrum outside "
        "[-eps, eps], as the experiments define it."
    ),
    claims=(Claim("the same share", lambda q, c: q.shares[0], "=", lambda q, c: q.shares[1]),),
    own_proof=(),
    reading="shares of the spectrum",
    fates={},
    remarks=("The GGN has p eigenvalues, the Gram matrix n C: shares differ by the factor p / (n C).",),
)
STATEMENT = replace(STATEMENT, readings=(_SHARES,))

STATEMENTS = (STATEMENT,)

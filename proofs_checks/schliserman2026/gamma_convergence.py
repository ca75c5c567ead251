"""Lemma 3: Gamma-convergence of equicoercive functionals gives convergence of minimizers. It needs a limit that is not
identically infinite: G_n(x) = a n + (x - b n)^2 is equicoercive, tends to +infinity, and its minimizers b n diverge.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Predicate
from proofs_checks.instance import Instance
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_PROPER, _COERCIVE = "the limit is not identically infinite", "equicoercive"


def _parabolas(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """G_n(x) = a n + b_n + (x - d n - e/n)^2, equicoercive for a > 0 or d = 0, proper for a = 0."""
    found = instances(a=rationals(0, 2, 8), d=rationals(-2, 2, 8), e=rationals(-2, 2, 8), n=rationals(10, 1000, 99))
    if _PROPER in dropped:
        return found
    found = found.map(lambda each: each.with_values(a="0"))
    return found if _COERCIVE in dropped else found.map(lambda each: each.with_values(d="0"))


def _minimizers(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The minimizers x_n = d n + e/n: cluster points (0 or 1), and how far x_n and inf G_n are from those of the
    limit."""
    return {
        "proper": x.a == 0, "coercive": x.a > 0 or x.d == 0, "bounded": bool(x.a >= 0 and x.n >= 1),
        "cluster_points": 1 if x.d == 0 else 0, "off": abs(x.d * x.n + x.e / x.n), "n": x.n, "e": abs(x.e),
        "value": x.a * x.n,
    }  # fmt: skip


_CLUSTER = Claim("minimizers have a convergent subsequence", lambda q, c: q.cluster_points, ">=", lambda q, c: 1)
_SETTING = (
    Predicate("a >= 0, n >= 1", lambda q, c: q.bounded),
    Predicate(_COERCIVE, lambda q, c: bool(q.coercive)),
)
_FATES = {"without a >= 0, n >= 1": still_true("the strategy has no others")}
REPAIR = Statement(
    id="schliserman2026/lemma-03/repair",
    source="this project; Braides 2006",
    title="Gamma-convergence, with a limit that is finite somewhere",
    text=(
        "G_n Gamma-converges to G, not identically +infinity, (G_n) equicoercive: inf G_n -> min G, and every "
        "sequence of minimizers has a subsequence that converges to a minimizer of G. (Checked on parabolas.)"
    ),
    instances=_parabolas,
    derive=_minimizers,
    hypotheses=(*_SETTING, Predicate(_PROPER, lambda q, c: bool(q.proper))),
    claims=(
        _CLUSTER,
        Claim("they tend to the minimizer of the limit", lambda q, c: q.off, "<=", lambda q, c: q.e / q.n),
        Claim("the values tend to its minimum", lambda q, c: q.value, "<=", lambda q, c: 0),
    ),
    corners={"the limit itself": Instance(a="0", d="0", e="0", n="10")},
    own_proof=(
        steps.argued(
            "values are bounded", "limsup inf G_n <= G(z) < infinity for any z with G(z) < infinity",
            "Take the recovery sequence z_n -> z of (b): inf G_n <= G_n(z_n), limsup G_n(z_n) <= G(z).",
        ),
        steps.argued(
            "compactness", "minimizers x_n lie in one compact set for large n",
            "G_n(x_n) <= G(z) + 1, by equicoercivity.",
        ),
        steps.argued(
            "limits minimize", "x_{n_j} -> x implies G(x) <= liminf G_{n_j}(x_{n_j}) = liminf inf G_{n_j} <= inf G",
            "(a) along the subsequence (extended by any recovery sequence of x elsewhere), then the first step over "
            "all z. So x minimizes G, and inf G_n -> min G along every subsequence of a subsequence, hence along all "
            "n. Where G_n has no minimizers, points with G_n(x_n) <= inf G_n + 1/n do the same.",
        ),
    ),
    fates={
        **_FATES,
        f"without {_COERCIVE}": is_false("minimizers d n run away from parabolas of one height"),
        f"without {_PROPER}": is_false("equicoercive and diverging"),
    },
)  # fmt: skip
STATEMENT = replace(
    REPAIR,
    id="schliserman2026/lemma-03",
    source="Schliserman et al. 2026, Lemma 3 (Braides 2006)",
    title="Gamma-convergence and minimizers",
    text=(
        "G_n Gamma-converges to G and (G_n) is equicoercive: inf G_n -> min G, and every sequence of minimizers has a "
        "subsequence converging to a minimizer of G. (Instances: parabolas, G identically +infinity included.)"
    ),
    instances=lambda dropped: _parabolas(dropped | {_PROPER}).map(_some_coercive),
    hypotheses=_SETTING,
    claims=(_CLUSTER,),
    corners={"the limit itself": Instance(a="0", d="0", e="0", n="10")},
    own_proof=(),
    proof=(steps.cited("Lemma 3", "the fundamental theorem of Gamma-convergence", "Braides 2006"),),
    fates={},
    repair=REPAIR,
    remarks=(
        "In Theorems 1 and 13 the limit is finite on C_tau, which is not empty, so their use of the lemma is sound.",
        "G_n(x) = a n + (x - d n)^2 with a > 0: {G_n <= c} is empty for n > c/a and within |d| c/a + sqrt(c) of 0 "
        "before.",
    ),
)


def _some_coercive(instance: Instance) -> Instance:
    return instance if instance.a > 0 or instance.d == 0 else instance.with_values(a="1")


STATEMENTS = (STATEMENT,)

"""Statement 4: a threshold on the (epsilon-)rank of the Hessian at task start as a necessary condition for training.

For ReLU networks, which are linear in every single weight, rank 0 means zero output gradients: gradient descent does
not move, so rank >= 1 is necessary. Any such threshold on the epsilon-rank is refuted (scale the task down and the
step up), and so is the one on the rank for models in which a weight enters twice (squared linear).
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.prakash2026.two_layers import derivatives, networks, strictly_dead
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, rationals

_SOURCE = "Prakash et al. 2026, abstract (reconstructed, 4.4)"


def _starts(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Networks without output bias, some units dead."""
    return st.builds(_partly_dead, networks(2), st.integers(0, 3))


def _partly_dead(instance: Instance, which: int) -> Instance:
    units = [(w, "-9" if which >> j & 1 else b, a) for j, (w, b, a) in enumerate(instance.units)]
    return instance.with_values(units=units, bias="0")


def _start(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Rank of the Hessian and whether the gradient is 0, in the weights of the units (the output bias is no
    parameter)."""
    strictly_dead(x)
    hessian, gradient = derivatives(x)
    size = hessian.nrows() - 1
    entries = [hessian[i, j] for i in range(size) for j in range(size)]
    moves = any(gradient[i, 0] != 0 for i in range(size))
    nonzero = any(entry != 0 for entry in entries)
    return {"moves": int(moves), "rank_is_positive": int(nonzero)}


_UNIT, _ALIVE = (("1",), "-9", "1"), (("1",), "1", "1")
RANK = Statement(
    id="prakash2026/tau-trainability",
    source=_SOURCE,
    title="A task is trainable only if the Hessian's rank reaches a threshold",
    text=(
        "ReLU network without output bias, squared loss: gradient descent leaves theta_0 only if rank H_tau(theta_0) "
        ">= 1 (the threshold rho_tau = 1, the largest that is necessary for every task)."
    ),
    instances=_starts,
    derive=_start,
    claims=(Claim("moves only if the rank is positive", lambda q, c: q.moves, "<=", lambda q, c: q.rank_is_positive),),
    corners={
        "every unit is dead": Instance(units=[_UNIT], bias="0", data=[(("1",), "1"), (("2",), "1")]),
        "alive": Instance(units=[_ALIVE], bias="0", data=[(("1",), "1"), (("2",), "3")]),
        "fitted": Instance(units=[_ALIVE], bias="0", data=[(("1",), "2"), (("2",), "3")]),
    },
    own_proof=(
        steps.argued(
            "one weight", "d^2 L / dw^2 = (1/n) sum_i (df_i/dw)^2 for every single weight w",
            "f is affine in each weight near a twice differentiable point, so d^2 f_i / dw^2 = 0.",
        ),
        steps.argued(
            "rank 0", "H = 0 implies df_i/dw = 0 for all i and w, so grad L = (1/n) sum_i r_i grad f_i = 0",
            "The diagonal of H vanishes.",
        ),
        steps.argued(
            "no more than 1", "a [w x]_+ at y = 3 a w x has a Hessian of rank 1 and trains",
            "H = [[w^2 x^2, 2 a w x^2 - y x], [., a^2 x^2]] has the determinant a^2 w^2 x^4 - (2 a w x^2 - y x)^2 = "
            "0 there.",
        ),
    ),
    reading="the rank, ReLU networks",
)  # fmt: skip


def _small_tasks(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """a [w x]_+ with a = w = s, x = 1, y = 2 s^2, and one step of about (sqrt(2) - 1) / s^2."""
    return instances(s=st.sampled_from(["1", "1/10", "1/100", "1/1000"]), step=rationals("2/5", "43/100", 10),
                     eps=st.sampled_from(["1/1000", "1/100", "1/10"]))  # fmt: skip


def _one_step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """H = s^2 [[1, 0], [0, 1]] at y = 2 s^2: both eigenvalues are s^2."""
    square = x.s * x.s
    moved = x.s + x.step / square * x.s * square
    before, after = square - 2 * square, moved * moved - 2 * square
    return {
        "trained": int(bool(100 * after * after <= before * before)), "rank": 2 * int(bool(square > x.eps)), "s": x.s,
    }  # fmt: skip


_EPSILON = Statement(
    id=RANK.id,
    source=_SOURCE,
    title=RANK.title,
    text=(
        "A task on which gradient descent brings the loss down by 99 % has an epsilon-rank of at least 1 at the "
        "start, for a fixed eps > 0. (Instances: a [w x]_+, a = w = s, y = 2 s^2, one step.)"
    ),
    instances=_small_tasks,
    derive=_one_step,
    hypotheses=(Hypothesis("s > 0", lambda q, c: q.s, ">", lambda q, c: 0),),
    claims=(Claim("trained only if", lambda q, c: q.trained, "<=", lambda q, c: q.rank),),
    corners={"a small task": Instance(s="1/100", step="29/70", eps="1/100")},
    reading="the epsilon-rank, fixed eps",
    remarks=("Meaningful thresholds depend on the step: see linearized-necessary, where eps and eta appear together.",),
)  # fmt: skip


def _squared(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """u^2 from u = 1 with the label y, and one step."""
    return instances(y=rationals(2, 4, 20), step=rationals("3/20", "1/4", 20))


def _squared_step(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """L = (u^2 - y)^2 / 2 at u = 1: L' = 2 (1 - y), L'' = 6 - 2 y."""
    moved = 1 - x.step * 2 * (1 - x.y)
    before, after = 1 - x.y, moved * moved - x.y
    return {
        "trained": int(bool(100 * after * after <= before * before)), "rank": int(bool(6 - 2 * x.y != 0)), "y": x.y,
    }  # fmt: skip


_SQUARED = Statement(
    id=RANK.id,
    source=_SOURCE,
    title=RANK.title,
    text=(
        "The same threshold, rank H >= 1, for homogeneous models in which weights enter twice. (Instances: u^2, one "
        "step.)"
    ),
    instances=_squared,
    derive=_squared_step,
    claims=(Claim("trained only if", lambda q, c: q.trained, "<=", lambda q, c: q.rank),),
    corners={"an inflection point": Instance(y="3", step="183/1000")},
    reading="the rank, squared linear models",
)  # fmt: skip


# the tail bound

_INDEPENDENT = "units die independently"


def _units(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Probabilities of staying dead, and how many dead units training can bear."""
    probability = rationals("1/10", 1, 18)
    found = st.integers(1, 8).flatmap(
        lambda count: instances(q=st.tuples(*[probability] * count), bear=st.integers(0, 3), together=st.just(0))
    )
    if _INDEPENDENT in dropped:
        found = st.just(Instance(q=["1/2"] * 8, bear=0, together=1))
    return found.map(lambda each: each.with_values(bear=0) if sum(each.q) <= each.bear else each)


def _tail(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """P(D <= bear), D the number of dead units: a Poisson binomial, or all units together."""
    chances = [A.number(1)]
    for q in x.q:
        chances = [
            (chances[k] * (1 - q) if k < len(chances) else 0) + (chances[k - 1] * q if k else 0)
            for k in range(len(chances) + 1)
        ]
    tail = sum(chances[: x.bear + 1], A.number(0)) if not x.together else 1 - x.q[0]
    mean, count = sum(x.q, A.number(0)), len(x.q)
    gap = A.maximum([A.number(0), mean - x.bear])
    return {
        "tail": tail, "gap": gap, "count": count, "exp": A.exp, "together": x.together, "mean": mean, "bear": x.bear,
        "least": A.minimum(x.q), "largest": A.maximum(x.q),
    }  # fmt: skip


TAIL = Statement(
    id="prakash2026/trainability-tail",
    source=_SOURCE,
    title="If many units stay dead, the next task is probably not trainable",
    text=(
        "h units stay dead across a task shift, independently, with probabilities q_j; training needs rank H >= rho. "
        "With k = fan_in + 1 + fan_out and a = (p - rho)/k < sum q_j: P(rank H >= rho) <= P(D <= a) <= exp(-2 (sum "
        "q_j - a)^2 / h)."
    ),
    instances=_units,
    derive=_tail,
    hypotheses=(
        Predicate(_INDEPENDENT, lambda q, c: q.together == 0, silent=True),
        Hypothesis("0 <= q_j <= 1", lambda q, c: (q.least, 1 - q.largest), ">=", lambda q, c: (0, 0)),
        Hypothesis("a < sum q_j", lambda q, c: q.bear, "<=", lambda q, c: q.mean),
    ),
    claims=(
        Claim("tail", lambda q, c: q.tail, "<=", lambda q, c: q.exp(-c.two * q.gap * q.gap / q.count)),
    ),
    constants={"two": Constant(2, "up", "the 2 of Hoeffding's exponent")},
    corners={
        "all dead for certain": Instance(q=("1", "1", "1"), bear=0, together=0),
        "one unit": Instance(q=("1/2",), bear=0, together=0),
        "eight fair coins": Instance(q=["1/2"] * 8, bear=0, together=0),
    },
    own_proof=(
        steps.argued(
            "rank", "rank H >= rho implies D <= (p - rho)/k", "Statement 2: rank H <= p - k D (proved)."
        ),
        steps.argued(
            "Hoeffding's lemma", "E exp(-t (X - q)) <= exp(t^2/8) for X in {0, 1} with mean q",
            "phi(t) = log E exp(-t (X - q)) has phi(0) = phi'(0) = 0 and phi''(t) is a variance of a variable with "
            "values in an interval of length 1, so at most 1/4.",
        ),
        steps.argued(
            "Markov", "P(D <= a) <= exp(-t (sum q - a)) prod exp(t^2/8), minimal at t = 4 (sum q - a)/h",
            "Independence makes the product; the exponent becomes -2 (sum q - a)^2/h.",
        ),
    ),
    fates={
        f"without {_INDEPENDENT}": is_false("eight units that die together: P(D = 0) = 1/2 > exp(-4)"),
        "two doubled": is_false("few units with probability near 1/2"),
        "without 0 <= q_j <= 1": still_true("the strategy has no others"),
        "without a < sum q_j": still_true("then the bound is 1"),
    },
    remarks=("That units die independently is an assumption of this bound; correlated deaths make it false.",),
)  # fmt: skip

RANK = replace(RANK, readings=(_EPSILON, _SQUARED))
STATEMENTS = (RANK, TAIL)

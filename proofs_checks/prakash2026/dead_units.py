"""Statements 2 and 3: dead units bound the Hessian's rank, and stay dead where the data move little. Both proved.

Rank: a unit must be inactive strictly (at pre-activation 0 the point is not twice differentiable) and the loss must
be the data's alone (weight decay adds a multiple of the identity). Persistence: it is the distance from X' to X that
counts, the directed Hausdorff distance sup over X' of the distance to X, not the other way round.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from flint import fmpq
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks import steps
from proofs_checks.arithmetic import Arithmetic, add, dot, subtract
from proofs_checks.condition import Claim, Hypothesis, Predicate
from proofs_checks.constants import Constant
from proofs_checks.instance import Instance
from proofs_checks.planar import square_length
from proofs_checks.prakash2026.two_layers import derivatives, networks, strictly_dead
from proofs_checks.statement import Statement, is_false, still_true
from proofs_checks.strategies import instances, nonzero_vectors, rationals, vectors

# statement 2

_NO_DECAY = "no weight decay"


def _with_dead_units(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """Some units are pushed far below 0; weight decay where its absence is dropped."""
    pushed = st.integers(0, 7)
    return st.builds(_pushed, networks(), pushed, st.just("1" if _NO_DECAY in dropped else "0"))


def _pushed(instance: Instance, which: int, decay: str) -> Instance:
    units = [(w, "-9" if which >> j & 1 else b, a) for j, (w, b, a) in enumerate(instance.units)]
    return instance.with_values(units=units, decay=decay)


def _rank(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """Computed in rational arithmetic also where the search is in float64: entries are dyadic."""
    dead = sum(strictly_dead(x))
    hessian, _ = derivatives(x)
    size, share = hessian.nrows(), len(x.units[0][0]) + 2
    decay = fmpq(0) if x.decay == 0 else fmpq(1)
    for i in range(size):
        hessian[i, i] += decay
    return {"rank": int(hessian.rank()), "p": size, "dead": dead, "share": share, "decay": x.decay}


_UNIT, _ALIVE = (("1",), "-9", "1"), (("1",), "1", "1")
RANK = Statement(
    id="prakash2026/dead-units-bound-the-rank",
    source="Prakash et al. 2026, abstract (reconstructed, 4.2)",
    title="Dead units bound the Hessian's rank",
    text=(
        "Two-layer ReLU network, m units strictly inactive on every sample, data loss only: rank H <= p - m (fan_in "
        "+ 1 + fan_out) at twice differentiable points. (Instances: one output, squared loss, biases.)"
    ),
    instances=_with_dead_units,
    derive=_rank,
    hypotheses=(Predicate(_NO_DECAY, lambda q, c: bool(q.decay == 0), silent=True),),
    claims=(Claim("rank", lambda q, c: q.rank, "<=", lambda q, c: q.p - c.units * q.dead * q.share),),
    constants={"units": Constant(1, "up", "factor of m (fan_in + 1 + fan_out)")},
    corners={
        "every unit is dead": Instance(units=[_UNIT], bias="0", data=[(("1",), "1"), (("2",), "1")], decay="0"),
        "none is": Instance(units=[_ALIVE], bias="0", data=[(("1",), "1"), (("2",), "3")], decay="0"),
        "one of two": Instance(units=[_UNIT, _ALIVE], bias="1", data=[(("1",), "1"), (("2",), "3")], decay="0"),
        "a duplicated sample": Instance(units=[_ALIVE], bias="0", data=[(("1",), "1"), (("1",), "1")], decay="0"),
    },
    own_proof=(
        steps.argued(
            "zero rows", "a strictly dead unit's rows and columns of H are 0",
            "Pre-activations stay negative near theta on the finitely many samples, so the loss does not depend on "
            "w, b, a of the unit there: all derivatives with one index among them vanish.",
        ),
        steps.argued("rank", "rank H <= p - number of zero rows", "Each dead unit has fan_in + 1 + fan_out of them."),
    ),
    fates={
        "units doubled": is_false("a full-rank remainder: the output bias alone has rank 1"),
        f"without {_NO_DECAY}": is_false("weight decay adds a multiple of the identity"),
    },
    remarks=(
        "With several layers the rows of a dead unit's weights vanish, too, and so do those of weights that act "
        "through dead units only: the bound holds and is not sharp.",
    ),
    cost=2.0,
)  # fmt: skip


# statement 3

_DIRECTED, _REVERSED = "from X' to X", "from X to X'"


def _shifts(dropped: frozenset[str]) -> SearchStrategy[Instance]:
    """X, a unit with its bias set to the margin gamma, and X': points of X moved by less than gamma / ||w||."""
    samples = st.lists(vectors(2), min_size=1, max_size=3).map(tuple)
    share = rationals(1, 3, 20) if "close" in dropped else rationals(0, "99/100", 30)
    return instances(
        w=nonzero_vectors(2), gamma=rationals("1/10", 2, 19), X=samples, move=nonzero_vectors(2), share=share,
        toward=st.integers(0, 1), extra=st.just(0),
    )  # fmt: skip


def _moved(x: SimpleNamespace, A: Arithmetic, c: SimpleNamespace) -> dict[str, Any]:
    """The bias is -gamma - max <w, x>; every point moves by share gamma/||w|| along w, or along ``move``."""
    bias = -x.gamma - A.maximum([dot(x.w, sample) for sample in x.X])
    direction = x.w if x.toward else x.move
    length2 = square_length(direction)
    if length2 == 0:
        direction, length2 = x.w, square_length(x.w)
    step = x.share * x.gamma / A.sqrt(square_length(x.w) * length2)
    shift = tuple(step * entry for entry in direction)
    moved = [add(sample, shift) for sample in x.X]
    if x.extra:  # X' gains a far point: its distance from X' to X is large, the one from X to X' is not
        moved.append(add(x.X[0], tuple(9 * x.gamma / square_length(x.w) * entry for entry in x.w)))
    preactivations = [dot(x.w, sample) + bias for sample in moved]
    return {
        "largest": A.maximum(preactivations), "norm2": square_length(x.w), "gamma": x.gamma,
        _DIRECTED: _hausdorff2(moved, x.X, A), _REVERSED: _hausdorff2(x.X, moved, A),
    }  # fmt: skip


def _hausdorff2(points: Any, others: Any, A: Arithmetic) -> Any:
    """max over points of the squared distance to the nearest of the others."""
    return A.maximum([A.minimum([square_length(subtract(p, q)) for q in others]) for p in points])


def _close(direction: str) -> Hypothesis:
    return Hypothesis("close", lambda q, c: getattr(q, direction) * q.norm2, "<", lambda q, c: q.gamma * q.gamma)


PERSISTENCE = Statement(
    id="prakash2026/dead-units-persist",
    source="Prakash et al. 2026, abstract (reconstructed, 4.3)",
    title="Dead units stay dead where the data move little",
    text=(
        "A unit dead on X with margin gamma = min over X of -(<w, x> + b) > 0 is dead on X' if sup over x' in X' of "
        "d(x', X) < gamma / ||w||."
    ),
    instances=_shifts,
    derive=_moved,
    hypotheses=(
        _close(_DIRECTED),
        Hypothesis("gamma > 0", lambda q, c: q.gamma, ">", lambda q, c: 0),
        Hypothesis("w is not 0", lambda q, c: q.norm2, ">", lambda q, c: 0),
    ),
    claims=(Claim("dead on X'", lambda q, c: q.largest, "<", lambda q, c: 0),),
    corners={
        "nearly gamma": Instance(
            w=("1", "0"), gamma="1", X=[("0", "0")], move=("1", "0"), share="999/1000", toward=1, extra=0
        ),
        "no move": Instance(w=("3", "4"), gamma="1/10", X=[("1", "1")], move=("1", "0"), share="0", toward=0, extra=0),
    },
    own_proof=(
        steps.argued(
            "Cauchy and Schwarz", "<w, x'> + b <= <w, x> + b + ||w|| ||x' - x|| <= -gamma + ||w|| ||x' - x|| < 0",
            "With x in X nearest to x' (X is finite, or closed).",
        ),
    ),
    reading="the distance from X' to X",
    fates={
        "without close": is_false("a move by gamma / ||w|| along w reaches 0"),
        "without gamma > 0": still_true("the strategy has no others"),
        "without w is not 0": still_true("then the unit is b < 0 everywhere, and gamma / 0 is read as infinity"),
    },
)  # fmt: skip
_OTHER_WAY = replace(
    PERSISTENCE,
    text="The same with the other directed distance, sup over x in X of d(x, X') < gamma / ||w||.",
    instances=lambda dropped: st.builds(
        lambda each, extra: each.with_values(extra=extra), _shifts(dropped), st.integers(0, 1)
    ),
    hypotheses=(_close(_REVERSED), *PERSISTENCE.hypotheses[1:]),
    corners={},
    own_proof=(),
    reading="the distance from X to X'",
    fates={},
)
PERSISTENCE = replace(PERSISTENCE, readings=(_OTHER_WAY,))

STATEMENTS = (RANK, PERSISTENCE)

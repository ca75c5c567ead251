"""True statements that are known to everybody, for the tests of the engine."""

from __future__ import annotations

from proofs_checks import Claim, Constant, Instance, Statement, is_false
from proofs_checks.arithmetic import dot
from proofs_checks.strategies import instances, positive_rationals, vectors

CAUCHY_SCHWARZ = Statement(
    id="samples/cauchy-schwarz",
    source="folklore",
    title="Cauchy and Schwarz",
    text="<u, v>^2 <= factor ||u||^2 ||v||^2",
    instances=lambda dropped: instances(u=vectors(2), v=vectors(2)),
    derive=lambda x, A, c: {"left": dot(x.u, x.v) ** 2, "right": c.factor * dot(x.u, x.u) * dot(x.v, x.v)},
    claims=(Claim("bounded", lambda q, c: q.left, "<=", lambda q, c: q.right),),
    constants={"factor": Constant(1, "down")},
    corners={"parallel": Instance(u=("1", "2"), v=("2", "4"))},
    fates={"factor halved": is_false("equality for parallel vectors")},
)
MEANS = Statement(
    id="samples/means",
    source="folklore",
    title="Arithmetic and geometric mean",
    text="4 a b <= factor (a + b)^2 for a, b > 0",
    instances=lambda dropped: instances(a=positive_rationals(), b=positive_rationals()),
    derive=lambda x, A, c: {"left": 4 * x.a * x.b, "right": c.factor * (x.a + x.b) ** 2},
    claims=(Claim("means", lambda q, c: q.left, "<=", lambda q, c: q.right),),
    constants={"factor": Constant(1, "down")},
)
EXPONENTIAL = Statement(
    id="samples/exponential",
    source="folklore",
    title="The exponential above its tangent",
    text="1 + x <= factor e^x for x >= 0",
    instances=lambda dropped: instances(x=positive_rationals(extreme=False)),
    derive=lambda x, A, c: {"left": 1 + x.x, "right": c.factor * A.exp(x.x)},
    claims=(Claim("tangent", lambda q, c: q.left, "<=", lambda q, c: q.right),),
    constants={"factor": Constant(1, "down")},
)
TRUE = (CAUCHY_SCHWARZ, MEANS, EXPONENTIAL)

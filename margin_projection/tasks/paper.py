"""The task constructions of Schliserman et al. 2026: Theorem 5's pair and the three panels of Figure 1."""

from __future__ import annotations

from margin_projection._validation import InputError, check_choice, check_real
from margin_projection.tasks.task import Task

# Panel -> (samples, labels): (a) for Linear(2), (b) for SimplifiedReLU(2), (c) for SquaredLinear(1).
_PANELS: dict[str, tuple[list[list[float]], list[float]]] = {
    "a": ([[5.0, -1.0], [2.0, 2.0]], [1.0, 1.0]),
    "b": ([[2.0]], [1.0]),
    "c": ([[2.0]], [1.0]),
}


def catastrophic_pair(eps: float = 0.005, kind: str = "classification") -> list[Task]:
    """The two one-sample tasks of Theorem 5 (classification) and Lemma 14 (regression), for ``SquaredLinear(2)``.

    x_1 = (1/9 + eps, 1 - eps) and x_2 = (1/9 - eps, -1 - eps), both with y = 1.

    Args:
        eps: in the open interval (0, 0.01) (default 0.005).
        kind: "classification" (default) or "regression".

    Returns:
        [task 1, task 2], each with X of shape (1, 2).

    Raises:
        InputError: eps is not in (0, 0.01), or the kind is unknown.

    >>> first, second = catastrophic_pair(eps=0.005)
    >>> (first.X + second.X).round(12).tolist()
    [[0.222222222222, -0.01]]
    """
    eps = check_real("eps", eps, 0.0, 0.01, open_below=True)
    if eps == 0.01:
        raise InputError("eps", eps, "in the open interval (0, 0.01)")
    samples = ((1 / 9 + eps, 1 - eps), (1 / 9 - eps, -1 - eps))
    return [Task([x], [1.0], kind, f"catastrophic {m}") for m, x in enumerate(samples, start=1)]


def figure1(panel: str) -> Task:
    """The classification task of one panel of Figure 1, all labels +1.

    Args:
        panel: "a" (X = [[5, -1], [2, 2]], for ``Linear(2)``), "b" (X = [[2]], for ``SimplifiedReLU(2)``) or
            "c" (X = [[2]], for ``SquaredLinear(1)``).

    Raises:
        InputError: the panel is unknown.

    >>> figure1("a").X.tolist()
    [[5.0, -1.0], [2.0, 2.0]]
    """
    check_choice("panel", panel, _PANELS)
    samples, labels = _PANELS[panel]
    return Task(samples, labels, "classification", f"figure 1{panel}")

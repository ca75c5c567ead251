"""Formulas that are written in plain text, set for a page: Greek letters, relations, norms, sub- and superscripts."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "eta": "η", "theta": "θ",
    "Theta": "Θ", "kappa": "κ", "lambda": "λ", "lam": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "Lambda": "Λ", "infinity": "∞",
}  # fmt: skip
_SIGNS = (("&lt;=", "≤"), ("&gt;=", "≥"), ("||", "‖"), ("+-", "±"), ("-&gt;", "→"), (" (x) ", " ⊗ "), ("!=", "≠"))
_WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(sorted(_GREEK, key=len, reverse=True)) + r")(?![A-Za-z-])")
_RAISED = re.compile(r"\^(\{[^{}]*\}|-?[A-Za-z0-9]+(?:\.[0-9]+)?|\*)")
_LETTERS = "A-Za-z0-9" + "".join(_GREEK.values())
_LOWERED = re.compile(rf"(?<=[{_LETTERS})|\]*])_(\{{[^{{}}]*\}}|[{_LETTERS}]+(?:\*)?|\+)")


def typeset(text: str) -> Markup:
    """Plain text as HTML.

    >>> str(typeset("d(theta_t, C*) <= exp(-k/(4 M^2 kappa^2)) ||x||"))
    'd(θ<sub>t</sub>, C*) ≤ exp(-k/(4 M<sup>2</sup> κ<sup>2</sup>)) ‖x‖'
    >>> str(typeset("1/sigma^2. k^0.25 drifts"))
    '1/σ<sup>2</sup>. k<sup>0.25</sup> drifts'
    """
    shown = str(escape(text))
    for written, sign in _SIGNS:
        shown = shown.replace(written, sign)
    shown = _WORD.sub(lambda match: _GREEK[match[1]], shown)
    shown = _RAISED.sub(lambda match: f"<sup>{match[1].strip('{}')}</sup>", shown)
    shown = _LOWERED.sub(lambda match: f"<sub>{match[1].strip('{}')}</sub>", shown)
    return Markup(shown)  # escaped above

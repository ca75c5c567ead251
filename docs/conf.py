"""Sphinx: the pages of this folder, and the API reference from the docstrings."""

import re

from margin_projection import __version__

project = "margin_projection"
author = "margin_projection contributors"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "margin_projection"
html_use_index = True
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
myst_heading_anchors = 3
napoleon_google_docstring = True
suppress_warnings = ["myst.xref_missing", "myst.header", "ref.python"]
default_role = "code"
_BEFORE_NAPOLEON = 400


def _escaped(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text with formulas: stars, bars and trailing underscores mean themselves outside of code."""
    for number, line in enumerate(lines):
        parts = re.split(r"(``.*?``|`.*?`)", line)
        parts[::2] = [re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _escaped, priority=_BEFORE_NAPOLEON)  # type: ignore[attr-defined]

"""The static report: verdicts with a page for each statement, figures, checks, and how to reproduce every number."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from margin_projection._files import writable_folder, write_atomically
from margin_projection.verify.findings import Part
from margin_projection.verify.typeset import typeset

FOLDER = "report"
STATUSES = ("proved", "supported", "refuted", "vacuous", "unknown")
_SOURCES = {
    "schliserman2026": "Schliserman et al.: Convergence of Continual Learning in Homogeneous Deep Networks",
    "prakash2026": "Prakash et al.: Spectral Collapse Drives Loss of Plasticity (reconstructed statements)",
    "controls": "Controls: statements of predecessors that are known to hold",
}


def build_site(out: str | Path, record: Mapping[str, Any], parts: Mapping[str, Part]) -> Path:
    """Write ``out``/report/index.html, a page for each statement, copies of the figures, and one page with a script.

    Args:
        out: the folder of the job; its figures are in ``out``/figures.
        record: what verify.json holds.
        parts: name -> part, as they ran.

    Returns:
        The path of index.html.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = writable_folder("out", Path(out) / FOLDER)
    pages, pictures = writable_folder("out", folder / "statements"), writable_folder("out", folder / "figures")
    environment = Environment(
        loader=PackageLoader("margin_projection.verify"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"exact": _exact, "typeset": typeset}
    rows = parts["verdicts"].results["rows"] if "verdicts" in parts else []
    figures = [each for part in parts.values() if (each := _figure(part, Path(out) / "figures", pictures)) is not None]
    shared = {"versions": record["versions"], "settings": record["settings"], "statuses": STATUSES}
    for row in rows:
        page = environment.get_template("statement.html.j2").render(row=row, slug=_slug(row["id"]), **shared)
        write_atomically(pages / f"{_slug(row['id'])}.html", page.encode())
    groups = [
        {"name": name, "title": title, "rows": [row for row in rows if row["id"].startswith(f"{name}/")]}
        for name, title in _SOURCES.items()
    ]
    index = environment.get_template("index.html.j2").render(
        groups=[group for group in groups if group["rows"]], figures=figures, record=record, slug=_slug,
        counts={status: sum(row["status"] == status for row in rows) for status in STATUSES}, **shared,
    )  # fmt: skip
    scripts = {name: Markup(_source(environment, f"{name}.js")) for name in ("projections", "interactive")}
    page = environment.get_template("interactive.html.j2").render(**scripts)
    write_atomically(folder / "interactive.html", page.encode())
    write_atomically(folder / "style.css", environment.get_template("style.css").render().encode())
    return write_atomically(folder / "index.html", index.encode())


def _figure(part: Part, source: Path, target: Path) -> dict[str, Any] | None:
    """Copy a part's picture and its data; its name, caption and title."""
    if part.figure is None:
        return None
    module, _ = part.figure
    name = module.NAME  # type: ignore[attr-defined]
    if not (source / f"{name}.png").is_file():
        return None
    for suffix in (".png", ".pdf", ".json"):
        shutil.copyfile(source / f"{name}{suffix}", target / f"{name}{suffix}")
    caption = (source / f"{name}.txt").read_text(encoding="utf-8")
    return {"name": name, "title": part.title, "caption": " ".join(caption.split())}


def _source(environment: Environment, name: str) -> str:
    """A file beside the templates, as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _slug(identifier: str) -> str:
    return identifier.replace("/", "-")


def _exact(value: Any) -> str:
    """An instance's value as a reader writes it: (1, 1/9) instead of ['1', '1/9']."""
    if isinstance(value, list):
        return "(" + ", ".join(map(_exact, value)) + ("," if len(value) == 1 else "") + ")"
    return str(value)

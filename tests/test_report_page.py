"""The interactive page in headless Chromium, where it is installed: its formulas against the library, and no errors."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import margin_projection as mp
from figures.figure_1 import model_of

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
TEMPLATES = Path(mp.__file__).parent / "verify" / "templates"
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium")


def dom_of(page):
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    run = subprocess.run([BROWSER, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in run.stderr, run.stderr
    return run.stdout


def evaluated(expression, tmp_path):
    """What the formulas of the page say, as JSON."""
    script = (TEMPLATES / "projections.js").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    told = f"document.getElementById('out').textContent = JSON.stringify({expression});"
    body = f"<pre id='out'></pre><script>{script}\n{told}</script>"
    page.write_text(f"<!doctype html><meta charset='utf-8'>{body}", encoding="utf-8")
    return json.loads(html.unescape(re.search(r"<pre id=.out.>(.*?)</pre>", dom_of(page), re.S)[1]))


def test_projections_are_those_of_the_library(tmp_path):
    rng = np.random.default_rng(0)
    starts = [*rng.uniform(-1.5, 1.5, (40, 2)).round(3).tolist(), [-1.0, -1.0], [0.0, 0.0], [0.0, 0.75], [0.2, 0.2]]
    for panel in "abc":
        found = evaluated(f"{json.dumps(starts)}.map((w) => SETS.{panel}.onto(w))", tmp_path)
        target = mp.MarginSet(model_of(panel), mp.tasks.figure1(panel))
        for start, points in zip(starts, found, strict=True):
            expected = np.asarray(mp.project(np.array(start), target, all_minimizers=True).minimizers)
            assert len(points) == len(expected), (panel, start, points, expected)
            for point in points:
                assert np.abs(expected - point).sum(axis=1).min() < 1e-6, (panel, start)


def test_the_trajectory_is_that_of_the_library(tmp_path):
    found = np.array(evaluated("trajectory([0.3, 0.2], 12)", tmp_path))
    start = np.array([0.0, 0.3, 0.0, 0.2])
    tasks = mp.tasks.catastrophic_pair(eps=0.005)
    run = mp.sequential_projections(mp.networks.SquaredLinear(2), tasks, start=start, num_steps=12)
    np.testing.assert_allclose(found, run.points[0][:, [1, 3]], atol=1e-6)


def test_the_page_draws_and_tells(tmp_path):
    """The page as the report has it, with the text that it writes for the first set."""
    scripts = [(TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in ("projections", "interactive")]
    text = (TEMPLATES / "interactive.html.j2").read_text(encoding="utf-8").split("{% block body %}")[1]
    body = text.split("{% endblock %}")[0].replace("{{ projections }}", scripts[0])
    body = body.replace("{{ interactive }}", scripts[1])
    page = tmp_path / "interactive.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'>{body}", encoding="utf-8")
    assert "1 nearest point: (0.2500, 0.2500); distance 1.767767" in dom_of(page)

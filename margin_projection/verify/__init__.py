"""The main job: what the papers' own examples and a run on real data show, checked from raw values.

``python -m margin_projection.verify --out out``
"""

from margin_projection.verify.findings import Check, Claim, Part, Verdict
from margin_projection.verify.job import PARTS, run

__all__ = ["PARTS", "Check", "Claim", "Part", "Verdict", "run"]

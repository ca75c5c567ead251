"""Regularity of margin sets at a point, each figure as an interval."""

from margin_projection.regularity.basin import Basin
from margin_projection.regularity.interval import Interval
from margin_projection.regularity.paper import PaperFormulas, paper_formulas
from margin_projection.regularity.regularity import regularity
from margin_projection.regularity.report import PointState, RegularityReport

__all__ = ["Basin", "Interval", "PaperFormulas", "PointState", "RegularityReport", "paper_formulas", "regularity"]

"""Regularity of margin sets at a point, each figure as an interval."""

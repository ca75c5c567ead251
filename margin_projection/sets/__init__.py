"""Margin sets of tasks and their intersections."""

from margin_projection.sets.margin_set import ConstraintSystem, MarginSet, intersection

__all__ = ["ConstraintSystem", "MarginSet", "intersection"]

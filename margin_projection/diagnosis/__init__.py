"""Which conditions of the theory hold for the network and the tasks at hand, and what to change where they fail."""

from margin_projection.diagnosis.degree_groups import DegreeGroups, Homogeneity, ParameterGroup, degree_groups

__all__ = ["DegreeGroups", "Homogeneity", "ParameterGroup", "degree_groups"]

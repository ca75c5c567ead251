"""Which conditions of the theory hold for the network and the tasks at hand, and what to change where they fail."""

from margin_projection.diagnosis.condition import Condition, Verdict
from margin_projection.diagnosis.degree_groups import DegreeGroups, Homogeneity, ParameterGroup, degree_groups
from margin_projection.diagnosis.diagnose import diagnose
from margin_projection.diagnosis.diagnosis import Diagnosis
from margin_projection.diagnosis.separation import Separation, SeparationStatus

__all__ = [
    "Condition",
    "DegreeGroups",
    "Diagnosis",
    "Homogeneity",
    "ParameterGroup",
    "Separation",
    "SeparationStatus",
    "Verdict",
    "degree_groups",
    "diagnose",
]

"""Margin sets of homogeneous networks, certified projections onto them, and sequences of projections."""

from margin_projection import diagnosis, networks, projections, rates, regularization, sets, tasks, trajectories
from margin_projection._validation import InputError
from margin_projection.diagnosis import Diagnosis, diagnose
from margin_projection.projections import Projection, ProjectionError, Status, project
from margin_projection.rates import compare_rates, observed_rate, predicted_rate
from margin_projection.regularity import RegularityReport, regularity
from margin_projection.regularization import RegularizedPath, RegularizedPathError, regularized_path
from margin_projection.sets import ConstraintSystem, MarginSet, intersection
from margin_projection.tasks import Task
from margin_projection.trajectories import Trajectory, TrajectoryError, sequential_projections

__version__ = "0.1.0"

__all__ = [
    "ConstraintSystem",
    "Diagnosis",
    "InputError",
    "MarginSet",
    "Projection",
    "ProjectionError",
    "RegularityReport",
    "RegularizedPath",
    "RegularizedPathError",
    "Status",
    "Task",
    "Trajectory",
    "TrajectoryError",
    "compare_rates",
    "diagnose",
    "diagnosis",
    "intersection",
    "networks",
    "observed_rate",
    "predicted_rate",
    "project",
    "projections",
    "rates",
    "regularity",
    "regularization",
    "regularized_path",
    "sequential_projections",
    "sets",
    "tasks",
    "trajectories",
]

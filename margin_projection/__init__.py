"""Margin sets of homogeneous networks, certified projections onto them, and sequences of projections."""

from margin_projection import networks, projections, sets, tasks, trajectories
from margin_projection._validation import InputError
from margin_projection.projections import Projection, ProjectionError, Status, project
from margin_projection.sets import ConstraintSystem, MarginSet, intersection
from margin_projection.tasks import Task
from margin_projection.trajectories import Trajectory, TrajectoryError, sequential_projections

__version__ = "0.1.0"

__all__ = [
    "ConstraintSystem",
    "InputError",
    "MarginSet",
    "Projection",
    "ProjectionError",
    "Status",
    "Task",
    "Trajectory",
    "TrajectoryError",
    "intersection",
    "networks",
    "project",
    "projections",
    "sequential_projections",
    "sets",
    "tasks",
    "trajectories",
]

"""Trajectories of sequential margin projections (Algorithm 2)."""

from margin_projection.trajectories.plot import plot_trajectory
from margin_projection.trajectories.sequential import sequential_projections
from margin_projection.trajectories.trajectory import Trajectory, TrajectoryError

__all__ = ["Trajectory", "TrajectoryError", "plot_trajectory", "sequential_projections"]

"""Convergence rates: predicted by theory, observed on trajectories, and compared."""

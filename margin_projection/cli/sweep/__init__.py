"""Sweeps: grids of trajectories, rates, diagnoses, bridges or reinforcement runs, on one machine or many."""

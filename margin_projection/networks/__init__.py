"""Positively homogeneous networks as pure functions of a flat float64 parameter vector."""

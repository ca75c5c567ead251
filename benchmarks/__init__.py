"""Measurements of the toolkit against its peers, each a ratio of two numbers of one run: ``python -m benchmarks``."""

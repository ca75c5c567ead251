"""Statements that are known to hold: an engine that refutes one of them is wrong."""

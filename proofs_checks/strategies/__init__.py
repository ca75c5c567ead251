"""hypothesis strategies for exact instances, for statements and for anybody's own tests."""

from proofs_checks.strategies.instances import instances
from proofs_checks.strategies.matrices import orthogonal_matrices, positive_semidefinite_matrices, rational_matrices
from proofs_checks.strategies.numbers import dyadics, labels, positive_rationals, rationals, unit_interval
from proofs_checks.strategies.vectors import nonzero_vectors, unit_vectors, vectors

__all__ = [
    "dyadics",
    "instances",
    "labels",
    "nonzero_vectors",
    "orthogonal_matrices",
    "positive_rationals",
    "positive_semidefinite_matrices",
    "rational_matrices",
    "rationals",
    "unit_interval",
    "unit_vectors",
    "vectors",
]

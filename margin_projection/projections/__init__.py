"""Certified projections onto margin sets."""

from margin_projection.projections.problem import ProjectionProblem
from margin_projection.projections.project import project
from margin_projection.projections.result import (
    Certificate,
    CertificateKind,
    Counts,
    Projection,
    ProjectionError,
    Residuals,
    Status,
)

__all__ = [
    "Certificate",
    "CertificateKind",
    "Counts",
    "Projection",
    "ProjectionError",
    "ProjectionProblem",
    "Residuals",
    "Status",
    "project",
]

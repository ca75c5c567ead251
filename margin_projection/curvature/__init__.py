"""Spectra of loss curvature: Hessian, generalized Gauss-Newton and Gram matrices, and the ranks read off them."""

from margin_projection.curvature.epsilon_rank import EpsilonRank, epsilon_rank
from margin_projection.curvature.extremes import ExtremeEigenvalues, extreme_eigenvalues
from margin_projection.curvature.gram import loss_weighted_gram
from margin_projection.curvature.kfac import KroneckerBlock, kronecker_blocks
from margin_projection.curvature.operators import SymmetricOperator, ggn_operator, hessian_operator, matrix_operator
from margin_projection.curvature.problem import CurvatureProblem
from margin_projection.curvature.ranks import approximate_rank, effective_rank, stable_rank
from margin_projection.curvature.readiness import Readiness, readiness
from margin_projection.curvature.smoothed import SmoothedRank, smoothed_epsilon_rank
from margin_projection.curvature.spectral_measure import SpectralMeasure, spectral_measure
from margin_projection.curvature.trainability import (
    LinearizedTraining,
    Threshold,
    dead_unit_rank_bound,
    linearized_training,
    persistence_margin,
    trainability_threshold,
)
from margin_projection.curvature.units import dead_units, dormant_units

__all__ = [
    "CurvatureProblem",
    "EpsilonRank",
    "ExtremeEigenvalues",
    "KroneckerBlock",
    "LinearizedTraining",
    "Readiness",
    "SmoothedRank",
    "SpectralMeasure",
    "SymmetricOperator",
    "Threshold",
    "approximate_rank",
    "dead_unit_rank_bound",
    "dead_units",
    "dormant_units",
    "effective_rank",
    "epsilon_rank",
    "extreme_eigenvalues",
    "ggn_operator",
    "hessian_operator",
    "kronecker_blocks",
    "linearized_training",
    "loss_weighted_gram",
    "matrix_operator",
    "persistence_margin",
    "readiness",
    "smoothed_epsilon_rank",
    "spectral_measure",
    "stable_rank",
    "trainability_threshold",
]

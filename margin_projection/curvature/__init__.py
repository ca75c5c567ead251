"""Spectra of loss curvature: Hessian, generalized Gauss-Newton and Gram matrices, and the ranks read off them."""

from margin_projection.curvature.epsilon_rank import EpsilonRank, epsilon_rank
from margin_projection.curvature.extremes import ExtremeEigenvalues, extreme_eigenvalues
from margin_projection.curvature.gram import loss_weighted_gram
from margin_projection.curvature.operators import SymmetricOperator, ggn_operator, hessian_operator, matrix_operator
from margin_projection.curvature.problem import CurvatureProblem
from margin_projection.curvature.ranks import approximate_rank, effective_rank, stable_rank
from margin_projection.curvature.smoothed import SmoothedRank, smoothed_epsilon_rank
from margin_projection.curvature.spectral_measure import SpectralMeasure, spectral_measure

__all__ = [
    "CurvatureProblem",
    "EpsilonRank",
    "ExtremeEigenvalues",
    "SmoothedRank",
    "SpectralMeasure",
    "SymmetricOperator",
    "approximate_rank",
    "effective_rank",
    "epsilon_rank",
    "extreme_eigenvalues",
    "ggn_operator",
    "hessian_operator",
    "loss_weighted_gram",
    "matrix_operator",
    "smoothed_epsilon_rank",
    "spectral_measure",
    "stable_rank",
]

"""Algorithm 1 under vanishing regularization, followed far into its limit."""

from margin_projection.regularization.limit import ExpansionStatus
from margin_projection.regularization.path import RegularizedPath, RegularizedPathError
from margin_projection.regularization.plot import plot_path
from margin_projection.regularization.regularized_path import regularized_path
from margin_projection.regularization.weights import fisher_weights

__all__ = [
    "ExpansionStatus",
    "RegularizedPath",
    "RegularizedPathError",
    "fisher_weights",
    "plot_path",
    "regularized_path",
]

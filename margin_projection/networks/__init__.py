"""Positively homogeneous networks as pure functions of a flat float64 parameter vector."""

from margin_projection.networks.activations import Activation, activation
from margin_projection.networks.base import Model, Structure
from margin_projection.networks.convolutional import Convolutional
from margin_projection.networks.fully_connected import FullyConnected
from margin_projection.networks.homogeneity import HomogeneityError, find_degree
from margin_projection.networks.linear import Linear
from margin_projection.networks.module import from_module
from margin_projection.networks.reparametrized import Reparametrized
from margin_projection.networks.simplified_relu import SimplifiedReLU
from margin_projection.networks.squared_linear import SquaredLinear

__all__ = [
    "Activation",
    "Convolutional",
    "FullyConnected",
    "HomogeneityError",
    "Linear",
    "Model",
    "Reparametrized",
    "SimplifiedReLU",
    "SquaredLinear",
    "Structure",
    "activation",
    "find_degree",
    "from_module",
]

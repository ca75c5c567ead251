"""Where the two theories meet: the Gram matrix of output gradients, seen from margin sets and from curvature."""

from margin_projection.bridge.measure import Bridge, bridge
from margin_projection.bridge.plot import plot_bridge
from margin_projection.bridge.sequence import METHODS, BridgeSettings, run_bridge, run_bridges

__all__ = ["METHODS", "Bridge", "BridgeSettings", "bridge", "plot_bridge", "run_bridge", "run_bridges"]

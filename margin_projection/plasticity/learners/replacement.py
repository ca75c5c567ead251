"""Replacing hidden units: new incoming weights, no outgoing ones, no memory in the optimizer."""

from __future__ import annotations

import torch
from torch import Tensor

from margin_projection.plasticity.network import HiddenLayer, fresh_weights


def replace_units(
    layer: HiddenLayer, chosen: Tensor, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> None:
    """Reinitialize the units where ``chosen`` (width,) is true: weights drawn anew, bias 0, outgoing weights 0.

    The optimizer's moments of these entries become 0.
    """
    if not bool(chosen.any()):
        return
    with torch.no_grad():
        layer.incoming.weight[chosen] = fresh_weights(layer.incoming, generator)[chosen]
        layer.incoming.bias[chosen] = 0.0
        layer.outgoing.weight[:, chosen] = 0.0
        for parameter, where in (
            (layer.incoming.weight, (chosen,)),
            (layer.incoming.bias, (chosen,)),
            (layer.outgoing.weight, (slice(None), chosen)),
        ):
            for moment in optimizer.state.get(parameter, {}).values():
                if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                    moment[where] = 0.0

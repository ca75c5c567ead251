"""Dead and dormant units of hidden layers, from their features on evaluation samples."""

from __future__ import annotations

import torch
from torch import Tensor

from margin_projection._validation import InputError, check_real


def dead_units(features: Tensor) -> Tensor:
    """(units,) bool: which units are 0 on every sample; features (n, units) are post-activations."""
    return (_checked(features) == 0.0).all(0)


def dormant_units(features: Tensor, threshold: float = 0.025) -> Tensor:
    """(units,) bool: whose mean |feature|, divided by the layer's mean of it, is at most ``threshold`` (Sokar 2023).

    Args:
        features: (n, units) post-activations.
        threshold: tau of the paper, at least 0 (default 0.025); 0 finds the dead units. In a layer that is all 0,
            every unit is dormant.
    """
    check_real("threshold", threshold, 0.0)
    activity = _checked(features).abs().mean(0)
    average = activity.mean()
    return activity <= threshold * average if bool(average > 0) else torch.ones_like(activity, dtype=torch.bool)


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2 or not features.numel():
        raise InputError("features", features, "of shape (samples, units), not empty")
    return features

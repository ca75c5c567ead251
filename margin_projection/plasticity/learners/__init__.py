"""The methods, by the name that configurations use."""

from __future__ import annotations

from typing import Any

from margin_projection._validation import InputError, check_choice
from margin_projection.plasticity.learner import Learner, OptimizerSettings
from margin_projection.plasticity.learners.continual_backprop import ContinualBackprop
from margin_projection.plasticity.learners.effective_rank import EffectiveRank, EffectiveRankAlone
from margin_projection.plasticity.learners.full_reset import FullReset
from margin_projection.plasticity.learners.redo import ReDo
from margin_projection.plasticity.learners.shrink_and_perturb import ShrinkAndPerturb
from margin_projection.plasticity.learners.spectral import Spectral
from margin_projection.plasticity.learners.weight_decay import L2, L2Init
from margin_projection.plasticity.network import MultilayerPerceptron
from margin_projection.plasticity.stream import Stream


class LayerNormL2(L2):
    """LayerNorm + L2: layer-normalized pre-activations (see `MultilayerPerceptron`) and weight decay."""

    name = "layer_norm_l2"


LEARNERS: dict[str, type[Learner]] = {
    each.name: each
    for each in (
        Learner, L2, EffectiveRankAlone, EffectiveRank, LayerNormL2, Spectral, L2Init, ShrinkAndPerturb,
        ContinualBackprop, ReDo, FullReset,
    )
}  # fmt: skip


def build_learner(
    name: str, stream: Stream, hidden: tuple[int, ...], optimizer: OptimizerSettings, seed: int, **settings: Any
) -> Learner:
    """A learner with a fresh network.

    Args:
        name: one of `LEARNERS`.
        stream: what it will learn.
        hidden: widths of the hidden layers.
        optimizer: see there.
        seed: of the initialization and of the method.
        settings: the method's own (see its class).

    Raises:
        InputError: an unknown name or setting.
    """
    kind = LEARNERS[check_choice("learner", name, LEARNERS)]
    sizes = (stream.num_features, *hidden, stream.num_outputs)
    network = MultilayerPerceptron(sizes, seed, layer_norm=kind is LayerNormL2)
    try:
        return kind(network, stream, optimizer, seed, **settings)
    except TypeError as error:
        raise InputError(f"settings of {name!r}", settings, f"settings of the method ({error})") from error


__all__ = ["LEARNERS", "build_learner"]

"""Normalisation of blocks and targets."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Does normalising decoder, encoder output or target matter for a dense loss?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "norm",
            Choice("BatchNorm in the decoder"),
            Choice("LayerNorm in the decoder", "prediction.norm=layer"),
            Choice("LayerNorm after the encoder", "model.norm=layer"),
            Choice("goal not normalised", "target.normalise=none"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

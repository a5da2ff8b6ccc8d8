"""Which norms the blocks have."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Do the norms of decoder, encoder output and goal matter for a dense loss?",
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
)

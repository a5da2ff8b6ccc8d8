"""Depth of the predictor."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="How deep must the decoder be for semantic alignment and for spatial sensitivity?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "depth",
            Choice("1 block"),
            Choice("2 blocks", "prediction.depth=2"),
            Choice("4 blocks", "prediction.depth=4"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

"""Masking of the context."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Do blockwise masks make better features than random ones at the same ratio?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "masking",
            Choice("blockwise 0.6"),
            Choice("random 0.6", "masking=random", "masking.ratio=0.6"),
            Choice("grid 0.6", "masking=grid", "masking.ratio=0.6"),
            Choice("none", "masking=none"),
            Choice("blockwise 0.4", "masking.ratio=0.4"),
            Choice("blockwise 0.75", "masking.ratio=0.75"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

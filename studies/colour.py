"""Colour augmentation of the two views."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Does colour augmentation raise semantic alignment, and what does it cost spatially?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "colour",
            Choice("SiameseIM"),
            Choice("none", "colour=none"),
            Choice("light", "colour=light"),
            Choice("symmetric", "colour=symmetric"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

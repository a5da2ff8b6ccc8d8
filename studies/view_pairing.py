"""Pairing of the two views."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Does predicting another view, instead of the same one, raise semantic alignment?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "views",
            Choice("two crops"),
            Choice("same crop", "views=same"),
            Choice("same crop, recoloured", "views=recoloured"),
            Choice("shifted crops", "views=shifted"),
            Choice("overlapping crops", "views=overlapping"),
            Choice("nested crops", "views=nested"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

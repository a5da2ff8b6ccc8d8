"""Positional embedding of the queries."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Does a query need its offset and its scale relative to the context?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "positions",
            Choice("offset and scale"),
            Choice("offset", "positions=offset"),
            Choice("own frame", "positions=own"),
            Choice("none", "positions=none"),
            Choice("learned", "positions=learned"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

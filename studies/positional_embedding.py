"""How a predicted patch is asked for."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Must a query know where it lies in the context, and how large it is there?",
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
)

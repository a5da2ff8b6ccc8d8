"""How deep the predictor is."""

from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="How deep must the decoder be for semantic alignment and for spatial sensitivity?",
    base=demo_size(siameseim()).change("steps=1500"),
    axes=(
        Axis(
            "depth",
            Choice("1 block"),
            Choice("2 blocks", "prediction.depth=2"),
            Choice("4 blocks", "prediction.depth=4"),
        ),
    ),
)

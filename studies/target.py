"""Target of the prediction."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Do feature targets instead of pixels raise semantic alignment?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "target",
            Choice("momentum encoder"),
            Choice("online encoder, stopped", "target=online"),
            Choice("pixels", "target=pixels", "loss=mse"),
            Choice("features, MSE", "loss=mse"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

"""Loss between the dense prediction and its target."""

from siamlab.recipes import photo_size, siameseim
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="Does UniGrad make better features than other losses, without negatives or memory?",
    base=photo_size(siameseim()).change("steps=2000"),
    axes=(
        Axis(
            "loss",
            Choice("UniGrad"),
            Choice("cosine (BYOL)", "loss=cosine"),
            Choice("MSE", "loss=mse"),
            Choice("smooth L1", "loss=smooth_l1"),
            Choice("InfoNCE", "loss=infonce"),
            Choice("VICReg", "loss=vicreg"),
            Choice("Barlow Twins", "loss=barlow"),
        ),
    ),
    images=4000,  # as headline, some of whose trials this study shares
)

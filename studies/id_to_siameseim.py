"""From instance discrimination to SiameseIM, one choice after another."""

from siamlab.recipes import moco_v3, photo_size
from siamlab.study import Choice, Path

HEAD = "prediction.depth=1 prediction.width=128 prediction.heads=4 prediction.projector=0"

study = Path(
    question="Which step from MoCo-v3 to SiameseIM adds spatial sensitivity, at what cost?",
    base=photo_size(moco_v3(roles="fixed")).change(
        *("steps=2000", "colour=siameseim", "model.norm=none", "optimiser.clip=1.0"),
        *("optimiser.decay=0.05", "optimiser.betas=[0.9, 0.95]"),
    ),
    choices=(
        Choice("MoCo-v3"),
        Choice("UniGrad", "loss=unigrad", "loss.weight=0.12"),
        Choice(
            *("dense", "positions=relative", "prediction=dense", "target.normalise=layer"),
            *HEAD.split(),
        ),
        Choice("masked", "masking=random", "masking.ratio=0.6"),
        Choice("blockwise masks", "masking=blockwise"),
    ),
    seeds=5, images=4000,  # images as headline, some of whose trials this study shares
)  # fmt: skip

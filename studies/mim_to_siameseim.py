"""From masked image modelling to SiameseIM, one choice after another."""

from siamlab.recipes import mae, photo_size
from siamlab.study import Choice, Path

study = Path(
    question="Which step from MAE to SiameseIM adds semantic alignment, and does any cost space?",
    base=photo_size(mae()).change(
        "steps=2000", "prediction.end=none", "model.stem=frozen", "optimiser.clip=1.0"
    ),
    choices=(
        Choice("MAE", "prediction.norm=batch"),
        Choice(
            "feature target", "target=momentum", "target.start=0.98", "target.schedule=constant"
        ),
        Choice(
            "another view", "masking.predict=all", "views=independent", "views.crop.area=[0.3, 1.0]"
        ),
        Choice("colour", "colour=siameseim"),
        Choice("relative positions", "positions=relative"),
        Choice("UniGrad", "loss=unigrad", "loss.weight=0.12"),
        Choice("blockwise masks", "masking=blockwise", "model.norm=none"),
    ),
    seeds=5, images=4000,  # images as headline, some of whose trials this study shares
)  # fmt: skip

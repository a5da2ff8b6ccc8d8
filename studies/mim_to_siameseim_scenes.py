"""From masked image modelling to SiameseIM, one choice after another, on scenes."""

from siamlab.recipes import demo_size, mae
from siamlab.study import Choice, Path

study = Path(
    question="Which step from MAE to SiameseIM adds semantic alignment, and does any cost space?",
    base=demo_size(mae()).change(
        "steps=1500", "prediction.end=none", "model.stem=frozen", "optimiser.clip=1.0"
    ),
    choices=(
        Choice("MAE", "prediction.norm=batch"),
        Choice("feature target", "target=momentum", "target.start=0.98"),
        Choice(
            "another view", "masking.predict=all", "views=independent", "views.crop.area=[0.3, 1.0]"
        ),
        Choice("colour", "colour=siameseim"),
        Choice("relative positions", "positions=relative"),
        Choice("UniGrad", "loss=unigrad", "loss.weight=0.16"),
        Choice("blockwise masks", "masking=blockwise", "model.norm=none"),
    ),
)

"""Recipes: named points of the design space, with the networks of their papers.

run = mae(data=Folder(path="photos"))       # any field can be set
run = demo_size(mae())                      # the same method at the sizes of `make demo`
run = photo_size(mae())                     # the same for photographs of 32 pixels
"""

from collections.abc import Callable
from typing import Any

from siamlab.colour import ByolColour, NoColour, SymmetricColour
from siamlab.component import Component, Sizes
from siamlab.data import Cifar10, Scenes
from siamlab.loss import MSE, Cosine, InfoNCE, SmoothL1
from siamlab.machine.arguments import typed
from siamlab.masking import MultiBlockMasking, NoMasking, RandomMasking
from siamlab.model.backbone import Vit
from siamlab.model.prediction import DenseDecoder, GlobalHead, LinearHead
from siamlab.positions import OwnFrame
from siamlab.run import AdamW, Run
from siamlab.target import Momentum, Online, Pixels
from siamlab.views import Crops, SameCrop, TwoCrops


def siameseim(**fields: Any) -> Run:
    """Predict another view's dense features from a masked view; UniGrad (Tao 2023)."""
    return _recipe(
        "siameseim",
        fields,
        prediction=DenseDecoder(batch_epsilon=1e-5),
        model=Vit(class_std=0.02),
        optimiser=AdamW(tokens="decay"),
    )


def mae(**fields: Any) -> Run:
    """Predict the hidden patches' normalised pixels with a decoder (He 2022)."""
    return _recipe(
        "mae",
        fields,
        views=SameCrop(),
        colour=NoColour(),
        masking=RandomMasking(ratio=0.75, predict="hidden"),
        positions=OwnFrame(first="column"),
        target=Pixels(),
        prediction=DenseDecoder(depth=8, width=512, norm="layer", projector=0, end="layer"),
        loss=MSE(),
        model=Vit(norm="layer", stem="learned", class_std=0.02),
        optimiser=AdamW(lr=1.5e-4, tokens="decay", clip=float("inf")),
    )


def simmim(**fields: Any) -> Run:
    """Predict the hidden patches' pixels linearly from an encoder that fills them in (Xie 2022)."""
    return _recipe(
        "simmim",
        fields,
        views=SameCrop(crop=Crops(area=(0.67, 1.0))),
        colour=NoColour(),
        masking=RandomMasking(ratio=0.6, predict="hidden"),
        positions=OwnFrame(),
        target=Pixels(normalise="none"),
        prediction=LinearHead(),
        loss=SmoothL1(beta=0.0),
        model=Vit(norm="layer", stem="learned"),
        optimiser=AdamW(lr=1e-4, betas=(0.9, 0.999)),
    )


def moco_v3(**fields: Any) -> Run:
    """Find the other view's vector among those of all images; InfoNCE (Chen 2021)."""
    return _recipe(
        "moco_v3",
        fields,
        **_IMAGES,
        colour=ByolColour(),
        target=Momentum(start=0.99, normalise="none"),
        prediction=GlobalHead(),
        loss=InfoNCE(),
        model=Vit(norm="layer"),
        optimiser=AdamW(
            lr=1.5e-4, decay=0.1, betas=(0.9, 0.999), warmup=40 / 300, clip=float("inf")
        ),
        steps=93_750,  # 300 epochs
    )


def byol(**fields: Any) -> Run:
    """Predict the other view's vector, without negatives (Grill 2020)."""
    return _recipe(
        "byol",
        fields,
        **_IMAGES,
        colour=ByolColour(),
        target=Momentum(start=0.996, normalise="none"),
        prediction=GlobalHead(projector=2, projector_end="none", predictor_end="none"),
        loss=Cosine(),
        model=Vit(norm="layer", stem="learned"),
        optimiser=AdamW(lr=1.5e-4, clip=float("inf")),
    )


def simsiam(**fields: Any) -> Run:
    """Predict the other view's vector, made without gradient by the same network (Chen 2021)."""
    head = GlobalHead(hidden=2048, width=2048, bottleneck=512, predictor_end="none")
    return _recipe(
        "simsiam",
        fields,
        **_IMAGES | dict(views=TwoCrops(crop=Crops(area=(0.2, 1.0)))),
        colour=SymmetricColour(),
        target=Online(),
        prediction=head,
        loss=Cosine(),
        model=Vit(norm="layer", stem="learned"),
        optimiser=AdamW(lr=1.5e-4, clip=float("inf")),
    )


def ijepa(**fields: Any) -> Run:
    """Predict the features of blocks of a view from the rest of it (Assran 2023)."""
    return _recipe(
        "ijepa",
        fields,
        views=SameCrop(crop=Crops(area=(0.3, 1.0))),
        colour=NoColour(),
        masking=MultiBlockMasking(),
        positions=OwnFrame(),
        target=Momentum(start=0.996),
        prediction=DenseDecoder(
            depth=6, width=384, heads=12, norm="layer", projector=0, end="layer"
        ),
        loss=SmoothL1(),
        model=Vit(norm="layer", stem="learned"),
        optimiser=AdamW(lr=1.25e-4, clip=float("inf")),
    )


def dense_byol(**fields: Any) -> Run:
    """Predict all of the other view's patches as BYOL does: SiameseIM without masking, UniGrad."""
    return _recipe(
        "dense_byol",
        fields,
        roles="both",
        masking=NoMasking(),
        colour=ByolColour(),
        target=Momentum(start=0.996, normalise="none"),
        loss=Cosine(),
        model=Vit(norm="layer", stem="learned"),
    )


Recipe = Callable[..., Run]
RECIPES: dict[str, Recipe] = {
    r.__name__: r for r in (siameseim, mae, simmim, moco_v3, byol, simsiam, ijepa, dense_byol)
}

# views, roles and places that recipes with one vector per image have in common
_IMAGES: dict[str, Any] = dict(
    views=TwoCrops(), roles="both", masking=NoMasking(), positions=OwnFrame()
)


def _recipe(name: str, fields: dict[str, Any], **method: Any) -> Run:
    return Run.make({"name": name} | method | fields)


DEMO = Sizes(
    side=40, patch=8, width=96, depth=4, heads=4, batch=64, steps=1000, save_every=200,
    warmup=0.1, momentum="cosine",
)  # fmt: skip
PHOTO = Sizes(
    side=32, patch=4, width=128, depth=6, heads=4, batch=128, steps=4000, save_every=200,
    warmup=0.5, momentum="constant",
)  # fmt: skip


@typed
def demo_size(run: Run) -> Run:
    """Return the same method for scenes of 48 pixels, seen in views of 40: 5 × 5 patches.

    It is meant for two processor cores. A short run of a narrow network also needs larger crops, a
    faster target, no projector before the target and another λ of UniGrad: each choice sets its own
    (`Component.shrunk`). What a recipe takes from its paper's program alone, such as the deviation
    of the class token, goes.
    """
    return _shrunk(run, DEMO)


@typed
def photo_size(run: Run) -> Run:
    """Return the same method for photographs of 32 pixels, such as CIFAR-10's: 8 × 8 patches.

    Other changes are those of `demo_size`, but the learning rate rises for half of the steps and
    the momentum of the target stays, which suits short runs on photographs (docs/results.md).
    Scenes, a recipe's images by default, become CIFAR-10; other images stay.
    """
    run = run.replace(data=Cifar10()) if isinstance(run.data, Scenes) else run
    return _shrunk(run, PHOTO)


def _shrunk(run: Run, to: Sizes) -> Run:
    parts = {name: part.shrunk(to) for name, part in run if isinstance(part, Component)}
    sizes = dict(size=to.side, batch=to.batch, steps=to.steps, save_every=to.save_every)
    return run.change(**parts, **sizes)

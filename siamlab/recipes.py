"""Recipes: named points of the design space, with the networks of their papers.

run = mae(data=Folder(path="photos"))       # any field can be given
run = demo_size(mae())                      # the same method at the sizes of `make demo`
run = photo_size(mae())                     # and for photographs of 32 pixels
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from siamlab.data import Cifar10, Scenes
from siamlab.loss import MSE, Cosine, InfoNCE, Loss, SmoothL1, UniGrad
from siamlab.masking import MultiBlockMasking, NoMasking, RandomMasking
from siamlab.model.encoder import Vit
from siamlab.model.prediction import Both, DenseDecoder, GlobalHead, LinearHead, Prediction
from siamlab.photometric import ByolColour, NoColour, SymmetricColour
from siamlab.positions import OwnFrame
from siamlab.run import AdamW, Run
from siamlab.target import Momentum, Online, Pixels
from siamlab.views import Crops, SameCrop, TwoCrops


def siameseim(**fields: Any) -> Run:
    """Another view's dense features from a masked view; UniGrad (Tao 2023)."""
    return _recipe("siameseim", fields)


def mae(**fields: Any) -> Run:
    """The hidden patches' normalised pixels through a decoder (He 2022)."""
    return _recipe(
        "mae",
        fields,
        views=SameCrop(),
        colour=NoColour(),
        masking=RandomMasking(ratio=0.75, predict="hidden"),
        positions=OwnFrame(),
        target=Pixels(),
        prediction=DenseDecoder(depth=8, width=512, norm="layer", projector=0, end="layer"),
        loss=MSE(),
        model=Vit(norm="layer", stem="learned"),
        optimiser=AdamW(lr=1.5e-4, clip=float("inf")),
    )


def simmim(**fields: Any) -> Run:
    """The hidden patches' pixels by a linear layer on an encoder that sees gaps (Xie 2022)."""
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
    """The other view's vector among those of all images; InfoNCE (Chen 2021)."""
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
    """The other view's vector, without negatives (Grill 2020)."""
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
    """The other view's vector from the network itself, stopped (Chen & He 2021)."""
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
    """Features of blocks of one view from the rest of it (Assran 2023)."""
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
    """BYOL asked for every patch of the other view: SiameseIM without masking and UniGrad."""
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

# views, roles and places that the recipes of one vector an image share
_IMAGES: dict[str, Any] = dict(
    views=TwoCrops(), roles="both", masking=NoMasking(), positions=OwnFrame()
)


def _recipe(name: str, fields: dict[str, Any], **method: Any) -> Run:
    return Run.make({"name": name} | method | fields)


class Sizes(NamedTuple):
    """What a method is shrunk to."""

    side: int  # of a view, pixels
    patch: int  # side of a patch, pixels
    width: int  # of encoder and dense predictor
    depth: int  # of the encoder, blocks
    batch: int
    steps: int
    save_every: int


DEMO = Sizes(side=40, patch=8, width=96, depth=4, batch=64, steps=1000, save_every=200)
PHOTO = Sizes(side=32, patch=4, width=128, depth=6, batch=128, steps=4000, save_every=200)


def demo_size(run: Run) -> Run:
    """The same method for scenes of 48 pixels and two processor cores: 5 × 5 patches.

    What a short run of a narrow network needs otherwise than a long one of a wide network: larger
    crops, a quicker target, no projector before it, and UniGrad's λ times 768 / width, since the
    largest value of its second term is λ · width.
    """
    return _shrunk(run, DEMO)


def photo_size(run: Run) -> Run:
    """The same method for photographs of 32 pixels, as CIFAR-10's: 8 × 8 patches.

    A network as narrow as this needs what `demo_size` says. Scenes, the images that a recipe has
    by default, become CIFAR-10; other images stay.
    """
    run = run.replace(data=Cifar10()) if isinstance(run.data, Scenes) else run
    return _shrunk(run, PHOTO)


def _shrunk(run: Run, to: Sizes) -> Run:
    sizes = dict(width=to.width, depth=to.depth, heads=HEADS, patch=to.patch)
    return run.change(
        size=to.side,
        model=Vit(**sizes, norm=run.model.norm, stem=run.model.stem),
        prediction=_small(run.prediction, to.width),
        views=run.views.replace(crop=run.views.crop.replace(area=(0.3, 1.0))),
        target=run.target.replace(start=0.98) if isinstance(run.target, Momentum) else run.target,
        loss=_narrow(run.loss, to.width),
        optimiser=run.optimiser.replace(lr=4e-3, warmup=0.1),
        batch=to.batch,
        steps=to.steps,
        save_every=to.save_every,
    )


HEADS = 4  # of small networks


def _small(prediction: Prediction, width: int) -> Prediction:
    if isinstance(prediction, DenseDecoder):
        return prediction.replace(width=width, depth=1, heads=HEADS, projector=0)
    if isinstance(prediction, GlobalHead):
        return prediction.replace(hidden=256, width=64, bottleneck=256)
    if isinstance(prediction, Both):
        dense, image = _small(prediction.dense, width), _small(prediction.image, width)
        return prediction.replace(dense=dense, image=image)
    return prediction


def _narrow(loss: Loss, width: int) -> Loss:
    return loss.replace(weight=loss.weight * 768 / width) if isinstance(loss, UniGrad) else loss

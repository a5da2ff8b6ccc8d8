"""PASCAL VOC and COCO: boxes of objects found by a light head on frozen features (AP, AP50).

readings = VocBoxes(path="VOCdevkit/VOC2007")()(eye, report)
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.boxes import BoxSet
from siamlab.data.coco import COCO_CLASSES, read_coco
from siamlab.data.frames import framed, padded
from siamlab.data.voc import VOC_CLASSES, read_voc
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published, Report, StandardSet
from siamlab.probe.detection import check_boxes, scored
from siamlab.probe.detector import BATCH, RECIPE, detected, fit_detector, joined
from siamlab.probe.precision import Boxes
from siamlab.probe.score import Reading, Settings

HALF = 65504.0  # largest number of 16 bits, in which features of training images are held


class BoxProtocol(NamedTuple):
    """The form in which the model sees photographs; the head is siamlab's own."""

    source: str
    side: int  # of the square frame that holds a photograph, pixels; rounded to patches
    features: str
    published: tuple[Published, ...]


PROTOCOLS: Mapping[str, BoxProtocol] = MappingProxyType(
    {
        f"fcos-{side}": BoxProtocol(
            "siamlab, after FCOS, Tian et al. 2019", side, "patches, after the final norm", ()
        )
        for side in (448, 224)
    }
)
# AP and AP50 of an anchor-free head of another make, on the middle squares of 600 photographs
VISBENCH: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "MAE ViT-B/16": (0.0460, 0.1296),
        "DINO ViT-B/16": (0.0583, 0.1660),
        "DINOv2 ViT-B/14": (0.0978, 0.2895),
        "CLIP ViT-B/16": (0.0622, 0.1894),
    }
)
VOC_PROTOCOLS: Mapping[str, BoxProtocol] = MappingProxyType(
    {
        **PROTOCOLS,
        "fcos-224": PROTOCOLS["fcos-224"]._replace(
            published=tuple(
                Published(f"{model}, another head, 600 images of VOC 2012,", key, value,
                          "VisBench leaderboard, 2026")
                for model, values in VISBENCH.items()
                for key, value in zip(("voc_boxes", "voc_boxes_50"), values, strict=True)
            )
        ),
    }
)  # fmt: skip
Protocol = Literal["fcos-448", "fcos-224"]
SIDES = "side of the square that holds a photograph, pixels; a head after FCOS"


class VocBoxes(StandardSet):
    """PASCAL VOC 2007 or 2012: objects of 20 classes, found by a light head."""

    title: ClassVar[str] = "PASCAL VOC"
    licence: ClassVar[str] = "none stated; photographs from Flickr, under its terms"
    origin: ClassVar[str] = "http://host.robots.ox.ac.uk/pascal/VOC"
    protocols: ClassVar[Mapping[str, Any]] = VOC_PROTOCOLS

    kind: Literal["voc_boxes"] = "voc_boxes"
    path: str = Field(default="", description="folder VOC2007 or VOC2012, with JPEGImages/ inside")
    protocol: Protocol = Field(default="fcos-448", description=SIDES)
    split: Literal["test", "val"] = Field(
        default="test", description="test: train on trainval; val: train on train"
    )
    images: int = Field(default=0, ge=0, description="most training images, by a seed; 0: all")

    def __call__(self) -> Measurement:
        train = read_voc(self.path, _learned(self.split), self.images, boxes=True)
        test = read_voc(self.path, self.split)
        return _measurement(self, VOC_CLASSES, train, test)


class CocoBoxes(StandardSet):
    """COCO 2017: objects of 80 classes, found by a light head."""

    title: ClassVar[str] = "COCO 2017"
    licence: ClassVar[str] = "CC BY 4.0 for the boxes; photographs from Flickr, under its terms"
    origin: ClassVar[str] = "https://cocodataset.org"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["coco_boxes"] = "coco_boxes"
    path: str = Field(default="", description="folder of annotations/, train2017/ and val2017/")
    protocol: Protocol = Field(default="fcos-448", description=SIDES)
    images: int = Field(default=10_000, ge=0, description="most training images, by a seed; 0: all")

    def __call__(self) -> Measurement:
        test = read_coco(self.path, "val")
        train = read_coco(self.path, "train", self.images, boxes=True)
        return _measurement(self, COCO_CLASSES, train, test)


def _learned(split: str) -> Literal["train", "trainval"]:
    return "trainval" if split == "test" else "train"


def _measurement(
    data: VocBoxes | CocoBoxes, classes: Sequence[str], train: BoxSet, test: BoxSet
) -> Measurement:
    for name, part in (("training", train), ("test", test)):
        if not len(part.images) or part.skipped.all():
            raise UserError(
                f"data.path={data.path!r} has no {name} image with an object that counts; unpack "
                f"{data.title} again"
            )
    names = [(file.name, size) for part in (train, test)
             for file, size in zip(part.images, part.sizes.tolist(), strict=True)]  # fmt: skip
    counts = {"train_images": len(train.images), "test_images": len(test.images)}
    counts |= {"split": data.split} if isinstance(data, VocBoxes) else {}
    files = [*names, [part.box.tolist() for part in (train, test)]]
    about = data.settings(files, **counts, **RECIPE)
    return partial(_measured, data, tuple(classes), train, test, data.chosen.side, about)


def _measured(
    data: VocBoxes | CocoBoxes,
    classes: Sequence[str],
    train: BoxSet,
    test: BoxSet,
    side: int,
    about: Settings,
    eye: AnySize,
    report: Report,
) -> Iterator[Reading]:
    side = eye.rounded(side)
    grid = (side // eye.patch,) * 2
    learned, asked, shown = (*(_in_frame(part, side) for part in (train, test)), _shown(test, side))
    check_boxes("training boxes", learned, len(train.images), len(classes))
    report(f"{data.title}, training images")
    features = torch.cat([x.clamp(-HALF, HALF).half() for x in _parts(train, side, eye)])
    report(f"{data.title}, training of the head")
    head = fit_detector(features, learned, grid, len(classes))
    report(f"{data.title}, test images")
    parts = zip(_parts(test, side, eye), shown.split(BATCH), strict=True)
    answers = joined([detected(head, x, grid, where) for x, where in parts], BATCH)
    counts = len(train.images), len(test.images)
    found = scored(answers, learned, asked, *counts, grid, len(classes), shown=shown)
    yield Reading(data.kind, found.mean, about)
    yield Reading(f"{data.kind}_50", found.half, about)
    for number, score in zip(found.classes, found.each, strict=True):
        yield Reading(f"{data.kind}_{classes[number].replace(' ', '_')}", score, about)


def _parts(part: BoxSet, side: int, eye: AnySize) -> Iterator[Float[Tensor, "n N D"]]:
    """Yield features of the patches of some images at a time."""
    passes = eye.passes((side, side))
    for start in range(0, len(part.images), BATCH):
        files = part.images[start : start + BATCH]
        boxes = padded(part.sizes[start : start + BATCH], side)
        yield passes.features(framed(files, boxes, (side, side))).patches


def _shown(part: BoxSet, side: int) -> Float[Tensor, "n 4"]:
    """Where each photograph lies in its frame: top, left, bottom, right, fractions."""
    corner, extent = padded(part.sizes, side).split(2, dim=1)
    return torch.cat([corner, corner + extent], dim=1) / side


def _in_frame(part: BoxSet, side: int) -> Boxes:
    """The boxes in fractions of the frame, in which overlaps are those in the photograph."""
    low, high = _shown(part, side)[part.image].split(2, dim=1)
    scale = (high - low) / part.sizes[part.image]
    box = low.repeat(1, 2) + part.box * scale.repeat(1, 2)
    return Boxes(part.image, part.label, box, part.skipped, part.crowd)

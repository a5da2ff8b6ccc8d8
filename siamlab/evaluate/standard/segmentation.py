"""VOC 2012, ADE20K, Cityscapes and your own sets: regions through sliding windows (mIoU).

readings = Voc(path="VOCdevkit/VOC2012")()(eye, report)
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field

from siamlab.component import UserError
from siamlab.data import layouts
from siamlab.data.annotated import Annotated, PublicSet, read_annotated
from siamlab.data.folder import TEST_FRACTION
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import (
    Images,
    Measurement,
    Report,
    StandardSet,
)
from siamlab.evaluate.standard.segmentation_protocols import (
    CAPI,
    HUMMINGBIRD,
    PROTOCOLS,
    TRAINED,
    VISBENCH,
    TrainedProtocol,
)
from siamlab.evaluate.standard.sliding import (
    PART,
    Classifier,
    Sliding,
    fitted,
    remembered,
    scored,
    voted,
)
from siamlab.evaluate.standard.trained import trained
from siamlab.probe.score import Reading, Settings, bootstrap
from siamlab.probe.segmentation import miou

PROTOCOL = (
    "dinov2: a linear layer; dinov2-40k: the same as the paper trains it, 40,000 steps on random "
    "crops; hummingbird: the 30 nearest patches of a memory vote; capi: k-NN, whole photographs at "
    "224"
)

Learn = Callable[[Annotated, Sliding, AnySize, Report], Classifier]

# what learns the regions, and the end of the key of its score
LEARNERS = {"hummingbird": (remembered, "_in_context"), "capi": (voted, "_knn")}


class SegmentationSet(StandardSet):
    """Base of the sets with a region for every pixel."""

    public: ClassVar[PublicSet]

    path: str = Field(default="", description="folder of the set, as it is published")
    protocol: Literal["dinov2", "dinov2-40k", "hummingbird", "capi"] = Field(
        default="dinov2", description=PROTOCOL
    )
    images: Images = 0
    test_images: int = Field(
        default=0, ge=0, description="most test images, drawn by a seed; 0: all"
    )
    patches: int = Field(
        default=2**18, ge=1,
        description="most training patches, or size of the memory; drawn by a seed, one of each "
        "image at least",
    )  # fmt: skip

    def __call__(self) -> Measurement:
        found = read_annotated(self.path, self._public(), self.images, self.test_images)
        train, test = (split._replace(part=self.chosen.part) for split in found)
        learn, name, own = self._learner()
        about = self.settings(
            (name for part in (train, test) for name in self._names(part)),
            train_images=len(train.images), test_images=len(test.images), **own, **self._own(),
        )  # fmt: skip
        sizes = self.chosen[1:4]
        return partial(_measured, train, test, sizes, learn, f"{self.kind}{name}", about)

    def _learner(self) -> tuple[Learn, str, Settings]:
        """What learns the regions, the end of the key of its score, and what is its own."""
        if not isinstance(self.chosen, TrainedProtocol):
            learn, name = LEARNERS.get(self.protocol, (fitted, ""))
            fit = lambda train, sizes, eye, report: learn(train, sizes, self.patches, eye)  # noqa: E731
            return fit, name, {"patches": self.patches}
        if self.patches != type(self).model_fields["patches"].default:
            raise UserError(
                f"data.patches={self.patches} does not go with data.protocol={self.protocol}, "
                "which learns from every pixel of random crops; leave it out"
            )
        recipe = self.chosen.recipe
        fit = lambda train, sizes, eye, report: trained(train, sizes, recipe, eye, report)  # noqa: E731
        return fit, "", {"recipe": recipe._asdict()}

    def _public(self) -> PublicSet:
        """The set and its layout."""
        return self.public

    def _names(self, part: Annotated) -> Iterator[object]:
        """What identifies each photograph."""
        return (file.stem for file in part.images)

    def _own(self) -> Settings:
        """Fields of the protocol that only this set has."""
        return {}


class Voc(SegmentationSet):
    """PASCAL VOC 2012, segmentation: 1,464 images to train on, 1,449 to test on, 21 regions."""

    title: ClassVar[str] = "PASCAL VOC 2012"
    licence: ClassVar[str] = "none stated; photographs under Flickr's terms"
    origin: ClassVar[str] = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012"
    protocols: ClassVar[Mapping[str, Any]] = {
        "dinov2": PROTOCOLS["voc"],
        "dinov2-40k": TRAINED["voc"],
        "hummingbird": HUMMINGBIRD["voc"],
        "capi": CAPI["voc"],
        "visbench": VISBENCH,
    }
    public: ClassVar[PublicSet] = PublicSet(
        title, "JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/", layouts.voc,
        1464, 1449,
    )  # fmt: skip

    kind: Literal["voc"] = "voc"
    protocol: Literal["dinov2", "dinov2-40k", "hummingbird", "capi", "visbench"] = Field(
        default="dinov2", description=f"{PROTOCOL}; visbench: a linear layer, middle square at 224"
    )
    train: Literal["train", "trainaug"] = Field(
        default="train",
        description="list of training images; trainaug: 10,582, with masks of SBD in "
        "SegmentationClassAug/",
    )

    def _public(self) -> PublicSet:
        more = self.train == "trainaug"
        return self.public._replace(layout=layouts.voc_aug, train=10_582) if more else self.public

    def _own(self) -> Settings:
        return {"train": self.train} if self.train != "train" else {}


class Ade20k(SegmentationSet):
    """ADE20K, scene parsing: 20,210 images to train on, 2,000 to test on, 150 regions."""

    title: ClassVar[str] = "ADE20K"
    licence: ClassVar[str] = "BSD 3-clause for masks; photographs for research"
    origin: ClassVar[str] = "http://sceneparsing.csail.mit.edu"
    protocols: ClassVar[Mapping[str, Any]] = {
        "dinov2": PROTOCOLS["ade20k"],
        "dinov2-40k": TRAINED["ade20k"],
        "hummingbird": HUMMINGBIRD["ade20k"],
        "capi": CAPI["ade20k"],
    }
    public: ClassVar[PublicSet] = PublicSet(
        title, "images/ and annotations/, and training/ and validation/ in both", layouts.ade20k,
        20_210, 2000,
    )  # fmt: skip

    kind: Literal["ade20k"] = "ade20k"


class Cityscapes(SegmentationSet):
    """Cityscapes, fine masks: 2,975 images to train on, 500 to test on, 19 regions."""

    title: ClassVar[str] = "Cityscapes"
    licence: ClassVar[str] = "its own, for research and teaching"
    origin: ClassVar[str] = "https://www.cityscapes-dataset.com"
    protocols: ClassVar[Mapping[str, Any]] = {
        "dinov2": PROTOCOLS["cityscapes"],
        "dinov2-40k": TRAINED["cityscapes"],
        "hummingbird": HUMMINGBIRD["cityscapes"],
        "capi": CAPI["cityscapes"],
    }
    public: ClassVar[PublicSet] = PublicSet(
        title, "leftImg8bit/ and gtFine/, and train/ and val/ in both", layouts.cityscapes,
        2975, 500,
    )  # fmt: skip

    kind: Literal["cityscapes"] = "cityscapes"


class Regions(SegmentationSet):
    """Your own images with masks, or any layout that `data=segmentation` reads."""

    title: ClassVar[str] = "images and masks"
    licence: ClassVar[str] = "that of your files"
    origin: ClassVar[str] = "data.path"
    protocols: ClassVar[Mapping[str, Any]] = {
        "dinov2": PROTOCOLS["voc"]._replace(published=()),
        "dinov2-40k": TRAINED["regions"],
        "hummingbird": HUMMINGBIRD["regions"],
        "capi": CAPI["regions"],
    }
    public: ClassVar[PublicSet] = PublicSet(title, layouts.KNOWN, layouts.known, upright=True)

    kind: Literal["regions"] = "regions"
    path: str = Field(
        default="", description="folder of images/ and masks/, or of VOC2012, ADE20K or Cityscapes"
    )
    test_fraction: float = TEST_FRACTION

    def _public(self) -> PublicSet:
        found = lambda root, part, _: layouts.known(root, part, self.test_fraction)  # noqa: E731
        return self.public._replace(layout=found)

    def _names(self, part: Annotated) -> Iterator[object]:
        """Names below the folder and bytes of both files: names such as 0001 are in many sets."""
        for image in part.images:
            files = image, part.layout.mask(image)
            yield str(image.relative_to(part.layout.files.root)), *(f.stat().st_size for f in files)


def _measured(
    train: Annotated,
    test: Annotated,
    sizes: tuple[int, int, int],
    learn: Learn,
    key: str,
    about: Settings,
    eye: AnySize,
    report: Report,
) -> Iterator[Reading]:
    sliding = Sliding.of(eye, *sizes)
    report(f"{about['set']}, training images")
    classifier = learn(train, sliding, eye, report)
    rows = []
    for part in torch.arange(len(test.images)).split(PART):
        report(f"{about['set']}, test image {1 + int(part[0]):,} of {len(test.images):,}")
        rows += scored(test, part.tolist(), sliding, classifier, eye)
    terms = torch.stack(rows).cpu()  # [n, 2 ways, K]
    truth = terms[:, 0].sum(dim=0).unflatten(0, (3, -1))[1]
    if not truth.any():
        raise UserError(
            "data.path: test masks have only void pixels, which are not scored; unpack the set "
            "again, or raise data.test_images"
        )
    chance = (truth.max() / truth.sum() / (truth > 0).sum()).item()
    ceiling = miou(terms[:, 1].sum(dim=0)).item()
    yield Reading(key, bootstrap(terms[:, 0], miou, chance, ceiling, "mean IoU"), about)

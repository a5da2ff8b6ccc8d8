"""Bench: the images that all models of a comparison are measured on, and one model's features.

bench = Bench(train, test)
extracted = extract(model, bench)      # features of images and of pairs of crops, and the protocol
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.data.images import Images, is_paired
from siamlab.geometry import Grid, Match, match_patches
from siamlab.probe.batches import Inputs
from siamlab.probe.features import Features
from siamlab.probe.pairs import CROPS, crop_pairs
from siamlab.probe.score import Reading, Score, Settings
from siamlab.probe.suite.passes import Kept, Passes, Precision, told

REVISION = 1  # of the definitions of the probes; numbers of two revisions are not comparable
CONTENT = 2**26  # bytes of each split that decide whether two sets of images are the same
LAST_LAYER: Settings = {"layer": "last, after the final norm"}
# fields that say where images and their list lie, not what they show
PLACES = ("path", "test_path", "download", "subset")
SAMPLED = 500  # most test images of the probes that need a pass of their own
PAIRED = 2000  # most test images that are cut into two crops; even, so that no pair is split


class Bench(NamedTuple):
    train: Images
    test: Images
    about: Mapping[str, Any] = {}  # fields of the data source, for the protocol
    batch: int = 256  # images per pass
    seed: int = 0  # of crops, subsets and corruptions


class SplitFeatures:
    """`Features` of the images of a split, of which the patches may be computed later or never.

    They take nearly all memory, and many suites need those of crops alone. They are computed with
    the rest where they fit into half of what is free, else once a probe asks for them.
    """

    def __init__(self, passes: Passes, images: Images) -> None:
        self._passes: Passes = passes
        self._pixels: UInt8[Tensor, "n 3 H W"] = images.pixels

    @property
    def pooled(self) -> Float[Tensor, "n D"]:
        """Mean of the patches of each image."""
        return self._found.pooled

    @property
    def cls(self) -> Float[Tensor, "n D"]:
        """Class token of each image; `pooled` if the model has none."""
        return self._found.cls

    @property
    def grid(self) -> Grid:
        """Rows and columns of patches."""
        return self._found.grid

    @cached_property
    def patches(self) -> Float[Tensor, "n N D"]:
        """Patches of each image, row by row; UserError if there is no memory for them."""
        if self._found.patches.shape[1]:
            return self._found.patches
        self._passes.check_memory(len(self._pixels), "images")
        return self._passes.features(self._pixels).patches

    @cached_property
    def _found(self) -> Features:
        n, passes = len(self._pixels), self._passes
        if passes.fits(2 * n):
            return passes.features(self._pixels)
        return passes.features_without_patches(self._pixels)


class Sample(NamedTuple):
    """The images of a probe that does not take all."""

    index: Int64[Tensor, " k"]
    settings: Settings  # their number, and whether they were drawn at random


class Extracted(NamedTuple):
    """One model's features of the images of a bench."""

    model: nn.Module
    inputs: Inputs
    bench: Bench
    passes: Passes  # the door through which more images go
    train: SplitFeatures
    test: SplitFeatures
    cropped: Sample  # the test images that two crops are cut from
    a: Features  # of the first crop of each of these
    b: Features  # of the second
    match: Match  # where a's patches lie in b
    groups: Tensor | None  # test images that the bootstrap draws together
    settings: Settings  # shared by all numbers: data, resolution, seed

    def reading(
        self,
        key: str,
        score: Score,
        layer: int | None = None,
        head: int | None = None,
        **own: Any,
    ) -> Reading:
        """Return the number of a probe with its whole protocol; `own` is this probe's part."""
        depth = LAST_LAYER if layer is None else {"layer": layer}
        return Reading(key, score, self.settings | depth | own, layer, head)

    def groups_of(self, index: Int64[Tensor, " k"]) -> Tensor | None:
        """The bootstrap groups of these test images."""
        return None if self.groups is None else self.groups[index]


def extract(
    model: nn.Module,
    bench: Bench,
    inputs: Inputs | None = None,
    kept: Kept | None = None,
    precision: Precision = "float32",
) -> Extracted:
    """Pass the images, and pairs of crops of test images, through the model once for all probes.

    Features that are kept from an earlier probe of this model are read instead.
    """
    if len(bench.train.pixels) == 0 or len(bench.test.pixels) == 0:
        raise UserError("a probe must have training and test images; one of the two sets is empty")
    inputs = inputs or Inputs.of(model)
    passes = Passes(model, inputs, bench.batch, kept, precision)
    cropped = subsample(bench.test, PAIRED, bench.seed)
    passes.check_memory(2 * len(cropped.index), "crops of test images")
    train, test = (SplitFeatures(passes, images) for images in (bench.train, bench.test))
    return Extracted(
        model, inputs, bench, passes, train, test, cropped, *_crops(passes, bench, cropped.index),
        bootstrap_groups(bench.test), settings(bench, inputs) | told(precision),
    )  # fmt: skip


def small_sample(extracted: Extracted) -> Sample:
    """The test images of probes that need passes of their own."""
    return subsample(extracted.bench.test, SAMPLED, extracted.bench.seed)


def subsample(
    images: Images, most: int, seed: int = 0, among: Int64[Tensor, " m"] | None = None
) -> Sample:
    """Pick at most `most` of the images (or of those `among`, by index), and keep their order.

    The first ones if the images are in random order. Otherwise, or if labels cannot show it, they
    are drawn: the first ones of a folder all belong to one class.
    """
    among = torch.arange(len(images.labels)) if among is None else among
    if len(among) <= most or in_random_order(images):
        return Sample(among[:most], {"images": min(most, len(among))})
    rng = Generator().manual_seed(seed)
    index = among[torch.randperm(len(among), generator=rng)[:most].sort().values]
    return Sample(index, {"images": most, "drawn": "at random, by the seed"})


def in_random_order(images: Images) -> bool:
    """Tell whether the images are in random order, as pairs of scenes are.

    True where the labels of neighbours differ at least half as often as in a random order.
    """
    if is_paired(images):
        return True
    labels = images.labels[images.labels >= 0]
    expected = 1 - (labels.bincount() / len(labels)).square().sum()
    differ = (labels[1:] != labels[:-1]).float().mean()  # nan, so False, for fewer than two
    return bool(differ > expected / 2)


def bootstrap_groups(images: Images) -> Tensor | None:
    """The group of each image; two scenes of one object are not independent, so they share one."""
    return torch.arange(len(images.labels)) // 2 if is_paired(images) else None


def settings(bench: Bench, inputs: Inputs) -> Settings:
    """The part of the protocol that all numbers of a bench share."""
    sets = {"train": bench.train, "test": bench.test}
    return (
        {"revision": REVISION, "resolution": list(inputs.size), "seed": bench.seed}
        | {f"data.{k}": v for k, v in bench.about.items() if k.split(".")[-1] not in PLACES}
        | {f"data.{name}_images": len(images.labels) for name, images in sets.items()}
        | {f"data.{name}_content": content(images) for name, images in sets.items()}
    )


def content(images: Images) -> str:
    """Ten hexadecimal digits that identify the labels and (a part of) the pixels."""
    step = max(1, images.pixels.nbytes // CONTENT)
    hashed = hashlib.sha256(images.labels.numpy().tobytes())
    hashed.update(repr(tuple(images.pixels.shape)).encode())
    hashed.update(images.pixels[::step].contiguous().numpy().data)
    return hashed.hexdigest()[:10]


def crop_settings() -> Settings:
    """The part of a protocol that describes the crops that were compared."""
    crop = CROPS.crop
    return {"crops": f"area {list(crop.area)}, IoU at least {CROPS.iou}, flips {crop.flip}"}


def cropped_settings(extracted: Extracted) -> Settings:
    """The part of a protocol that says which test images were cropped; empty if all were."""
    all_of_them = len(extracted.cropped.index) == len(extracted.bench.test.labels)
    return {} if all_of_them else extracted.cropped.settings


def _crops(
    passes: Passes, bench: Bench, index: Int64[Tensor, " k"]
) -> tuple[Features, Features, Match]:
    """Features of two crops of each of the images, and where patches of one lie in the other."""
    rng = Generator().manual_seed(bench.seed)
    parts: tuple[list, list, list] = ([], [], [])
    for a, b in crop_pairs(bench.test.pixels[index], passes.inputs.size, rng):
        one, two = map(passes.view_features, (a, b))
        match = Match(*(part.to(one.patches.device) for part in match_patches(a, b, one.grid)))
        for part, value in zip(parts, (one, two, match), strict=True):
            part.append(value)
    return _joined(parts[0]), _joined(parts[1]), Match(*map(torch.cat, zip(*parts[2], strict=True)))


def _joined(parts: list[Features]) -> Features:
    pooled, cls, patches, grid = zip(*parts, strict=True)
    return Features(torch.cat(pooled), torch.cat(cls), torch.cat(patches), grid[0])

"""Spatial measures of the suites: where in the image, and what is there?"""

from collections.abc import Iterator

import torch
from jaxtyping import UInt8
from torch import Tensor

from siamlab.data.images import Images, Objects, is_paired
from siamlab.geometry import Match
from siamlab.probe.correspondence import ALPHA, correspondence, without_positions
from siamlab.probe.equivariance import SHIFTS, ZOOMS, equivariance_error, moves, warped
from siamlab.probe.in_context import TEMPERATURE, K, in_context, rare_patches
from siamlab.probe.scenes import object_match
from siamlab.probe.score import Groups, Reading, Settings
from siamlab.probe.segmentation import VOID, segmentation
from siamlab.probe.suite.bench import (
    Extracted,
    crop_settings,
    cropped_settings,
    small_sample,
    subsample,
)
from siamlab.probe.suite.semantic import varied

MEMORY = 1000  # most training images that in-context segmentation remembers
LARGE = 320_000  # most patches of a memory that all training images share
FEWEST = 10  # test images from which a mean per position is subtracted: each is part of the mean
AMOUNTS = {
    "shift": f"{list(SHIFTS[1:])} patches",
    "zoom": f"{list(ZOOMS[1:])} times",
    "flip": "left-right",
}
CENTRED = {"centring": "mean feature of each position subtracted"}


def correspondences(x: Extracted) -> Iterator[Reading]:
    """Correspondence between two crops of an image."""
    protocol = cropped_settings(x) | crop_settings()
    groups = x.groups_of(x.cropped.index)
    yield from _pck(x, "correspondence", x.a.patches, x.b.patches, x.match, groups, protocol)


def across_scenes(x: Extracted) -> Iterator[Reading]:
    """Correspondence between two scenes of one object, of the scenes that crops are cut from.

    The spatial score can then draw the same images for both correspondences.
    """
    test = x.bench.test
    if not is_paired(test) or not len(test.masks):
        return
    ways = x.cropped.index[0::2], x.cropped.index[1::2]
    first, second = (Objects(*(part[way] for part in test.objects)) for way in ways)
    match = object_match(test.masks[ways[0]], first, second, x.test.grid)
    match = Match(*(part.to(x.test.patches.device) for part in match))
    patches = (x.test.patches[way] for way in ways)
    yield from _pck(x, "scene_correspondence", *patches, match, None, cropped_settings(x))


def segmentations(x: Extracted) -> Iterator[Reading]:
    """Linear segmentation, where there are masks."""
    train, test = x.bench.train.masks, x.bench.test.masks
    if segmented(train) and segmented(test):
        arrays = x.train.patches, train, x.test.patches, test
        score = segmentation(*arrays, x.test.grid, x.groups)
        yield x.reading("segmentation", score, classifier="linear, standardised features")


def remembered(x: Extracted) -> Iterator[Reading]:
    """Segmentation by a memory of training images, where there are masks."""
    memory, learned = subsample(x.bench.train, MEMORY, x.bench.seed)
    index, asked = small_sample(x)
    masks = masks_of(x.bench.train, memory), masks_of(x.bench.test, index)
    if not all(map(segmented, masks)):
        return
    how = {"k": K, "temperature": TEMPERATURE}
    arrays = x.train.patches[memory], masks[0], x.test.patches[index], masks[1]
    score = in_context(*arrays, x.test.grid, **how, groups=x.groups_of(index))
    yield x.reading("in_context", score, **how | learned | asked | {"memory": len(memory)})


def remembered_widely(x: Extracted) -> Iterator[Reading]:
    """Segmentation by a memory of patches of all training images, where there are masks."""
    memory, test, grid = x.bench.train.masks, x.bench.test.masks, x.test.grid
    if not segmented(memory) or not segmented(test):
        return
    count = min(grid[0] * grid[1], max(1, LARGE // len(memory)))
    how = {"k": K, "temperature": TEMPERATURE}
    keep = rare_patches(memory, grid, count, x.bench.seed)
    arrays = x.train.patches, memory, x.test.patches, test
    score = in_context(*arrays, grid, **how, groups=x.groups, keep=keep)
    yield x.reading("in_context_sampled", score, **how, patches_of_an_image=count)


def equivariance(x: Extracted) -> Iterator[Reading]:
    """Errors under shifts and under zoom, each a mean over its amounts, and under the flip."""
    index, settings = small_sample(x)
    patch = min(side // n for side, n in zip(x.inputs.size, x.test.grid, strict=True))
    moved: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {}
    still = None
    for move in moves(x.bench.test.pixels[index], x.inputs.size, patch):
        if still is None:
            still = x.passes.view_features(move.base)
        if move.amount != (move.name == "zoom"):  # shifts by 0 and zooms by 1 move nothing
            there = x.passes.view_features(move.moved).patches
            expected = warped(still.patches, move.base, move.moved, still.grid)
            moved.setdefault(move.name, []).append((there, *expected))
    for name, parts in moved.items():
        arrays = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        score = equivariance_error(*arrays, x.groups_of(index))
        yield x.reading(f"equivariance_{name}", score, **settings, amounts=AMOUNTS[name])


def masks_of(images: Images, index: Tensor) -> UInt8[Tensor, "_ H W"]:
    """The masks of some of the images; empty if the images have none."""
    return images.masks[index] if len(images.masks) else images.masks


def centrable(x: Extracted) -> bool:
    """Tell whether there are enough test images for a mean feature of each position."""
    return len(x.bench.test.labels) >= FEWEST


def segmented(masks: Tensor) -> bool:
    """Tell whether the masks have at least two regions."""
    return varied(masks[masks != VOID])


def _pck(
    x: Extracted, key: str, a: Tensor, b: Tensor, match: Match, groups: Groups, protocol: Settings
) -> Iterator[Reading]:
    """PCK of the features, and of the features less the mean of each position."""
    if not match.inside.any():
        return
    where = match, x.test.grid, x.inputs.size
    protocol = {"alpha": ALPHA} | protocol
    yield x.reading(key, correspondence(a, b, *where, groups=groups), **protocol)
    if centrable(x):
        score = correspondence(*without_positions(a, b), *where, groups=groups)
        yield x.reading(f"{key}_centred", score, **protocol, **CENTRED)

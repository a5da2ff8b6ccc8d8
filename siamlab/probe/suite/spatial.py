"""Spatial steps of the suites: where in the image, and what is there?"""

from collections.abc import Iterator

import torch
from jaxtyping import UInt8
from torch import Tensor

from siamlab.data.images import Images, Objects, is_paired
from siamlab.geometry import Match
from siamlab.probe.contrast import local_contrast
from siamlab.probe.correspondence import ALPHA, correspondence, without_positions
from siamlab.probe.equivariance import SHIFTS, ZOOMS, equivariance_error, moves, warped
from siamlab.probe.features import view_features
from siamlab.probe.in_context import TEMPERATURE, K, in_context
from siamlab.probe.position import position
from siamlab.probe.scenes import object_match
from siamlab.probe.segmentation import VOID, segmentation
from siamlab.probe.suite.bench import Seen, chosen, crops, left_out, some
from siamlab.probe.suite.semantic import varied
from siamlab.probe.table import Measured
from siamlab.probe.variance import variance_share

MEMORY = 1000  # training images that in-context segmentation remembers, at most
FEWEST = 10  # test images that a mean of each position is subtracted from: they are part of it
AMOUNTS = {
    "shift": f"{list(SHIFTS[1:])} patches",
    "zoom": f"{list(ZOOMS[1:])} times",
    "flip": "left-right",
}
DECODER = "ridge on standardised features and their absolute values"
CENTRED = {"centring": "mean feature of each position subtracted"}


def quick(seen: Seen) -> Iterator[Measured]:
    """The probes of the spatial score."""
    yield from _correspondences(seen, "correspondence", seen.a.patches, seen.b.patches, seen.match)
    yield from _across_scenes(seen)


def rest(seen: Seen) -> Iterator[Measured]:
    """All other spatial probes."""
    yield from segmentations(seen)
    yield from _in_context(seen)
    found = position(seen.train.patches, seen.test.patches, seen.test.grid, seen.groups)
    for name, score in found._asdict().items():
        key = "position" if name == "raw" else f"position_{name}"
        yield seen.measured(key, score, classifier=DECODER)
    score = local_contrast(seen.test.patches, seen.test.grid, seen.groups)
    yield seen.measured("local_contrast", score)
    for name, score in variance_share(seen.test.patches, seen.groups)._asdict().items():
        yield seen.measured(f"variance_{name}", score)
    yield from _equivariance(seen)


def segmentations(seen: Seen) -> Iterator[Measured]:
    """Linear segmentation, where there are masks."""
    train, test = seen.bench.train.masks, seen.bench.test.masks
    if segmented(train) and segmented(test):
        arrays = seen.train.patches, train, seen.test.patches, test
        score = segmentation(*arrays, seen.test.grid, seen.groups)
        yield seen.measured("segmentation", score, classifier="linear, standardised features")


def masks_of(images: Images, index: Tensor) -> UInt8[Tensor, "_ H W"]:
    """The masks of some of the images; none where there are none."""
    return images.masks[index] if len(images.masks) else images.masks


def centrable(seen: Seen) -> bool:
    """There are enough test images for the mean feature of each position to be no image's own."""
    return len(seen.bench.test.labels) >= FEWEST


def _in_context(seen: Seen) -> Iterator[Measured]:
    """Segmentation by a memory of training images, where there are masks."""
    memory, remembered = chosen(seen.bench.train, MEMORY, seen.bench.seed)
    index, how = some(seen)
    masks = masks_of(seen.bench.train, memory), masks_of(seen.bench.test, index)
    if not all(map(segmented, masks)):
        return
    own = {"k": K, "temperature": TEMPERATURE}
    arrays = seen.train.patches[memory], masks[0], seen.test.patches[index], masks[1]
    score = in_context(*arrays, seen.test.grid, **own, groups=seen.grouped(index))
    own |= remembered | how | {"memory": len(memory)}
    yield seen.measured("in_context", score, **own)


def _correspondences(
    seen: Seen, name: str, a: Tensor, b: Tensor, match: Match, pair: bool = False
) -> Iterator[Measured]:
    """PCK of the features as they are, and without what they say of the position alone."""
    if not match.inside.any():
        return
    grid, size = seen.test.grid, seen.want.size
    groups = None if pair else seen.grouped(seen.cut.index)
    own = {"alpha": ALPHA} | left_out(seen) | ({} if pair else crops(seen.bench))
    score = correspondence(a, b, match, grid, size, groups=groups)
    yield seen.measured(name, score, **own)
    if centrable(seen):
        score = correspondence(*without_positions(a, b), match, grid, size, groups=groups)
        yield seen.measured(f"{name}_centred", score, **own, **CENTRED)


def _across_scenes(seen: Seen) -> Iterator[Measured]:
    """Of the scenes that crops are cut of: the spatial score draws both from the same images."""
    test = seen.bench.test
    if not is_paired(test) or not len(test.masks):
        return
    ways = seen.cut.index[0::2], seen.cut.index[1::2]
    first, second = (Objects(*(part[way] for part in test.objects)) for way in ways)
    match = object_match(test.masks[ways[0]], first, second, seen.test.grid)
    match = Match(*(part.to(seen.test.patches.device) for part in match))
    patches = (seen.test.patches[way] for way in ways)
    yield from _correspondences(seen, "scene_correspondence", *patches, match, pair=True)


def segmented(masks: Tensor) -> bool:
    """The masks tell two regions at least apart."""
    return varied(masks[masks != VOID])


def _equivariance(seen: Seen) -> Iterator[Measured]:
    """Shifts and zooms together, each a mean over its amounts; the flip."""
    index, how = some(seen)
    want, batch = seen.want, seen.bench.batch
    patch = min(side // n for side, n in zip(want.size, seen.test.grid, strict=True))
    found: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {}
    still = None
    for move in moves(seen.bench.test.pixels[index], want.size, patch):
        if still is None:
            still = view_features(seen.model, move.base, want.mean, want.std, batch)
        if move.amount != (move.name == "zoom"):  # shifts by 0 and zooms by 1 move nothing
            there = view_features(seen.model, move.moved, want.mean, want.std, batch).patches
            expected = warped(still.patches, move.base, move.moved, still.grid)
            found.setdefault(move.name, []).append((there, *expected))
    for name, moved in found.items():
        arrays = (torch.cat(part, dim=1) for part in zip(*moved, strict=True))
        score = equivariance_error(*arrays, seen.grouped(index))
        yield seen.measured(f"equivariance_{name}", score, **how, amounts=AMOUNTS[name])

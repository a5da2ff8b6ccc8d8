"""Two views of each test image for the correspondence probe: overlapping crops and flips.

for a, b in pairs(images, size, rng):           # View × 2, some images at a time
"""

from collections.abc import Iterator

from jaxtyping import UInt8
from torch import Generator, Tensor

from siamlab.geometry import Grid, View
from siamlab.photometric import NoColour
from siamlab.views import Crops, OverlappingCrops

CROPS = OverlappingCrops(crop=Crops(area=(0.3, 1.0)), iou=0.1)
AT_ONCE = 256  # images whose crops are drawn together: part of what the seed means


def pairs(
    images: UInt8[Tensor, "n 3 H W"], size: Grid, rng: Generator
) -> Iterator[tuple[View, View]]:
    """Two crops of each image that overlap, each mirrored half of the time, at `size` pixels."""
    for part in images.split(AT_ONCE):
        yield CROPS(part, size, NoColour(), rng)

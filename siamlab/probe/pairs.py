"""Two views of each test image for the correspondence probe: overlapping crops and flips.

for a, b in crop_pairs(images, size, rng):      # View × 2, a batch of images at a time
"""

from collections.abc import Iterator

from jaxtyping import UInt8
from torch import Generator, Tensor

from siamlab.colour import NoColour
from siamlab.geometry import Grid, View
from siamlab.views import Crops, OverlappingCrops

CROPS = OverlappingCrops(crop=Crops(area=(0.3, 1.0)), iou=0.1)
AT_ONCE = 256  # images whose crops are drawn together; another number draws other crops


def crop_pairs(
    images: UInt8[Tensor, "n 3 H W"], size: Grid, rng: Generator
) -> Iterator[tuple[View, View]]:
    """Yield two overlapping crops of each image, each mirrored half the time, at `size` pixels."""
    for part in images.split(AT_ONCE):
        yield CROPS(part, size, NoColour(), rng)

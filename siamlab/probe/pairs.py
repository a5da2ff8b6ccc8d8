"""Two views of each test image for the correspondence probe: independent crops and flips.

for a, b in pairs(images, size, rng):           # View × 2, a batch at a time
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Generator, Tensor

from siamlab.geometry import Grid, View, overlap

AREA = (0.3, 1.0)  # share of the image that a crop covers
ASPECT = 4 / 3  # height / width of a crop over the image's, from 1 / ASPECT to ASPECT
LEAST_OVERLAP = 0.1  # intersection over union of the two crops


def pairs(
    images: UInt8[Tensor, "n 3 H W"], size: Grid, rng: Generator, batch: int = 256
) -> Iterator[tuple[View, View]]:
    """Two crops of each image that overlap, each mirrored half of the time, at `size` pixels.

    Crops are cut at whole pixels, so that the boxes are exact, and resized with antialiasing.
    The draws do not depend on `batch`.
    """
    n, side = len(images), torch.tensor(images.shape[2:])
    first, second = _boxes(n, side, rng), _boxes(n, side, rng)
    while (apart := overlap(first / side.repeat(2), second / side.repeat(2)) < LEAST_OVERLAP).any():
        second[apart] = _boxes(int(apart.sum()), side, rng)
    flips = torch.rand(2, n, generator=rng) < 0.5
    for part in torch.arange(n).split(batch):
        yield tuple(
            _render(images[part], box[part], flip[part], size)
            for box, flip in zip((first, second), flips, strict=True)
        )


def _boxes(n: int, side: Int[Tensor, "2"], rng: Generator) -> Int[Tensor, "n 4"]:
    """Top, left, height, width in whole pixels; area uniform, aspect log-uniform, place uniform."""
    area = AREA[0] + (AREA[1] - AREA[0]) * torch.rand(n, 1, generator=rng)
    stretch = ASPECT ** (torch.rand(n, 1, generator=rng) - 0.5)  # square root of the aspect
    share = area.sqrt() * torch.cat([stretch, 1 / stretch], dim=1)
    extent = (share.clamp(max=1) * side).round().long().clamp(min=1)
    corner = (torch.rand(n, 2, generator=rng) * (side - extent + 1)).long()
    return torch.cat([corner, extent], dim=1)


def _render(
    images: UInt8[Tensor, "B 3 H W"], box: Int[Tensor, "B 4"], flip: Bool[Tensor, " B"], size: Grid
) -> View:
    rows = [
        F.interpolate(
            image[None, :, top : top + height, left : left + width].float() / 255,
            size,
            mode="bilinear",
            antialias=True,
        )
        for image, (top, left, height, width) in zip(images, box.tolist(), strict=True)
    ]
    image = torch.cat(rows)
    image = image.flip(3).where(flip[:, None, None, None], image)
    frame = torch.tensor(images.shape[2:]).repeat(2)
    return View(image, _fractions(box, frame), flip)


def _fractions(box: Int[Tensor, "B 4"], frame: Int[Tensor, "4"]) -> Float[Tensor, "B 4"]:
    return box / frame

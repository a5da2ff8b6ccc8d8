"""Random crops of photographs and their masks, by mmsegmentation's pipeline of 2020 to 2023.

pixels, regions = random_crop(photograph, regions, side=512, crop=512, fill, rng)

The photograph is enlarged or reduced, cut, mirrored and recoloured; what it does not fill is void.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy.random import Generator
from PIL import Image
from torch import Tensor

from siamlab.geometry import Grid

VOID = 255
SCALES = 0.5, 2.0  # least and largest shorter side, over that of the protocol
LONGEST = 4  # longer side over the shorter one at most: 2048 pixels over 512
COMMONEST = 0.75  # share of the known pixels of a cut, beyond which another is drawn
TRIES = 10
BRIGHTNESS = 32  # levels, up or down
CONTRAST = SATURATION = 0.5, 1.5  # factors
HUE = 18  # of the circle's 180 steps, each way


class Crop(NamedTuple):
    """One crop, as a model and a head see it."""

    pixels: Float[Tensor, "3 S S"]  # 0..1
    regions: UInt8[Tensor, "S S"]  # 255: void


def random_crop(
    photograph: Image.Image,
    regions: UInt8[Tensor, "H W"],
    side: int,
    crop: int,
    fill: tuple[float, float, float],
    rng: Generator,
) -> Crop:
    """A square of `crop` pixels of the photograph at half to twice the size of `side`.

    `side`: pixels of the shorter side; `fill`: the colour, in 0..1, where the photograph ends.
    """
    frame = scaled(regions.shape, side * rng.uniform(*SCALES))
    seen = resized(photograph, frame)
    known = F.interpolate(regions[None, None], frame, mode="nearest")[0, 0]
    rows, columns = drawn_place(known, crop, rng)
    seen, known = seen[:, rows, columns], known[rows, columns]
    if rng.random() < 0.5:
        seen, known = seen.flip(2), known.flip(1)
    seen = recoloured(seen.permute(1, 2, 0).contiguous().numpy(), rng)
    below, right = (crop - n for n in known.shape)
    pixels = torch.tensor(fill)[:, None, None].repeat(1, crop, crop)
    pixels[:, : crop - below, : crop - right] = torch.from_numpy(seen).permute(2, 0, 1) / 255
    return Crop(pixels, F.pad(known, (0, right, 0, below), value=VOID))


def scaled(size: Grid, side: float) -> Grid:
    """Height and width with the aspect kept: the shorter has `side` pixels, or fewer if the longer
    would have more than four times as many.
    """
    factor = min(int(side) / min(size), int(LONGEST * side) / max(size))
    height, width = (max(1, int(n * factor + 0.5)) for n in size)
    return height, width


def resized(photograph: Image.Image, frame: Grid) -> UInt8[Tensor, "3 h w"]:
    """The photograph at another size, bilinear without antialiasing, as OpenCV does it."""
    pixels = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)[None]
    return F.interpolate(pixels, frame, mode="bilinear", antialias=False)[0]


def drawn_place(regions: UInt8[Tensor, "H W"], crop: int, rng: Generator) -> tuple[slice, slice]:
    """Rows and columns of a cut; another is drawn while one region fills most of it."""
    for _ in range(TRIES + 1):
        starts = [int(rng.integers(0, max(n - crop, 0) + 1)) for n in regions.shape]
        rows, columns = (slice(start, start + crop) for start in starts)
        counts = torch.bincount(regions[rows, columns].flatten().long(), minlength=256)[:VOID]
        if (counts > 0).sum() > 1 and counts.max() < COMMONEST * counts.sum():
            break
    return rows, columns


def recoloured(pixels: UInt8[np.ndarray, "H W 3"], rng: Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Brightness, contrast, saturation and hue, each changed half of the time.

    Contrast comes second or last. Saturation and hue are Pillow's, of 256 levels.
    """
    if rng.random() < 0.5:
        pixels = _levels(pixels, shift=rng.uniform(-BRIGHTNESS, BRIGHTNESS))
    early = rng.random() < 0.5
    if early and rng.random() < 0.5:
        pixels = _levels(pixels, rng.uniform(*CONTRAST))
    saturated, turned = rng.random() < 0.5, rng.random() < 0.5
    if saturated or turned:
        hsv = np.array(Image.fromarray(pixels).convert("HSV"))
        if saturated:
            hsv[..., 1] = _levels(hsv[..., 1], rng.uniform(*SATURATION))
        if turned:
            turn = rng.integers(-HUE, HUE) / 180
            hsv[..., 0] += np.uint8(round(256 * turn) % 256)  # a circle: it may pass 255
        size = hsv.shape[1], hsv.shape[0]
        pixels = np.array(Image.frombytes("HSV", size, hsv.tobytes()).convert("RGB"))
    if not early and rng.random() < 0.5:
        pixels = _levels(pixels, rng.uniform(*CONTRAST))
    return pixels


def _levels(pixels: np.ndarray, factor: float = 1, shift: float = 0) -> np.ndarray:
    return (pixels.astype(np.float32) * factor + shift).clip(0, 255).astype(np.uint8)
